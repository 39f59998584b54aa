"""Image files in Pillow's modes: read as torchvision's ImageFolder does, or refused if something would be lost."""

import struct
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter
from torchvision.datasets import ImageFolder

from bench.cli.cli import main
from bench.datasets import DataError, check, load, row_of
from bench.datasets.trees.pictures import size_of

WIDTH, HEIGHT = 6, 5
WIDE = "must be 8 bits a channel at most; scale its values from their true range (12 bits: 0 to 4095) to 0 to 255"
LOST = (
    "its pixels differ in transparency or palette index alone, all are of one colour: must differ in colour;"
    " save as RGB what it is to show"
)
SEVERAL = "mode RGB: 3 images in the file: must be 1; save each as a file of its own"
ROTATED = Image.Exif()
ROTATED[0x0112] = 6  # orientation: turn by 90 degrees

Write = Callable[[Path], object]


def noise(*channels: int, levels: int = 256) -> NDArray[np.int64]:
    return np.random.RandomState(0).randint(0, levels, (HEIGHT, WIDTH, *channels))


def image(mode: str) -> Image.Image:
    """Noise in every channel; in modes of few colours, what is nearest to it."""
    if mode in ("1", "P", "PA"):
        return image("RGB").quantize(16).convert(mode)
    pixels = noise(len(Image.new(mode, (1, 1)).getbands())).astype(np.uint8)
    return Image.merge(mode, [Image.fromarray(channel) for channel in pixels.transpose(2, 0, 1)])


def saved(mode: str, **options: object) -> Write:
    return partial(image(mode).save, **options)


def array(pixels: NDArray[np.generic], **options: object) -> Write:
    return partial(Image.fromarray(pixels).save, **options)


def png16(pixels: NDArray[np.int64], colour_type: int) -> Write:
    """A PNG file of 16 bits a channel, of colours or with transparency: Pillow writes none."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour_type, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels.astype(">u2")))
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return lambda path: path.write_bytes(content)


def netpbm(pixels: NDArray[np.int64], largest: int) -> Write:
    magic, values = b"P6" if pixels.ndim == 3 else b"P5", pixels.astype(">u2" if largest > 255 else np.uint8)
    content = b"%s %d %d %d\n" % (magic, WIDTH, HEIGHT, largest) + values.tobytes()
    return lambda path: path.write_bytes(content)


def alone(mode: str) -> Write:
    """An image of that mode in which only the last channel differs from pixel to pixel."""
    *others, last = image(mode).split()
    return partial(Image.merge(mode, [Image.new("L", last.size, 7) for _ in others] + [last]).save)


def one_coloured(path: Path) -> None:
    """A palette of equal colours, as TIFF files have whose writer took the palette's 16 bits for 8."""
    indices = image("P")
    indices.putpalette([0] * 768)
    indices.save(path)


def with_a_smaller_copy(path: Path) -> None:
    with AppendingTiffWriter(path, True) as file:
        image("RGB").save(file, "TIFF")
        file.newFrame()
        image("RGB").resize((3, 2)).save(file, "TIFF", tiffinfo={254: 1})


READ: dict[str, Write] = {
    "bit.png": saved("1"),
    "grey.png": saved("L"),
    "grey.tif": saved("L"),
    "grey15.pgm": netpbm(noise(levels=16), 15),
    "colours15.ppm": netpbm(noise(3, levels=16), 15),
    "transparent_grey.png": saved("LA"),
    "palette1.png": lambda path: image("RGB").quantize(2).save(path, bits=1),
    "palette4.png": saved("P", bits=4),
    "palette.tif": saved("P"),
    "palette_transparent.png": saved("P", transparency=bytes(range(0, 256, 16))),
    "palette_transparent.tif": saved("PA"),
    "colours.bmp": saved("RGB"),
    "colours.ppm": saved("RGB"),
    "colours.webp": saved("RGB", quality=50),
    "colours.jpg": saved("RGB", exif=ROTATED),
    "of_a_camera.jpg": saved("RGB", format="MPO", save_all=True, append_images=[image("RGB").resize((3, 2))]),
    "overview.tif": with_a_smaller_copy,
    "gif.png": saved("P", format="GIF"),
    "transparent.png": saved("RGBA"),
    "transparent.webp": saved("RGBA"),
    "print.jpg": saved("CMYK"),
    "print.tif": saved("CMYK"),
    "video.tif": saved("YCbCr"),
}

