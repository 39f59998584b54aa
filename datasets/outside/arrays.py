"""What the arrays of a data set from outside must be: nothing is scaled, guessed or dropped. Imports no torch.

N images of H × W pixels in C channels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.checks import check_classes, check_counts, check_range
from bench.datasets.errors import DataError

Given = Mapping[str, Any]  # the arrays of NAMES as they came, and perhaps `layout`
Arrays = Mapping[str, NDArray[Any]]  # {train,test}_images uint8 [N,H,W,C] and {train,test}_labels int64 [N]

NAMES = ("train_images", "train_labels", "test_images", "test_labels")
KERAS = ("x_train", "y_train", "x_test", "y_test")  # the same, as Keras calls them
LAYOUTS = {"NHW": None, "NHWC": 3, "NCHW": 1}  # layout -> the axis of the channels
MOST_CHANNELS = 4  # of images whose layout is not stated: an axis of more is none of channels
LONGEST_SIDE = 512  # what a stored network can have


def arrays_of(name: str, given: Given) -> Arrays:
    """The arrays in one layout, checked.

    Raises: DataError in one line naming what is wrong.
    """
    layout = given.get("layout")
    if layout is not None and str(layout) not in LAYOUTS:
        raise DataError(f"data set {name}: layout {str(layout)!r}: must be one of {', '.join(LAYOUTS)}")
    arrays: dict[str, NDArray[Any]] = {}
    for split in ("train", "test"):
        images = np.asarray(given[f"{split}_images"])
        arrays[f"{split}_images"] = _images(f"data set {name}: {split} images", images, layout and str(layout))
        labels = np.asarray(given[f"{split}_labels"])
        arrays[f"{split}_labels"] = _labels(f"data set {name}: {split} labels", labels, len(images))
    _check(name, arrays)
    return arrays


def _images(subject: str, images: NDArray[Any], layout: str | None) -> NDArray[np.uint8]:
    if images.dtype == object:
        raise DataError(f"{subject}: of several sizes or types: must be of one size and uint8")
    if images.dtype != np.uint8:
        raise DataError(f"{subject} are {images.dtype}: must be uint8, 0 to 255; nothing is scaled here")
    if images.ndim == 3 and layout in (None, "NHW"):
        return images[..., None]
    if images.ndim != 4 or layout == "NHW":
        raise DataError(f"{subject} of shape {images.shape}: must be [N,H,W], [N,H,W,C] or [N,C,H,W]")
    axis = LAYOUTS[layout] if layout else _channel_axis(subject, images.shape)
    return images if axis == 3 else images.transpose(0, 2, 3, 1)


def _channel_axis(subject: str, shape: tuple[int, ...]) -> int:
    """The axis of the channels, if only one can be it."""
    axes = [axis for axis in (1, 3) if shape[axis] <= MOST_CHANNELS and min(shape[2], shape[4 - axis]) > MOST_CHANNELS]
    if len(axes) != 1:
        raise DataError(
            f"{subject} of shape {shape}: which axis has the channels is not certain: must be [N,H,W], or have 1 to"
            f" {MOST_CHANNELS} channels and larger sides; or give layout, 'NHWC' or 'NCHW', beside them"
        )
    return axes[0]


def _labels(subject: str, labels: NDArray[Any], images: int) -> NDArray[np.int64]:
    if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras keeps them
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{subject} of shape {labels.shape}: must be [N], the number of one class for each image")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{subject} are {labels.dtype}: must be integers, the numbers of the classes")
    if len(labels) != images:
        raise DataError(f"{subject}: {len(labels)} for {images} images: must be one for each")
    if len(labels) and int(labels.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{subject}: {labels.max()}: must be the number of a class")
    return labels.astype(np.int64)


def _check(name: str, arrays: Arrays) -> None:
    train, test = arrays["train_images"], arrays["test_images"]
    labels = arrays["train_labels"]
    check_counts(name, len(train), len(test))
    if train.shape[1:] != test.shape[1:]:
        raise DataError(f"data set {name}: test images {test.shape[1:]}, training images {train.shape[1:]}: must agree")
    if not 0 < min(train.shape[1:]) <= max(train.shape[1:]) <= LONGEST_SIDE:
        raise DataError(f"data set {name}: images {train.shape[1:]}: must be of 1 to {LONGEST_SIDE} pixels a side")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(labels):  # a class of each number has an image
        raise DataError(f"data set {name}: labels {low} to {high}: must be 0 to one less than the number of classes")
    if high == 0:  # whatever is trained then has an accuracy of 100 %
        raise DataError(f"data set {name}: all training images are of one class, 0: must be of 2 classes or more")
    if low > 0:
        raise DataError(f"data set {name}: labels {low} to {high}: must begin at 0; subtract {low}")
    check_classes(name, labels, high + 1)
    check_range(name, arrays["test_labels"], high + 1)


def content_of(arrays: Arrays) -> str:
    """SHA-256 of all arrays in one layout: the same whichever form they came in."""
    digest = hashlib.sha256()
    for key in NAMES:
        array = np.ascontiguousarray(arrays[key], "<i8" if key.endswith("labels") else np.uint8)
        digest.update(json.dumps([key, array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def named(name: str, value: Mapping[str, Any]) -> Given:
    """The arrays of a mapping under the names that we give them, or Keras.

    Raises: DataError naming what it lacks.
    """
    for names in (NAMES, KERAS):
        if all(key in value for key in names):
            return {key: value[other] for key, other in zip(NAMES, names, strict=True)} | (
                {"layout": value["layout"]} if "layout" in value else {}
            )
    first = max((NAMES, KERAS), key=lambda names: sum(key in value for key in names))
    lacking = [key for key in first if key not in value]
    raise DataError(
        f"data set {name}: has {', '.join(map(str, value)) or 'nothing'}; lacks {', '.join(lacking)}: must have"
        f" {', '.join(NAMES)}, or {', '.join(KERAS)}"
    )
