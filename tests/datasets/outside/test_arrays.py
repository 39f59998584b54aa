"""Arrays in an .npz file, or of a plug-in: read as they are, told by their content, refused by name if not certain."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.datasets import ArraySource, DataError, absolute, check, label, load, row_of
from bench.datasets.outside import kept
from bench.datasets.outside.arrays import LONGEST_SIDE, arrays_of, content_of
from bench.datasets.outside.objects import given_by, row_of_source, source_of


@pytest.fixture(autouse=True)
def nothing_read(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process, with an empty cache."""
    monkeypatch.setattr(kept, "_rows", {})
    monkeypatch.setattr(kept, "_arrays", {})
    yield


def arrays(shape: tuple[int, ...] = (6, 7), classes: int = 3, train: int = 12, test: int = 6) -> dict[str, Any]:
    values = np.random.RandomState(0).randint(0, 256, (train + test, *shape), dtype=np.uint8)
    labels = np.arange(train + test) % classes
    return {
        "train_images": values[:train], "train_labels": labels[:train],
        "test_images": values[train:], "test_labels": labels[train:],
    }  # fmt: skip


def refused(given: dict[str, Any]) -> str:
    with pytest.raises(DataError) as error:
        arrays_of("mine", given)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("data set mine: ")


KERAS = {"train_images": "x_train", "train_labels": "y_train", "test_images": "x_test", "test_labels": "y_test"}


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keras", [False, True])
def test_a_file_is_what_was_written(tmp_path: Path, write: Any, keras: bool) -> None:
    given = arrays()
    write(tmp_path / "some.npz", **({KERAS[key]: array for key, array in given.items()} if keras else given))
    name = f"npz:{tmp_path / 'some.npz'}"
    row, data = row_of(name), load(name)
    assert (row.image_shape, row.classes, row.train, row.test, row.smallest_class) == ((1, 6, 7), 3, 12, 6, 4)
    assert torch.equal(data.train_images[:, 0], torch.from_numpy(given["train_images"]))
    assert torch.equal(data.test_images[:, 0], torch.from_numpy(given["test_images"]))
    assert data.train_labels.tolist() == given["train_labels"].tolist()
    mean = given["train_images"].mean() / 255
    assert data.mean[0] == pytest.approx(mean, abs=1e-12)
    assert row.content_hash == row_of_source("other", source_of(given), None).content_hash


@pytest.mark.parametrize("shape", [(6, 7, 3), (3, 6, 7), (6, 7, 1), (1, 6, 7), (9, 5, 4)])
def test_layouts(shape: tuple[int, ...]) -> None:
    given = arrays(shape)
    last = given["train_images"] if shape[2] <= 4 else given["train_images"].transpose(0, 2, 3, 1)
    assert np.array_equal(arrays_of("mine", given)["train_images"], last)


def test_one_content_in_every_form() -> None:
    given = arrays((6, 7, 3))
    first = {key: a.transpose(0, 3, 1, 2) if key.endswith("images") else a for key, a in given.items()}
    tensors = {key: torch.from_numpy(np.ascontiguousarray(a)) for key, a in first.items()}
    train, test = ((given[f"{s}_images"], given[f"{s}_labels"].astype(np.uint8)[:, None]) for s in ("train", "test"))
    pairs = [list(zip(map(Image.fromarray, images), labels[:, 0], strict=True)) for images, labels in (train, test)]
    forms = (given, first, tensors, SimpleNamespace(**tensors), (train, test), tuple(pairs))
    contents = {content_of(arrays_of("mine", given_by("mine", form))) for form in forms}
    assert len(contents) == 1
    given["test_images"] = given["test_images"].copy()
    given["test_images"][0, 0, 0, 0] ^= 1
    assert content_of(arrays_of("mine", given)) not in contents


