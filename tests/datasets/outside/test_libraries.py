"""Data sets of torchvision and of Hugging Face: only what is there, or a line that says what is not."""

from __future__ import annotations

import importlib
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench.datasets import DataError, absolute, label, load, row_of
from bench.datasets.outside import kept
from bench.search_path import CHECKOUT

PIXELS = np.random.RandomState(1).randint(0, 256, (12, 8, 9), dtype=np.uint8)
LABELS = np.arange(12) % 3


@pytest.fixture(autouse=True)
def nothing_read(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a new process, with an empty cache."""
    monkeypatch.setattr(kept, "_rows", {})
    yield


def refused(name: str, root: Path) -> str:
    with pytest.raises(DataError) as error:
        row_of(name, root)
    assert "\n" not in str(error.value)
    return str(error.value)


def write_idx(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def kmnist(tmp_path: Path) -> Path:
    """A data root with the files of KMNIST, small."""
    for split, start, end in (("train", 0, 9), ("t10k", 9, 12)):
        write_idx(tmp_path / f"KMNIST/raw/{split}-images-idx3-ubyte", PIXELS[start:end])
        write_idx(tmp_path / f"KMNIST/raw/{split}-labels-idx1-ubyte", LABELS[start:end])
    return tmp_path


@pytest.fixture
def gtsrb(tmp_path: Path) -> Path:
    """A data root with the files of GTSRB: RGB images of several sizes."""
    base = tmp_path / "gtsrb" / "GTSRB"
    for number in range(6):
        folder = base / "Training" / f"{number % 2:05}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[number, : 5 + number % 3]).convert("RGB").save(folder / f"{number}.ppm")
    (base / "Final_Test" / "Images").mkdir(parents=True)
    rows = ["Filename;ClassId"]
    for number in range(2):
        Image.fromarray(PIXELS[number]).convert("RGB").save(base / "Final_Test" / "Images" / f"{number}.ppm")
        rows.append(f"{number}.ppm;{number}")
    (tmp_path / "gtsrb" / "GT-final_test.csv").write_text("\n".join(rows))
    return tmp_path


def test_a_class_with_train(kmnist: Path) -> None:
    row = row_of("torchvision:KMNIST", kmnist)
    assert (row.image_shape, row.classes, row.train, row.test) == ((1, 8, 9), 3, 9, 3)
    data = load("torchvision:KMNIST", kmnist)
    assert torch.equal(data.train_images[:, 0], torch.from_numpy(PIXELS[:9])) and data.test_labels.tolist() == [0, 1, 2]
    assert load("torchvision:KMNIST@4", kmnist).train_images.shape == (9, 1, 4, 4)
    assert absolute("torchvision:KMNIST@4") == label("torchvision:KMNIST@4") == "torchvision:KMNIST@4"


def test_a_class_with_split_and_images_of_several_sizes(gtsrb: Path) -> None:
    said = refused("torchvision:GTSRB", gtsrb)
    assert "train image 1 of shape (7, 9, 3), the first (5, 9, 3): must be of one size; @SIDE behind the name" in said
    data = load("torchvision:GTSRB@8", gtsrb)
    assert data.train_images.shape == (6, 3, 8, 8) and data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_nothing_is_fetched_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*arguments: Any, **further: Any) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr("urllib.request.urlopen", fetch)
    said = refused("torchvision:KMNIST", tmp_path)
    command = f"torchvision.datasets.KMNIST('{tmp_path}', train=True, download=True)"
    assert f'`python -c "import torchvision; {command}"` fetches it' in said and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torchvision:Kmnist", "did you mean KMNIST?"),
        ("torchvision:ImageFolder", "unknown class of torchvision.datasets with train= or split= 'ImageFolder'"),
        ("torchvision:KMNIST:train=1", "field train: must be left out, it is set here"),
        ("torchvision:KMNIST:transform=x", "field transform: must be left out, it is set here"),
        ("torchvision:KMNIST:rot=1", "unknown field 'rot': must be one of root, train, transform"),
        ("torchvision:", "data set 'torchvision:': must be torchvision:NAME"),
        ("hf:", "data set 'hf:': must be hf:NAME"),
        (
            "hf:mnist:lable=x",
            "unknown field 'lable': must be one of config, image, label, train, test; did you mean label?",
        ),
    ],
)
def test_wrong_names(name: str, said: str, tmp_path: Path) -> None:
    assert said in refused(name, tmp_path)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Hugging Face's `datasets`, which the checkout's folder of that name hides."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry or ".").resolve() != CHECKOUT])
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    try:
        return importlib.import_module("datasets")
    except ImportError:
        pytest.skip("Hugging Face's datasets is not installed")


def saved(library: Any, folder: Path, columns: dict[str, Any], *, image: str = "image", test: str = "test") -> str:
    splits = {}
    for split, part in (("train", slice(0, 9)), (test, slice(9, 12))):
        made = library.Dataset.from_dict({name: values[part] for name, values in columns.items()})
        splits[split] = made.cast_column(image, library.Image()) if image in columns else made
    library.DatasetDict(splits).save_to_disk(str(folder))
    return f"hf:{folder}"


@pytest.mark.parametrize(("image", "target", "test"), [("image", "label", "test"), ("img", "labels", "validation")])
def test_a_folder_that_save_to_disk_wrote(library: Any, tmp_path: Path, image: str, target: str, test: str) -> None:
    columns = {image: [Image.fromarray(p) for p in PIXELS], target: LABELS.tolist()}
    name = saved(library, tmp_path / "some", columns, image=image, test=test)
    row, data = row_of(name), load(name)
    assert (row.image_shape, row.classes, row.train, row.test) == ((1, 8, 9), 3, 9, 3)
    assert torch.equal(data.train_images[:, 0], torch.from_numpy(PIXELS[:9])) and data.test_labels.tolist() == [0, 1, 2]
    assert label(name) == "hf:some" and absolute(name) == name
    kept._rows.clear()
    assert row_of(name).content_hash == row.content_hash


def test_columns_and_splits_are_chosen_by_name(library: Any, tmp_path: Path) -> None:
    columns = {"pixels": [Image.fromarray(p) for p in PIXELS], "fine": LABELS.tolist(), "coarse": (LABELS % 2).tolist()}
    name = saved(library, tmp_path / "some", columns, image="pixels", test="held_out")
    assert "no split test or validation or valid or val, but train, held_out: hf:NAME:test=…" in refused(name, tmp_path)
    name += ":test=held_out"
    assert "no column image or img, but pixels, fine, coarse: hf:NAME:image=… chooses one" in refused(name, tmp_path)
    name += ":image=pixels"
    assert "no column label or labels or target" in refused(name, tmp_path)
    assert "unknown column 'fin': must be one of pixels, fine, coarse; did you mean fine?" in refused(
        f"{name}:label=fin", tmp_path
    )
    assert row_of(f"{name}:label=fine").classes == 3 and row_of(f"{name}:label=coarse").classes == 2
    assert label(f"{name}:label=fine@4") == "hf:some:test=held_out:image=pixels:label=fine@4"


def test_what_is_no_image_or_no_single_label(library: Any, tmp_path: Path) -> None:
    boxes = {"image": [Image.fromarray(p) for p in PIXELS], "label": [[1, 2]] * 12}
    assert "train image 0: label [1, 2]: must be the number of one class" in refused(
        saved(library, tmp_path / "a", boxes), tmp_path
    )
    numbers = {"image": LABELS.tolist(), "label": LABELS.tolist(), "photo": LABELS.tolist()}
    said = refused(saved(library, tmp_path / "b", numbers, image="none"), tmp_path)
    assert "column 'image' is Value(" in said and "must be of type Image" in said


def test_what_is_not_in_the_cache_is_not_fetched(library: Any, tmp_path: Path) -> None:
    said = refused("hf:nobody/nothing", tmp_path)
    assert """`python -c "import datasets; datasets.load_dataset('nobody/nothing')"` fetches it""" in said
    assert "not in the cache of Hugging Face" in said
