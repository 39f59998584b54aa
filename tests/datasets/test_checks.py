"""What every data set must be, whichever way it comes: a folder, a row with a function of its own, or made by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_trials import images, spec

from bench.cli.cli import main
from bench.datasets import DATASETS, DataError, DatasetRow, check, load
from bench.datasets.cache.array_folder import Arrays
from bench.datasets.cache.decoded import put
from bench.datasets.files import md5_of
from bench.datasets.images import ImageData
from bench.engine.candidates import without_test
from bench.engine.train import train

DATA = images()
NAN, INF = float("nan"), float("inf")


def refused(name: str) -> str:
    with pytest.raises(DataError) as error:
        check(name)
    assert "\n" not in str(error.value)
    return str(error.value)


def pixels(channel: str, random: np.random.RandomState) -> np.ndarray:
    """An image of 8 × 8 pixels of noise, but for its blue channel."""
    image = random.randint(0, 256, (8, 8, 3)).astype(np.uint8)
    image[..., 2] = {
        "empty": 0,
        "constant": 77,
        "two levels": random.randint(127, 129, (8, 8)),
        "a mask of 0 and 1": random.randint(0, 2, (8, 8)),
        "a mask of 0 and 2": 2 * random.randint(0, 2, (8, 8)),
    }[channel]
    return image


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path, own_cache: Path) -> Path:
    """Two classes of 4 training and 2 test images; the parameter says what their blue channel is."""
    random = np.random.RandomState(0)
    for split, count in (("train", 4), ("test", 2)):
        for name in ("a", "b"):
            (tmp_path / "some" / split / name).mkdir(parents=True)
            for i in range(count):
                Image.fromarray(pixels(request.param, random)).save(tmp_path / "some" / split / name / f"{i}.png")
    return tmp_path / "some"


MEASURED = {
    "empty": "mean 0, standard deviation 0",
    "constant": "mean 77, standard deviation 0",
    "two levels": "mean 127.5, standard deviation 0.5",
    "a mask of 0 and 1": "mean 0.4922, standard deviation 0.5",
}


@pytest.mark.parametrize(("folder", "measured"), MEASURED.items(), indirect=["folder"])
def test_a_channel_without_spread_is_refused_each_time(folder: Path, measured: str) -> None:
    for _ in range(2):  # the second time by what the cache says
        assert refused(f"folder:{folder}") == (
            f"data set folder:{folder}: channel 2 of the training images is constant or nearly so: {measured}"
            " of 0 to 255, which must be at least 1; spread its values over 0 to 255, or replace it"
        )
    with pytest.raises(DataError, match=f"^data set folder:{folder}: channel 2 of the training images"):
        load(f"folder:{folder}")


@pytest.mark.parametrize("folder", ["a mask of 0 and 2"], indirect=True)
def test_a_spread_of_one_grey_level_is_enough(folder: Path) -> None:
    """Of as many 0 as 2 the standard deviation is exactly 1."""
    values = np.arange(64).reshape(8, 8) % 2 * 2
    for path in (folder / "train").rglob("*.png"):
        image = np.asarray(Image.open(path)).copy()
        image[..., 2] = values
        Image.fromarray(image).save(path)
    check(f"folder:{folder}")
    assert load(f"folder:{folder}").std[2] == pytest.approx(1 / 255, abs=1e-15)


@pytest.mark.parametrize("folder", ["empty"], indirect=True)
def test_run_refuses_before_anything_is_stored(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grid = ["--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--criterion-per-class", "1"]
    command = ["run", "--dataset", f"folder:{folder}@32", "--executor", "local", "--offline", "kept", *grid]
    assert main([*command, "--validation-fraction", "0.5"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: data set folder:{folder}@32: channel 2 of the training images is constant")
    assert not (tmp_path / "kept").exists()


FEW = {"train_images": DATA.train_images[:9], "train_labels": DATA.train_labels[:9]}
BY_HAND: dict[str, tuple[dict[str, Any], str]] = {
    "constant": (
        {"std": (0.0,)},
        "channel 0 of the training images is constant or nearly so: mean 63.75, standard dev",
    ),
    "nearly": (
        {"std": (0.0039,)},
        "channel 0 of the training images is constant or nearly so: mean 63.75, standard de",
    ),
    "nan": ({"std": (NAN,)}, "channel 0: mean 0.25, std nan: must be of pixels scaled to [0, 1]"),
    "infinite": ({"std": (INF,)}, "channel 0: mean 0.25, std inf: must be of pixels scaled to [0, 1]"),
    "negative": ({"std": (-0.2,)}, "channel 0: mean 0.25, std -0.2: must be of pixels scaled to [0, 1]"),
    "nan mean": ({"mean": (NAN,)}, "channel 0: mean nan, std 0.2: must be of pixels scaled to [0, 1]"),
    "of 0 to 255": ({"mean": (63.75,), "std": (51.0,)}, "channel 0: mean 63.75, std 51.0: must be of pixels scaled to"),
    "two stds": ({"std": (0.2, 0.2)}, "mean (0.25,), std (0.2, 0.2): must be 1 numbers each, one a channel"),
    "no mean": ({"mean": ()}, "mean (), std (0.2,): must be 1 numbers each, one a channel"),
    "float": (
        {"train_images": DATA.train_images / 255},
        "training images torch.float32 of shape (400, 1, 28, 28): must be torch.uint8 [N,C,H,W]",
    ),
    "flat": (
        {"test_images": DATA.test_images.flatten(1)},
        "test images torch.uint8 of shape (60, 784): must be torch.uint8 [N,C,H,W]",
    ),
    "another shape": (
        {"test_images": DATA.test_images[..., :27]},
        "test images of shape (1, 28, 27): must be (1, 28, 28), as in training",
    ),
    "int32": (
        {"train_labels": DATA.train_labels.int()},
        "training labels torch.int32 of shape (400,): must be torch.int64 of shape (400,)",
    ),
    "few labels": (
        {"test_labels": DATA.test_labels[1:]},
        "test labels torch.int64 of shape (59,): must be torch.int64 of shape (60,)",
    ),
    "from 1": ({"train_labels": DATA.train_labels + 1}, "label 10: must be 0 to 9"),
    "below 0": ({"test_labels": DATA.test_labels - 1}, "label -1: must be 0 to 9"),
    "no class 9": (FEW, "class 9 has 0 training images: must be at least 1"),
    "empty": (
        {"train_images": DATA.train_images[:0], "train_labels": DATA.train_labels[:0]},
        "class 0 has 0 training images: must be at least 1",
    ),
}


@pytest.mark.parametrize("fault", BY_HAND)
def test_images_made_by_hand(fault: str) -> None:
    changed, message = BY_HAND[fault]
    with pytest.raises(DataError, match=f"^data set small: {re.escape(message)}") as error:
        replace(DATA, **changed)
    assert "\n" not in str(error.value)


def test_test_images_may_be_withheld_from_candidates_alone() -> None:
    data = without_test(DATA)
    assert len(data.test_labels) == 0
    with pytest.raises(
        DataError, match=r"^data set small: 400 training and 0 test images: must be at least 1 of each$"
    ):
        train([spec()], data, "cpu")


ROW = {"image_shape": (1, 28, 28), "classes": 10, "train": 400, "test": 60, "smallest_class": 40, "files": {}}


def as_stated(name: str, row: DatasetRow, root: Path) -> ImageData:
    return DATA


def overstated(name: str, row: DatasetRow, root: Path) -> ImageData:
    """Its images are all black, whatever it says of their mean and standard deviation."""
    return replace(DATA, train_images=torch.zeros_like(DATA.train_images))


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """With a half as a label if the row's note asks for it."""
    factor = 0.5 if row.note == "halves" else 1
    train_images, test_images = (x.permute(0, 2, 3, 1).numpy() for x in (DATA.train_images, DATA.test_images))
    put(name, row, arrays, "train", train_images, DATA.train_labels.numpy() * factor)
    put(name, row, arrays, "test", test_images, DATA.test_labels.numpy() * factor)


ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "black": (
        {"load": "overstated"},
        "channel 0 of the training images is constant or nearly so: mean 0, standard devi",
    ),
    "shape": (
        {"image_shape": (1, 32, 32)},
        "training images of shape (400, 1, 28, 28): must be (400, 1, 32, 32), as i",
    ),
    "count": ({"train": 401}, "training images of shape (400, 1, 28, 28): must be (401, 1, 28, 28), as its row says"),
    "test": ({"test": 59}, "test images of shape (60, 1, 28, 28): must be (59, 1, 28, 28), as its row says"),
    "no test": ({"test": 0}, "400 training and 0 test images: must be at least 1 of each"),
    "classes": ({"classes": 11}, "10 classes: must be 11, as its row says"),
    "smallest": ({"smallest_class": 41}, "class 0 has 40 training images: must be at least 41"),
    "decoded, halves": ({"decode": "decode", "note": "halves"}, "train labels float64: must be integers"),
    "decoded, classes": ({"decode": "decode", "classes": 11}, "class 10 has 0 training images: must be at least 40"),
    "decoded, smallest": ({"decode": "decode", "smallest_class": 41}, "class 0 has 40 training images: must be at lea"),
    "decoded, no test": ({"decode": "decode", "test": 0}, "400 training and 0 test images: must be at least 1 of each"),
}


