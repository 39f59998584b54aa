"""Some classes of a data set as a data set of their own: `NAME:classes=LIST`."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.datasets import DATASETS, ArraySource, DataError, DatasetRow, check, fetch, known_rows, label, load, row_of
from bench.datasets.outside.objects import source_of
from bench.datasets.statistics import mean_std

needs_files = pytest.mark.skipif(not os.environ.get("BENCH_DATA_ROOT"), reason="BENCH_DATA_ROOT is not set")


@pytest.mark.parametrize("name", known_rows())
def test_rows_say_how_many_images_each_class_has(name: str) -> None:
    row = DATASETS[name]
    assert isinstance(row, DatasetRow)
    assert (sum(row.train_classes), sum(row.test_classes)) == (row.train, row.test)
    assert (len(row.train_classes), len(row.test_classes)) == (row.classes, row.classes)
    assert min(row.train_classes) == row.smallest_class


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        pytest.param("mnist", marks=needs_files),
        pytest.param("fashion-mnist", marks=[needs_files, pytest.mark.slow]),
        pytest.param("cifar10", marks=[needs_files, pytest.mark.slow]),
    ],
)
def test_the_images_of_the_classes_are_those_of_the_whole(name: str) -> None:
    whole, row, chosen = load(name), row_of(f"{name}:classes=1,5-9"), (1, 5, 6, 7, 8, 9)
    check(f"{name}:classes=1,5-9")
    data = load(f"{name}:classes=1,5-9")
    assert (data.name, data.classes, data.image_shape) == (f"{name}:classes=1,5-9", 6, whole.image_shape)
    for split in ("train", "test"):
        images, labels = getattr(whole, f"{split}_images"), getattr(whole, f"{split}_labels")
        inside = torch.isin(labels, torch.tensor(chosen))
        assert torch.equal(getattr(data, f"{split}_images"), images[inside])
        assert [chosen[number] for number in getattr(data, f"{split}_labels")] == labels[inside].tolist()
        counts = getattr(data, f"{split}_labels").bincount().tolist()
        assert counts == list(getattr(row, f"{split}_classes")) and sum(counts) == getattr(row, split)
    assert (data.mean, data.std) == mean_std(data.train_images.contiguous()) != (whole.mean, whole.std)
    assert (row.smallest_class, row.classes) == (int(data.train_labels.bincount().min()), 6)
    assert row.default_model == row_of(name).default_model


SPELLINGS = ("0-4", "0,1,2,3,4", "4,3,2,1,0", "3-4,0-2", "0-1, 2-4")


def test_one_data_set_however_its_classes_are_listed(
    tiny: SimpleNamespace, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, "tiny", replace(tiny.row, train_classes=(4, 4, 4), test_classes=(2, 2, 1)))
    assert {label(f"cifar10:classes={classes}") for classes in SPELLINGS} == {"cifar10:classes=0-4"}
    assert len({row_of(f"cifar10:classes={classes}").content_hash for classes in SPELLINGS}) == 1
    assert label("cifar10:classes=9,7,0-1,3") == "cifar10:classes=0-1,3,7,9"
    for classes in ("0,2", "2,0"):
        check(f"tiny:classes={classes}", tiny.root)
        assert load(f"tiny:classes={classes}", tiny.root).name == "tiny:classes=0,2"
    (folder,) = own_cache.glob("tiny*/header.json")
    assert folder.parent.name.startswith("tiny:classes=0,2-")


def test_content_hashes_differ_by_whole_and_classes() -> None:
    rows = [row_of(name) for name in ("cifar10", "cifar10:classes=0-4", "cifar10:classes=5-9", "svhn:classes=0-4")]
    assert len({row.content_hash for row in rows}) == 4
    # It may not move while the arrays stay the same: it is part of every run key.
    assert rows[1].content_hash == "19c01a274d23ec6057ab872ced8f26aa24bd41d473735f98569c0762a6bc8b75"


def refused(name: str) -> str:
    with pytest.raises(DataError) as error:
        row_of(name)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar10:classes=0-10", "class 10: must be 0 to 9"),
        ("cifar10:classes=3", "1 of 10 classes: must be 2 or more, and not all"),
        ("cifar10:classes=0-9", "10 of 10 classes: must be 2 or more, and not all"),
        ("cifar10:classes=0-4,3", "class 3 twice: must be listed once"),
        ("cifar10:classes=4-0", "classes '4-0': must be numbers of classes and ranges of them, as 0-4,7"),
        ("cifar10:classes=0,,1", "classes '': must be numbers of classes and ranges of them, as 0-4,7"),
        ("cifar10:classes=cat,dog", "classes 'cat': must be numbers of classes and ranges of them, as 0-4,7"),
        ("cifar10:clases=0-4", "unknown field 'clases': must be one of classes; did you mean classes?"),
    ],
)
def test_what_chooses_no_classes_is_refused(name: str, message: str) -> None:
    assert refused(name) == f"data set {name!r}: {message}"
    with pytest.raises(DataError):
        fetch(name)


def test_an_unknown_data_set_is_told_with_the_nearest() -> None:
    message = refused("cifra10:classes=0-4")
    assert message.startswith("unknown data set 'cifra10': must be one of digits, ")
    assert message.endswith("; did you mean cifar10?")
    assert "NAME:classes=LIST" in message
    assert refused("cifar10:0-4") == "data set 'cifar10:0-4': must be NAME:classes=LIST, as cifar10:classes=0-4"


def test_classes_of_a_plug_in_are_refused(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    images = np.random.RandomState(0).randint(0, 256, (9, 4, 4)).astype(np.uint8)
    given = {
        f"{s}_{part}": a for s in ("train", "test") for part, a in (("images", images), ("labels", np.arange(9) % 3))
    }
    source: ArraySource = source_of(given)
    monkeypatch.setitem(DATASETS, "mine", source)
    said = "data set 'mine:classes=0-1': classes of data from outside cannot be chosen; must be of a built-in one"
    assert refused("mine:classes=0-1") == said


def test_a_folder_may_be_called_so(tmp_path: Path) -> None:
    folder = tmp_path / "cats:classes=0-1"
    folder.mkdir()
    assert label(f"folder:{folder}") == "folder:cats:classes=0-1"


def test_row_of_a_subset_imports_no_torch() -> None:
    code = "import sys; from bench.datasets import row_of; row_of('mnist:classes=0-4').content_hash"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)
