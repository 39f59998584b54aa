"""Image files, decoded with Pillow to RGB. Imports no torch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.datasets.cache.kept import Parts
from bench.datasets.errors import DataError
from bench.datasets.files import contents

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], parts: Parts) -> None:
    """Fill `parts` from the image files of a row made by `bench.datasets.folder`: first those of train/.

    Raises: DataError naming the first file that is no image, or is of another size than the first.
    """
    from bench.datasets.folder import ANNOTATIONS, classes_of

    images = [path for path in files if path != ANNOTATIONS]
    labels = classes_of(root, images)
    pixels = (parts["train_images"], parts["test_images"])
    for place, (path, content) in enumerate(zip(files, contents(name, files, root), strict=True)):
        if path != ANNOTATIONS:
            test = place >= row.train
            pixels[test][place - row.train * test] = _pixels(root / path, content, row)
    parts["train_labels"][:], parts["test_labels"][:] = labels[: row.train], labels[row.train :]


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of an image file, from its header.

    Raises: DataError if it is no image.
    """
    with _opened(path, path.read_bytes()) as image:
        return image.height, image.width


def _pixels(path: Path, content: bytes, row: DatasetRow) -> NDArray[np.uint8]:
    """uint8 [H,W,3]."""
    _, height, width = row.image_shape
    with _opened(path, content) as image:
        try:
            colours = image.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path}: cannot be decoded: {error}") from error
    if row.side:
        colours = ImageOps.fit(colours, (width, height), method=Image.Resampling.BILINEAR)
    if colours.size != (width, height):
        raise DataError(
            f"{path}: {colours.width}x{colours.height} pixels, the first image {width}x{height}: allowed is one size;"
            " folder:PATH@SIDE resizes and crops all to SIDE pixels"
        )
    return np.asarray(colours)


def _opened(path: Path, content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: no image that Pillow can read") from error
