"""Files that are there, missing, corrupted or not what they should be."""

import gzip
import hashlib
import lzma
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bench.datasets import DATASETS, DataError, check, load
from bench.datasets.statistics import mean_std

FIRST = "Tiny/raw/train-images.gz"


def tree(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}


def one_line(error: pytest.ExceptionInfo[DataError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_load_reads_the_arrays_and_writes_nothing(tiny: SimpleNamespace) -> None:
    before = tree(tiny.root)
    data = load("tiny", tiny.root)
    assert tree(tiny.root) == before
    images, labels, test_images, test_labels = (torch.from_numpy(a) for a in tiny.arrays.values())
    assert torch.equal(data.train_images, images.unsqueeze(1).to(torch.uint8))
    assert torch.equal(data.test_images, test_images.unsqueeze(1).to(torch.uint8))
    assert torch.equal(data.train_labels, labels)
    assert torch.equal(data.test_labels, test_labels)
    assert data.mean == pytest.approx([np.mean(tiny.arrays[FIRST] / 255)], abs=1e-15)
    assert data.std == pytest.approx([np.std(tiny.arrays[FIRST] / 255)], abs=1e-15)


@pytest.mark.parametrize("look", [load, check])
def test_missing_files_are_all_named(tiny: SimpleNamespace, look: Callable[..., Any]) -> None:
    lacking = list(tiny.row.files)[1:3]
    for path in lacking:
        (tiny.root / path).unlink()
    with pytest.raises(DataError, match=r"^data set tiny: missing ") as error:
        look("tiny", tiny.root)
    named = ", ".join(f"{tiny.root / path} (md5 {tiny.row.files[path]})" for path in lacking)
    assert one_line(error).endswith(f"missing {named}")


@pytest.mark.parametrize("look", [load, check])
def test_flipped_byte_is_named(tiny: SimpleNamespace, look: Callable[..., Any]) -> None:
    check("tiny", tiny.root)
    path = tiny.root / FIRST
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    actual = hashlib.md5(content).hexdigest()
    with pytest.raises(DataError) as error:
        look("tiny", tiny.root)
    expected = f"{path}: corrupted: expected md5 {tiny.row.files[FIRST]}, found {actual}; "
    assert one_line(error).startswith(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plain text", "not a gzip file"),
        (
            gzip.compress(b"\0\0\x08\x03short", mtime=0),
            "expected unsigned bytes in IDX format, of shape (12, 4, 6); found 9 bytes",
        ),
        (gzip.compress(b"", mtime=0), "found 0 bytes"),
        (gzip.compress(b"\0\0\x08\x03\0\0\0\x0c\0\0\0\x04\0\0\0\x06" + bytes(287), mtime=0), "found 303 bytes"),
        (gzip.compress(b"\0\0\x0d\x03\0\0\0\x0c\0\0\0\x04\0\0\0\x06" + bytes(288), mtime=0), "begin with 00000d03"),
    ],
)
def test_wrong_format_is_named(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    (tiny.root / FIRST).write_bytes(content)
    files = {**tiny.row.files, FIRST: hashlib.md5(content).hexdigest()}
    monkeypatch.setitem(DATASETS, "tiny", replace(tiny.row, files=files))
    with pytest.raises(DataError) as error:
        load("tiny", tiny.root)
    assert one_line(error).startswith(f"{tiny.root / FIRST}: ")
    assert message in one_line(error)


@pytest.mark.parametrize("look", [load, check])
def test_a_packed_file_is_not_unpacked_without_end(tiny: SimpleNamespace, look: Callable[..., Any]) -> None:
    """A file of some kilobytes that would be a gigabyte of zeros; it is refused without that memory."""
    packer, block = lzma.LZMACompressor(), bytes(1 << 20)
    (tiny.root / FIRST).unlink()
    packed = tiny.root / f"{FIRST}.xz"
    packed.write_bytes(b"".join(packer.compress(block) for _ in range(256)) + packer.flush())
    assert packed.stat().st_size < 1 << 16
    tracemalloc.start()
    with pytest.raises(DataError) as error:
        look("tiny", tiny.root)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    most = (tiny.row.train + tiny.row.test) * (4 * 24 + 256) + (1 << 20)
    said = f"corrupted: holds more than the {most:,} bytes that its data set has at the most"
    assert one_line(error) == f"{packed}: {said}"
    assert peak < 32 << 20  # of the 256 MiB in it


def test_a_cut_off_packed_file_is_named(tiny: SimpleNamespace) -> None:
    content = (tiny.root / FIRST).read_bytes()
    (tiny.root / FIRST).unlink()
    packed = tiny.root / f"{FIRST}.xz"
    packed.write_bytes(lzma.compress(content)[:-20])
    with pytest.raises(DataError, match=rf"^{packed}: not an xz file: "):
        load("tiny", tiny.root)


def test_label_out_of_range(tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "tiny", replace(tiny.row, classes=2))
    with pytest.raises(DataError, match=r"^data set tiny: label 2: must be 0 to 1$"):
        load("tiny", tiny.root)


def test_unreadable_file_is_one_line(tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=rf"^{tiny.root / FIRST}: cannot be read: Permission denied$"):
        load("tiny", tiny.root)


def test_mean_and_std_are_per_channel_and_exact() -> None:
    images = torch.randint(0, 256, (7, 3, 5, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images[:, 2] = 255
    mean, std = mean_std(images)
    pixels = images.double().permute(1, 0, 2, 3).flatten(1) / 255
    assert mean == pytest.approx(pixels.mean(1).tolist(), abs=1e-15)
    assert std == pytest.approx(pixels.std(1, correction=0).tolist(), abs=1e-15)
    assert (mean[2], std[2]) == (1.0, 0.0)
