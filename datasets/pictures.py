"""Image files, decoded with Pillow to RGB. Imports no torch."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.datasets.errors import DataError

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of an image file, from its header.

    Raises: DataError if it is no image.
    """
    with _opened(path, path.read_bytes()) as image:
        return image.height, image.width


def pixels_of(path: Path, content: bytes, row: DatasetRow) -> NDArray[np.uint8]:
    """The pixels of an image file with that content, uint8 [H,W,3].

    Raises: DataError naming the file if it is no image, or is not of the size that `row` says.
    """
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
            f"{path}: {colours.width}x{colours.height} pixels, the first image {width}x{height}: must be of one size;"
            " folder:PATH@SIDE resizes and crops all to SIDE pixels"
        )
    return np.asarray(colours)


def _opened(path: Path, content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: no image that Pillow can read") from error