ANIMATED = {"save_all": True, "append_images": [image("RGB").rotate(180), image("RGB").rotate(90)]}
REFUSED: dict[str, tuple[Write, str]] = {
    "grey16.png": (array(noise(levels=65536).astype(np.uint16)), f"mode I;16: integers of 16 bits: {WIDE}"),
    "grey12.png": (array(noise(levels=4096).astype(np.uint16)), f"mode I;16: integers of 16 bits: {WIDE}"),
    "grey16.tif": (array(noise(levels=65536).astype(np.uint16)), f"mode I;16: integers of 16 bits: {WIDE}"),
    "grey32.tif": (array(noise(levels=100_000).astype(np.int32)), f"mode I: integers of 16 or 32 bits: {WIDE}"),
    "grey12.pgm": (netpbm(noise(levels=4096), 4095), f"mode I: integers of 16 or 32 bits: {WIDE}"),
    "float.tif": (array((noise() / 255).astype(np.float32)), f"mode F: floating-point numbers: {WIDE}"),
    "float.ppm": (array((noise() / 255).astype(np.float32)), f"mode F: floating-point numbers: {WIDE}"),
    "colours16.png": (png16(noise(3, levels=65536), 2), f"mode RGB: 16 bits a channel: {WIDE}"),
    "colours12.png": (png16(noise(3, levels=4096), 2), f"mode RGB: 16 bits a channel: {WIDE}"),
    "transparent16.png": (png16(noise(4, levels=65536), 6), f"mode RGBA: 16 bits a channel: {WIDE}"),
    "colours12.ppm": (netpbm(noise(3, levels=4096), 4095), f"mode RGB: 12 bits a channel: {WIDE}"),
    "signed.tif": (
        array(noise().astype(np.uint8), tiffinfo={339: 2}),
        "mode L: signed values: must be 0 to 255; shift them",
    ),
    "bands.tif": (
        saved("RGBX"),
        "mode RGB: 4 channels: must be 3, as the others would be dropped; save it without them",
    ),
    "lab.tif": (
        saved("LAB"),
        "mode LAB: must be saved as RGB: its conversion would clip the colours that RGB lacks",
    ),
    "pages.tif": (saved("RGB", **ANIMATED), SEVERAL),
    "moving.webp": (saved("RGB", **ANIMATED), SEVERAL),
    "moving.png": (saved("RGB", **ANIMATED), SEVERAL),
    "alpha_alone.png": (alone("RGBA"), f"mode RGBA: {LOST}"),
    "alpha_alone_grey.png": (alone("LA"), f"mode LA: {LOST}"),
    "one_colour.tif": (one_coloured, f"mode P: {LOST}"),
}


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Path:
    """A folder of two classes of two images each in 8-bit RGB, to add others to."""
    folder = tmp_path / "some"
    for split in ("train", "test"):
        for name in ("a", "b"):
            (folder / split / name).mkdir(parents=True)
            for i in range(2):
                image("RGB").rotate(180 * (i % 2)).save(folder / f"{split}/{name}/{i}.png")
    return folder


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")  # which torchvision's reader lets through
def test_what_is_read_is_torchvisions(tree: Path) -> None:
    for name, write in READ.items():
        write(tree / "train/a" / name)
    with warnings.catch_warnings(action="error"):
        check(f"folder:{tree}")
    data, theirs = load(f"folder:{tree}"), ImageFolder(str(tree / "train"))
    assert len(theirs) == 4 + len(READ)
    for pixels, (expected, _), (path, _) in zip(data.train_images, theirs, theirs.imgs, strict=True):
        assert np.array_equal(pixels.permute(1, 2, 0).numpy(), np.asarray(expected)), path


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_lost_is_refused(tree: Path, name: str) -> None:
    write, fault = REFUSED[name]
    path = tree / "train/b" / name
    write(path)
    assert Image.open(path).size == (WIDTH, HEIGHT)
    for _ in range(2):  # nothing of it was kept
        with pytest.raises(DataError) as error:
            check(f"folder:{tree}")
        assert str(error.value) == f"{path}: {fault}"


def test_the_first_image_is_refused_by_its_header(tree: Path) -> None:
    path = tree / "train/a/!.png"
    REFUSED["grey16.png"][0](path)
    with pytest.raises(DataError, match=f"^{path}: mode I;16: "):
        row_of(f"folder:{tree}")


def test_an_image_of_one_colour_is_no_fault(tree: Path) -> None:
    Image.new("RGBA", (WIDTH, HEIGHT), (1, 2, 3, 4)).save(tree / "train/a/blank.png")
    Image.new("P", (WIDTH, HEIGHT), 3).save(tree / "train/a/blank.bmp")
    check(f"folder:{tree}")


def test_a_size_is_that_of_the_first_of_several_images(tmp_path: Path) -> None:
    with_a_smaller_copy(tmp_path / "overview.tif")
    assert size_of(tmp_path / "overview.tif") == (HEIGHT, WIDTH)


def test_run_refuses_before_anything_is_stored(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tree / "test/b/deep.png"
    REFUSED["colours12.png"][0](path)
    grid = ["--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--criterion-per-class", "1"]
    grid += ["--validation-fraction", "0.5"]
    command = ["run", "--dataset", f"folder:{tree}@32", "--executor", "local", "--offline", "kept", *grid]
    assert main(command) == 2
    assert capsys.readouterr().err == f"error: {path}: mode RGB: 16 bits a channel: {WIDE}\n"
    assert not (tmp_path / "kept").exists()
