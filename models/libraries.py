"""Networks of other libraries, as `torchvision:resnet18` or `timm:resnet10t`: untrained, for any number of classes.

Such a network is told apart by what it is made of (`bench.models.structure.fingerprint`), not by its library's version.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bench.models.row import ModelRow
from bench.models.shapes import Shape

if TYPE_CHECKING:
    from torch import nn

RGB = 3  # channels


@dataclass(frozen=True)
class LibraryNetwork:
    """What builds one network of a library."""

    library: str
    name: str

    def __call__(self, classes: int, image_shape: Shape) -> nn.Module:
        """The network. Raises ValueError if it does not take images of that shape."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the library is going to change
            return LIBRARIES[self.library].build(self.name, classes, image_shape)


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library of networks, of the same name as its package."""

    names: Callable[[], list[str]]
    build: Callable[[str, int, Shape], nn.Module]
    words: str


def _torchvision_names() -> list[str]:
    from torchvision import models

    return list(models.list_models(module=models))


def _torchvision_network(name: str, classes: int, image_shape: Shape) -> nn.Module:
    from torchvision import models

    if image_shape[0] != RGB:
        raise ValueError(f"takes images of {RGB} channels; the data set has {image_shape[0]}")
    network: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    return network


def _timm_names() -> list[str]:
    import timm

    return list(timm.list_models())


def _timm_network(name: str, classes: int, image_shape: Shape) -> nn.Module:
    """In the data set's channels; one that is made for one size of images, in theirs."""
    import timm

    channels, *sides = image_shape
    config = timm.get_pretrained_cfg(name)
    settings: dict[str, Any] = {"num_classes": classes, "in_chans": channels}
    if config is not None and config.fixed_input_size:
        settings["img_size"] = tuple(sides)
    network: nn.Module = timm.create_model(name, **settings)
    return network


LIBRARIES = {
    "torchvision": Library(names=_torchvision_names, build=_torchvision_network, words="of torchvision, 3 channels"),
    "timm": Library(names=_timm_names, build=_timm_network, words="of timm, in the data set's channels"),
}


def is_of_library(model: str) -> bool:
    """Whether it is written as a network of a library."""
    return model.partition(":")[0] in LIBRARIES and ":" in model


def library_row(model: str) -> ModelRow:
    """The row of `torchvision:NAME` or `timm:NAME`, without its fingerprint.

    Raises: ValueError if the library is not installed or has no such network.
    """
    library, _, name = model.partition(":")
    try:
        known = LIBRARIES[library].names()
    except ImportError as error:
        raise ValueError(f"model {model!r}: {library} must be installed ({error})") from error
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {library}:{close[0]}?" if close else ""
        raise ValueError(f"unknown model {model!r}: must be one of the {len(known):,} of {library}{hint}")
    return ModelRow(build=LibraryNetwork(library, name), note=LIBRARIES[library].words)
