"""`torchvision:NAME`: a class of torchvision.datasets, of what lies under the data root. Nothing is downloaded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.datasets.errors import DataError
from bench.datasets.names import Parsed, parse
from bench.datasets.outside.arrays import Given
from bench.datasets.outside.items import arrays_of_items
from bench.datasets.outside.kept import row_of_arrays
from bench.datasets.roots import data_root
from bench.datasets.row import DatasetRow
from bench.messages import nearest, one_line

SPLITS = {"train": {"train": True, "split": "train"}, "test": {"train": False, "split": "test"}}
COMPARED = 8  # images of a split for which the array of all is compared with what the data set gives


def row(name: str, root: Path | None) -> DatasetRow:
    """The row of what the class gives under the data root, read once in this process.

    Raises: DataError if there is no such class, or nothing of it there, or it is no data set of one class per image.
    """
    parsed, folder = parse(name), data_root(root)
    return row_of_arrays(name, partial(_read, name, parsed, folder), (name, str(folder)))


def _read(name: str, parsed: Parsed, root: Path) -> Given:
    owner = _class(name, parsed.source)
    train, test = (_split(name, owner, parsed, root, split) for split in SPLITS)
    whole = {} if parsed.side else {**_whole("train", train), **_whole("test", test)}
    return whole if len(whole) == 5 else arrays_of_items(name, train, test, parsed.side)


def _class(name: str, place: str) -> Any:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise DataError(f"data set {name}: needs the package torchvision, which is not installed") from error
    if place not in (known := [known for known in datasets.__all__ if _switch(getattr(datasets, known))]):
        raise DataError(
            f"data set {name}: {nearest('class of torchvision.datasets with train= or split=', place, known)}"
        )
    return getattr(datasets, place)


def _switch(owner: Any) -> str:
    """The argument that chooses training or test images; "" if there is none."""
    parameters = _parameters(owner) if inspect.isclass(owner) else []
    return next((name for name in ("train", "split") if name in parameters and "root" in parameters), "")


def _parameters(owner: Any) -> list[str]:
    """What the class can be called with, also what it passes on to its base."""
    names: dict[str, None] = {}
    for c in owner.__mro__:
        parameters = inspect.signature(c.__init__).parameters
        names |= dict.fromkeys(name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break
    return [name for name in names if name not in ("self", "args")]


def _split(name: str, owner: Any, parsed: Parsed, root: Path, split: str) -> Any:
    switch = _switch(owner)
    if (taken := {"root", "download", switch} & parsed.settings.keys()) or "transform" in " ".join(parsed.settings):
        raise DataError(f"data set {name}: field {min(taken or {'transform'})}: must be left out, it is set here")
    if lacking := parsed.settings.keys() - {*_parameters(owner)}:
        raise DataError(f"data set {name}: {nearest('field', min(lacking), _parameters(owner))}")
    settings: Mapping[str, Any] = {**parsed.settings, switch: SPLITS[split][switch]}
    try:
        return owner(str(root), **settings)
    except (RuntimeError, OSError, ValueError, ImportError, TypeError) as error:
        arguments = "".join(f", {key}={value!r}" for key, value in settings.items())
        fetch = f"torchvision.datasets.{owner.__name__}({str(root)!r}{arguments}, download=True)"
        hint = f'; `python -c "import torchvision; {fetch}"` fetches it' if _downloads(owner) else ""
        raise DataError(f"data set {name}: not to be read under {root} ({one_line(error)}){hint}") from error


def _downloads(owner: Any) -> bool:
    return "download" in _parameters(owner)


def _whole(split: str, items: Any) -> dict[str, Any]:
    """The arrays that hold the whole split, if they hold what it gives image by image; else nothing."""
    images: Any = getattr(items, "data", None)
    labels: Any = getattr(items, "targets", getattr(items, "labels", None))
    images, labels = (value.numpy() if hasattr(value, "numpy") else value for value in (images, labels))
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or labels is None or not len(images):
        return {}
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if len(images) != len(items) or np.shape(labels) != (len(items),):
        return {}
    for position in {*range(min(COMPARED, len(items))), len(items) - 1}:
        image, label = items[position]
        if not np.array_equal(np.asarray(image), images[position].squeeze()) or int(label) != int(labels[position]):
            return {}
    layout = {"layout": "NHWC" if images.ndim == 4 else "NHW"}
    return {f"{split}_images": images, f"{split}_labels": np.asarray(labels), **layout}
