"""Image files, decoded with Pillow to RGB of 8 bits, as torchvision's ImageFolder does. Imports no torch.

ImageFolder converts every file to RGB, whatever becomes of its values: those above 255 become 255, those between 0 and
1 become 0, the second image of a file is dropped. What would be lost in that way is refused here, by the file's name.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from bench.datasets.errors import DataError
from bench.datasets.files import readable

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow

READ = ""
WIDE = "{}: must be 8 bits a channel at most; scale its values from their true range (12 bits: 0 to 4095) to 0 to 255"
COLOURS = "must be saved as RGB: its conversion {}"

# Pillow's mode of an image -> what is wrong with it; a mode that is not here is refused too. Nothing is scaled by us: a
# range is certain up to 8 bits only. Files of 16 bits often hold 10, 12 or 14, and say 16 even where they could say so.
MODES: Mapping[str, str] = {
    "1": READ,  # 0 and 255
    "L": READ,  # Pillow scales 2 and 4 bits from their whole range, and PGM from the largest value that the file names
    "P": READ,  # the colours of the palette
    "RGB": READ,
    "RGBX": READ,  # X is padding
    "YCbCr": READ,
    "CMYK": READ,  # without regard to a colour profile
    "LA": READ,  # the grey, without A, the transparency; likewise below
    "PA": READ,
    "RGBA": READ,
    "I": WIDE.format("integers of 16 or 32 bits"),
    "I;16": WIDE.format("integers of 16 bits"),
    "I;16L": WIDE.format("integers of 16 bits"),
    "I;16B": WIDE.format("integers of 16 bits"),
    "I;16N": WIDE.format("integers of 16 bits"),
    "F": WIDE.format("floating-point numbers"),
    "LAB": COLOURS.format("would clip the colours that RGB lacks"),
    "La": COLOURS.format("would have to divide by the transparency"),
    "RGBa": COLOURS.format("would have to divide by the transparency"),
}
UNKNOWN = f"must be one of {', '.join(mode for mode, fault in MODES.items() if fault == READ)}; save it as RGB"
PLAIN = ("1", "L", "RGB")  # modes whose every value stays as it is

# What Pillow raises on damaged files, as trying some thousands of them showed; a bomb is of too many pixels. What it
# warns of is nothing of the pixels: metadata that are damaged, a transparency that is dropped, as said above.
DAMAGED = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
    Image.DecompressionBombError,
)

# Tags of TIFF files, and the values that are read.
BITS, SAMPLES, SAMPLE_FORMAT, SUBFILE = 258, 277, 339, 254
UNSIGNED = (1, 4)  # 4 is "undefined", which readers take for unsigned
COPY_OR_MASK = 0b101  # of another image of the file


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) of an image file, from its header.

    Raises: DataError if it is no image, or one that would not survive the conversion to RGB.
    """
    with readable(path):
        content = path.read_bytes()
    with opened(path, content) as image:
        return image.height, image.width


def pixels_of(path: Path, content: bytes, row: DatasetRow) -> NDArray[np.uint8]:
    """The pixels of an image file with that content, uint8 [H,W,3].

    Raises: DataError naming the file if it is no image, would not survive the conversion to RGB, or is not of the size
            that `row` says.
    """
    _, height, width = row.image_shape
    with opened(path, content) as image:
        colours = _rgb(str(path), image)
    if row.side:
        colours = fitted(colours, (width, height))
    if colours.size != (width, height):
        raise DataError(
            f"{path}: {colours.width}x{colours.height} pixels, the first image {width}x{height}: must be of one size;"
            " folder:PATH@SIDE resizes and crops all to SIDE pixels"
        )
    return np.asarray(colours)


def colours_of(subject: str, image: Image.Image) -> Image.Image:
    """An image in RGB.

    Raises: DataError if it would not survive the conversion.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            fault = _fault(image)
    except DAMAGED as error:
        raise DataError(f"{subject}: no image that Pillow can read") from error
    if fault:
        raise DataError(f"{subject}: {fault}")
    return _rgb(subject, image)


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image resized and cropped to (width, height), if it is not of that size."""
    return ImageOps.fit(image, size, method=Image.Resampling.BILINEAR)


def _rgb(subject: str, image: Image.Image) -> Image.Image:
    """The image in RGB, once its header is found to be right."""
    try:
        with warnings.catch_warnings(action="ignore"):
            colours = image.convert("RGB")
    except DAMAGED as error:
        raise DataError(f"{subject}: cannot be decoded: {error}") from error
    if image.mode not in PLAIN and _is_constant(colours) and not _is_constant(image):
        raise DataError(
            f"{subject}: mode {image.mode}: its pixels differ in transparency or palette index alone, all are of one"
            " colour: must differ in colour; save as RGB what it is to show"
        )
    return colours


def opened(path: Path | str, content: bytes) -> Image.Image:
    """The image of a file with that content.

    Raises: DataError if it is none, or one that would not survive the conversion to RGB.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(content))
            fault = _fault(image)
    except DAMAGED as error:
        raise DataError(f"{path}: no image that Pillow can read") from error
    if fault:
        raise DataError(f"{path}: {fault}")
    return image


def _fault(image: Image.Image) -> str:
    """What would be lost of an image in RGB, by its header; "" = nothing."""
    mode, bits = f"mode {image.mode}", _bits(image)
    if fault := MODES.get(image.mode, UNKNOWN):
        return f"{mode}: {fault}"
    if bits > 8:
        return f"{mode}: {WIDE.format(f'{bits} bits a channel')}"
    if isinstance(image, TiffImageFile) and (fault := _fault_of_samples(image)):
        return f"{mode}: {fault}"
    images = _images(image)
    return f"{mode}: {images} images in the file: must be 1; save each as a file of its own" if images > 1 else ""


def _bits(image: Image.Image) -> int:
    """The bits of a channel in the file, where Pillow's mode does not tell: it gives 8 of the 16 bits of colours."""
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(BITS, (1,))))
    match image.format, [tile[3] for tile in getattr(image, "tile", ())[:1]]:  # how the bytes are unpacked
        case "PNG", [str(raw)] if raw.endswith(";16B"):
            return 16
        case "PPM", [(_, int(largest))]:
            return largest.bit_length()
    return 8


def _fault_of_samples(image: TiffImageFile) -> str:
    """What Pillow drops of a TIFF file's samples without a word: signs, and channels that the file gives no meaning."""
    bands, samples = len(set(image.getbands()) - {"X"}), image.tag_v2.get(SAMPLES, 1)
    if not set(image.tag_v2.get(SAMPLE_FORMAT, UNSIGNED)) <= set(UNSIGNED):
        return "signed values: must be 0 to 255; shift them"
    if samples > bands:
        return f"{samples} channels: must be {bands}, as the others would be dropped; save it without them"
    return ""


def _images(image: Image.Image) -> int:
    """How many images the file holds, not counting smaller copies, masks and previews."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":  # a camera's JPEG file, with previews behind the image
        return 1
    if not isinstance(image, TiffImageFile):
        return int(frames)
    whole = 0
    for frame in range(frames):
        image.seek(frame)
        whole += not image.tag_v2.get(SUBFILE, 0) & COPY_OR_MASK
    image.seek(0)
    return whole


def _is_constant(image: Image.Image) -> bool:
    return all(low == high for low, high in np.reshape(image.getextrema(), (-1, 2)))
