"""Calling what builds a network: with the number of classes, and with the shape of the images if it takes that too."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from bench.references import Reference, resolved

if TYPE_CHECKING:
    from torch import nn


def built(build: Reference, classes: int, image_shape: tuple[int, ...] | None) -> nn.Module:
    """The network, on torch's default device; torch's random state may be changed.

    Raises: ValueError if what is built is no network; whatever `build` raises.
    """
    from torch import nn

    function = resolved(build)
    network = function(classes, image_shape) if takes_shape(function) else function(classes)
    if not isinstance(network, nn.Module):
        raise ValueError(f"{name_of(build)} gives {type(network).__name__}: must be a torch.nn.Module")
    return network


def takes_shape(function: Callable[..., Any]) -> bool:
    """Whether it is to be called with the shape of the images too.

    It is if its second parameter must be given, or is called image_shape.

    >>> takes_shape(lambda classes, image_shape: None), takes_shape(lambda classes, width=32: None)
    (True, False)
    """
    try:
        parameters = [*signature(function).parameters.values()]
    except (TypeError, ValueError):  # of a function of C
        return False
    positional = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        return False
    return positional[1].default is Parameter.empty or positional[1].name == "image_shape"


def name_of(build: Reference) -> str:
    """What builds the network, in a message."""
    return build if isinstance(build, str) else getattr(build, "__qualname__", type(build).__name__)