@pytest.mark.parametrize("fault", ROWS)
def test_rows(fault: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, message = ROWS[fault]
    way = {key: f"{__name__}:{changed[key]}" for key in ("load", "decode") if key in changed}
    functions = way if "decode" in way else {"load": f"{__name__}:as_stated", **way}
    row = DatasetRow(**{"default_model": "lenet-300-100", **ROW, **changed, **functions})
    monkeypatch.setitem(DATASETS, "rows", row)
    assert refused("rows").startswith(f"data set rows: {message}")
    assert not list(own_cache.glob("rows-*"))  # arrays that are refused are not kept


def counted(name: str, row: DatasetRow, root: Path) -> ImageData:
    """Leaves a line of each call."""
    with (root / "calls").open("a") as calls:
        calls.write("loaded\n")
    return DATA


@pytest.mark.parametrize(("files", "calls"), [(("images",), 2), ((), 4)])
def test_the_same_files_are_loaded_once_to_see(
    files: tuple[str, ...], calls: int, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again if the row changes; without files, each time."""
    (tmp_path / "images").write_bytes(b"pixels")
    fields = {**ROW, "files": dict.fromkeys(files, md5_of(b"pixels")), "default_model": "lenet-300-100"}
    for version in (1, 2):
        row = DatasetRow(**fields, version=version, load=f"{__name__}:counted")
        monkeypatch.setitem(DATASETS, "rows", row)
        check("rows", tmp_path)
        check("rows", tmp_path)
    assert len((tmp_path / "calls").read_text().splitlines()) == calls


def test_what_is_refused_is_refused_again(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").write_bytes(b"pixels")
    fields = {**ROW, "files": {"images": md5_of(b"pixels")}, "default_model": "lenet-300-100"}
    monkeypatch.setitem(DATASETS, "rows", DatasetRow(**fields, load=f"{__name__}:overstated"))
    for _ in range(2):
        with pytest.raises(DataError, match=r"^data set rows: channel 0 of the training images is constant"):
            check("rows", tmp_path)