@pytest.mark.parametrize("shape", [(3, 3, 3), (4, 8, 3), (3, 8, 4), (6, 7, 5), (12, 64, 64), (2, 6, 2)])
def test_a_layout_that_is_not_certain_is_refused_until_it_is_stated(shape: tuple[int, ...]) -> None:
    given = arrays(shape)
    assert f"train images of shape {(12, *shape)}: which axis has the channels is not certain" in refused(given)
    assert arrays_of("mine", {**given, "layout": "NHWC"})["train_images"].shape == (12, *shape)
    first = arrays_of("mine", {**given, "layout": np.array("NCHW")})["train_images"]
    assert np.array_equal(first, given["train_images"].transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"train_images": np.zeros((12, 6, 7))},
            "train images are float64: must be uint8, 0 to 255; nothing is scaled",
        ),
        ({"train_images": np.zeros((12, 6, 7), np.int64)}, "train images are int64: must be uint8"),
        ({"train_images": np.zeros((12, 42), np.uint8)}, "train images of shape (12, 42): must be [N,H,W]"),
        (
            {"test_images": np.zeros((6, 6, 8), np.uint8)},
            "test images (6, 8, 1), training images (6, 7, 1): must agree",
        ),
        ({"train_images": np.array([np.zeros((2, 2)), np.zeros(3)], object)}, "of several sizes or types"),
        ({"train_labels": np.eye(12)}, "train labels of shape (12, 12): must be [N], the number of one class"),
        ({"train_labels": np.zeros((12, 4, 4), int)}, "train labels of shape (12, 4, 4): must be [N]"),
        ({"train_labels": np.arange(12.0)}, "train labels are float64: must be integers"),
        ({"train_labels": np.arange(12) > 3}, "train labels are bool: must be integers"),
        ({"train_labels": np.arange(11)}, "train labels: 11 for 12 images: must be one for each"),
        ({"train_labels": np.zeros(12, int)}, "all training images are of one class, 0: must be of 2 classes or more"),
        ({"train_labels": np.arange(12) % 3 + 1}, "labels 1 to 3: must begin at 0; subtract 1"),
        ({"train_labels": np.arange(12) % 3 - 1}, "labels -1 to 1: must be 0 to one less than the number of classes"),
        ({"train_labels": np.arange(12) * 10**9}, "labels 0 to 11000000000: must be 0 to one less"),
        ({"train_labels": np.arange(12) % 3 * 2}, "class 1 has 0 training images: must be at least 1"),
        ({"test_labels": np.full(6, 3)}, "label 3: must be 0 to 2"),
        ({"test_images": np.zeros((0, 6, 7), np.uint8), "test_labels": np.zeros(0, int)}, "0 test images: must be at"),
        ({"layout": "HWNC"}, "layout 'HWNC': must be one of NHW, NHWC, NCHW"),
    ],
)
def test_what_is_no_data_set_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    assert said in refused({**arrays(), **changes})


def test_sides_that_no_stored_network_has() -> None:
    given = {
        k: np.zeros((4, LONGEST_SIDE + 1, 5), np.uint8) if k.endswith("images") else np.arange(4) for k in arrays()
    }
    assert f"must be of 1 to {LONGEST_SIDE} pixels a side" in refused(given)


def in_the_directory(place: int, value: int) -> bytes:
    """A file with this byte at this place of each entry of the directory at the end of its archive."""
    np.savez(file := io.BytesIO(), **arrays())
    raw = bytearray(file.getvalue())
    entry = raw.find(b"PK\x01\x02")
    while entry >= 0:
        raw[entry + place] = value
        entry = raw.find(b"PK\x01\x02", entry + 1)
    return bytes(raw)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no .npz file: must hold arrays of numbers"),
        (b"PK\x03\x04 cut off", "no .npz file"),
        (in_the_directory(6, 255), "no .npz file"),  # a version of zip that is yet to come
        (in_the_directory(8, 1), "no .npz file"),  # a password
        ({"x": np.zeros(3)}, "has x; lacks train_images, train_labels, test_images, test_labels: must have"),
        ({"x_train": np.zeros(3), "y_train": np.zeros(3)}, "lacks x_test, y_test: must have train_images"),
        ({key: np.array([{}], object) for key in arrays()}, "holds pickled objects, which are not read"),
        (np.zeros(3), "has one array: must be an .npz file of several"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: Any, said: str) -> None:
    file = tmp_path / "some.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(file, **content)
    else:
        with file.open("wb") as stream:
            np.save(stream, content)
    with pytest.raises(DataError) as error:
        row_of(f"npz:{file}")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_constant_channel_is_refused_as_of_every_data_set() -> None:
    given = arrays()
    given["train_images"] = np.full_like(given["train_images"], 7)
    with pytest.raises(DataError, match="channel 0 of the training images is constant or nearly so"):
        row_of_source("mine", source_of(given), None)


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "some@64.npz", **arrays())
    monkeypatch.chdir(tmp_path)
    assert absolute("npz:some@64.npz") == f"npz:{tmp_path / 'some@64.npz'}"
    assert label("npz:./some@64.npz") == label(f"npz:{tmp_path}/some@64.npz") == "npz:some@64.npz"
    with pytest.raises(DataError, match=r"data set 'npz:none\.npz': must be npz:PATH, PATH a file"):
        row_of("npz:none.npz")


def test_a_file_is_read_again_only_if_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, reads = tmp_path / "some.npz", []
    np.savez(file, **arrays())
    plain = np.load
    monkeypatch.setattr(np, "load", lambda *args, **rest: (reads.append(args[0]), plain(*args, **rest))[1])
    before = row_of(f"npz:{file}").content_hash
    for _ in range(2):
        kept._rows.clear()  # as in another process
        assert row_of(f"npz:{file}").content_hash == before
    assert [read for read in reads if read == file] == [file]
    np.savez(file, **arrays(train=13))
    assert row_of(f"npz:{file}").content_hash != before


def test_a_worker_reads_what_the_driver_kept_and_refuses_other_content(tmp_path: Path) -> None:
    calls: list[int] = []
    given = arrays()
    source = source_of(lambda: (calls.append(1), given)[1])
    row = row_of_source("mine", source, None)
    kept._rows.clear()
    assert torch.equal(load("mine", None, row.content_hash).train_images[:, 0], torch.from_numpy(given["train_images"]))
    assert calls == [1]
    np.savez(tmp_path / "some.npz", **arrays(train=13))
    with pytest.raises(DataError, match=r"data set npz:some\.npz: content [0-9a-f]{12}: must be 000000000000, that of"):
        load(f"npz:{tmp_path / 'some.npz'}", None, "0" * 64)


