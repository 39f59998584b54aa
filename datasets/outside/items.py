"""Images one by one, as Pillow's or as arrays, to arrays of one size. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.datasets.errors import DataError
from bench.datasets.outside.arrays import Given
from bench.datasets.trees.pictures import colours_of, fitted

Items = Any  # with a length, and (image, label) at each index
GREY = ("1", "L")  # modes of Pillow's that have one channel
SIDE_IS_FOR_PICTURES = "@SIDE is for images of Pillow's: must be left out for arrays"


def arrays_of_items(name: str, train: Items, test: Items, side: int = 0) -> Given:
    """The arrays of a training and a test set.

    Images of Pillow's are grey if all of them are, else RGB.

    Args:   side: what each image is resized and cropped to; 0 = left as it is.
    Raises: DataError naming the first image or label that cannot be taken as it is.
    """
    images: dict[str, list[NDArray[Any]]] = {"train": [], "test": []}
    labels: dict[str, list[int]] = {"train": [], "test": []}
    pictures = 0
    for split, items in {"train": train, "test": test}.items():
        for position in range(len(items)):
            subject = f"data set {name}: {split} image {position}"
            image, label = _pair(subject, items[position])
            pictures += isinstance(image, Image.Image)
            images[split].append(_pixels(subject, image, side))
            labels[split].append(_label(subject, label))
    every = [image for of_split in images.values() for image in of_split]
    coloured = 0 < pictures == len(every) and any(image.ndim == 3 for image in every)
    given: dict[str, Any] = {f"{split}_labels": np.array(numbers, np.int64) for split, numbers in labels.items()}
    for split, of_split in images.items():
        alike = [np.repeat(image[..., None], 3, 2) if coloured and image.ndim == 2 else image for image in of_split]
        given[f"{split}_images"] = _stacked(f"data set {name}: {split}", alike)
    return {**given, **({"layout": "NHWC" if coloured else "NHW"} if pictures else {})}


def _pair(subject: str, item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{subject}: {type(item).__name__}: must be a pair of image and label")
    return item[0], item[1]


def _pixels(subject: str, image: Any, side: int) -> NDArray[Any]:
    """uint8 [H,W] of a grey picture, [H,W,3] of another, or an array as it is."""
    if isinstance(image, Image.Image):
        grey = image.mode in GREY
        colours = colours_of(subject, image)
        pixels = np.asarray(fitted(colours, (side, side)) if side else colours)
        return pixels[..., 0] if grey else pixels
    if side:
        raise DataError(f"{subject}: {SIDE_IS_FOR_PICTURES}")
    array = image.detach().cpu().numpy() if hasattr(image, "detach") else image
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        what = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise DataError(f"{subject}: {what}: must be a picture of Pillow's or uint8; leave out transforms, as ToTensor")
    return array


def _label(subject: str, label: Any) -> int:
    if getattr(label, "shape", ()) == () and not isinstance(label, bool | np.bool_ | str):
        with suppress(TypeError):
            return index(label.item() if hasattr(label, "item") else label)
    shown = " ".join(ascii(label).split())[:60]
    raise DataError(f"{subject}: label {shown}: must be the number of one class")


def _stacked(subject: str, images: Sequence[NDArray[Any]]) -> NDArray[Any]:
    for position, image in enumerate(images):
        if image.shape != images[0].shape:
            raise DataError(
                f"{subject} image {position} of shape {image.shape}, the first {images[0].shape}: must be of one size;"
                " @SIDE behind the name resizes and crops all to SIDE pixels"
            )
    return np.array(images, np.uint8) if len(images) else np.zeros((0, 1, 1), np.uint8)