def test_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "file" / name)
    np.savez(tmp_path / "some.npz", **arrays())
    with pytest.warns(UserWarning, match="cannot be kept, so each process reads data set npz:some.npz"):
        data = load(f"npz:{tmp_path / 'some.npz'}")
    assert len(data.train_images) == 12


def test_a_check_imports_no_torch(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", **arrays())
    lines = ("import sys", "from bench import datasets", f"datasets.check('npz:{tmp_path}/some.npz')")
    code = "; ".join([*lines, "assert 'torch' not in sys.modules"])
    subprocess.run([sys.executable, "-c", code], check=True)
    check(f"npz:{tmp_path / 'some.npz'}")


class Pairs:
    """A data set of torch's kind."""

    def __init__(self, items: list[tuple[Any, Any]]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.items[index]


PIXELS = np.random.RandomState(1).randint(0, 256, (4, 8, 9), dtype=np.uint8)


@pytest.mark.parametrize("grey", [True, False])
def test_pictures_are_grey_if_all_are(grey: bool) -> None:
    pictures = [Image.fromarray(p) if grey or i else Image.fromarray(p).convert("RGB") for i, p in enumerate(PIXELS)]
    items = Pairs(list(zip(pictures, [0, 1, 0, 1], strict=True)))
    images = arrays_of("mine", given_by("mine", (items, items)))["train_images"]
    assert images.shape == (4, 8, 9, 1 if grey else 3)
    assert all(np.array_equal(images[..., c], PIXELS) for c in range(images.shape[3]))


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            (torch.zeros(1, 8, 9), 0),
            "train image 1: float32: must be a picture of Pillow's or uint8; leave out transforms",
        ),
        (
            (Image.fromarray(PIXELS[0]), torch.tensor([0, 1])),
            "train image 1: label tensor([0, 1]): must be the number of",
        ),
        ((Image.fromarray(PIXELS[0]), {"boxes": 1}), "label {'boxes': 1}: must be the number of one class"),
        ((Image.fromarray(PIXELS[0]), 0.5), "label 0.5: must be the number of one class"),
        ((Image.fromarray(PIXELS[0]), "cat"), "label 'cat': must be the number of one class"),
        (
            (Image.fromarray(PIXELS[0][:5]), 0),
            "train image 1 of shape (5, 9), the first (8, 9): must be of one size; @SIDE",
        ),
        (Image.fromarray(PIXELS[0]), "train image 1: Image: must be a pair of image and label"),
        ((Image.new("I;16", (9, 8)), 0), "train image 1: mode I;16: integers of 16 bits: must be 8 bits a channel"),
    ],
)
def test_an_item_that_is_none_is_named(item: Any, said: str) -> None:
    items = Pairs([(Image.fromarray(PIXELS[0]), 0), item])
    with pytest.raises(DataError) as error:
        given_by("mine", (items, items))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_function_gets_the_data_root_if_it_takes_one(tmp_path: Path) -> None:
    roots: list[Path] = []

    def read(root: Path) -> dict[str, Any]:
        roots.append(root)
        return arrays()

    assert row_of_source("mine", source_of(read), tmp_path).train == 12 and roots == [tmp_path]


@pytest.mark.parametrize("value", [3, "digits", [1, 2, 3], None])
def test_values_that_are_none(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a DatasetRow, an object or a mapping with train_images"):
        source_of(value)
    assert isinstance(source_of(arrays()), ArraySource)


def with_header(file: Path, key: str, shape: tuple[int, ...]) -> None:
    """An .npz file in which one array's header declares another shape than the values behind it have."""
    given = arrays()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in given.items():
            buffer = io.BytesIO()
            header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape if name == key else array.shape}
            np.lib.format.write_array_header_1_0(buffer, header)
            archive.writestr(f"{name}.npy", buffer.getvalue() + array.tobytes())


@pytest.mark.parametrize("shape", [(10**13, 6, 7), (11, 6, 7)])
def test_an_array_is_not_allocated_because_a_header_says_so(tmp_path: Path, shape: tuple[int, ...]) -> None:
    file = tmp_path / "some.npz"
    with_header(file, "train_images", shape)
    said = f"train_images of {shape[0] * 42:,} bytes by its header: the file has 504"
    with pytest.raises(DataError) as error:
        row_of(f"npz:{file}")
    assert str(error.value) == f"data set npz:some.npz: {file}: {said}"
    with_header(file, "train_images", (12, 6, 7))
    assert row_of(f"npz:{file}").train == 12


def test_more_than_the_memory_holds_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "some.npz"
    np.savez(file, **arrays())
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 899}.__getitem__)
    with pytest.raises(DataError, match=r"arrays of 900 bytes: this machine's memory has 899$"):
        row_of(f"npz:{file}")
