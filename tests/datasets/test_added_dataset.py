"""One row and one function are a data set: it is listed, checked, read and trained on like the others."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_trials import images

from bench.cli.cli import main
from bench.datasets import DATASETS, DataError, DatasetRow, check, fetch, load
from bench.datasets.cache.array_folder import Arrays
from bench.datasets.cache.decoded import put
from bench.datasets.files import contents
from bench.datasets.images import ImageData
from bench.engine.train import train
from bench.methods import METHODS
from bench.trial.spec import TrialSpec
from bench.trial.sweep import data_and_model

FILE = "rows/images.npz"
KNOWN = {"image_shape": (1, 28, 28), "classes": 10, "train": 400, "test": 60, "smallest_class": 40}


def read(name: str, row: DatasetRow, root: Path) -> ImageData:
    """The whole data set, each time anew."""
    assert [len(content) for content in contents(name, row.files, row, root)] == [(root / FILE).stat().st_size]
    return images(row.train, row.test)


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Its arrays, which are kept in the cache."""
    (content,) = contents(name, files, row, root)
    of_file = np.load(io.BytesIO(content))
    for split in ("train", "test"):
        put(name, row, arrays, split, of_file[f"{split}_images"], of_file[f"{split}_labels"])


@pytest.fixture(params=["load", "decode"])
def rows(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The data set "rows" under `root`, in DATASETS for the test's duration, read in either of the two ways."""
    file, data = tmp_path / FILE, images()
    file.parent.mkdir()
    with file.open("wb") as stream:
        np.savez(
            stream,
            train_images=data.train_images.permute(0, 2, 3, 1),
            train_labels=data.train_labels,
            test_images=data.test_images.permute(0, 2, 3, 1),
            test_labels=data.test_labels,
        )
    function = {"load": "read", "decode": "decode"}[request.param]
    row = DatasetRow(
        **KNOWN,
        **{request.param: f"{__name__}:{function}"},
        files={FILE: hashlib.md5(file.read_bytes()).hexdigest()},
        default_model="lenet-300-100",
        note="a bright row for each class",
    )
    monkeypatch.setitem(DATASETS, "rows", row)
    return SimpleNamespace(root=tmp_path, file=file, row=row)


def test_it_is_listed(rows: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "datasets", "--format", "csv"]) == 0
    (listed,) = (row for row in csv.DictReader(io.StringIO(capsys.readouterr().out)) if row["name"] == "rows")
    assert {name: listed[name] for name in ("image", "classes", "train", "test", "note")} == {
        "image": "1x28x28", "classes": "10", "train": "400", "test": "60", "note": "a bright row for each class",
    }  # fmt: skip


def test_it_is_checked_and_read(rows: SimpleNamespace, own_cache: Path) -> None:
    fetch("rows", rows.root)  # nothing to do: there is no address
    check("rows", rows.root)
    data, expected = load("rows", rows.root), images()
    assert torch.equal(data.train_images, expected.train_images) and torch.equal(data.test_images, expected.test_images)
    assert torch.equal(data.train_labels, expected.train_labels) and torch.equal(data.test_labels, expected.test_labels)
    rows.file.write_bytes(b"other")
    with pytest.raises(DataError, match=rf"^{rows.file}: corrupted: expected md5 {rows.row.files[FILE]}, found "):
        check("rows", rows.root)


def test_a_trial_trains_on_it(rows: SimpleNamespace, own_cache: Path) -> None:
    fields = data_and_model("rows", None, "xavier-normal")
    expected = {"dataset": "rows", "data_hash": rows.row.content_hash, "model": "lenet-300-100"}
    assert fields == {**expected, "initialiser": "xavier-normal"}
    spec = TrialSpec(method=METHODS["freeze"], rate=Decimal("0.9"), seed=0, epochs=1, **fields)
    (result,) = train([spec], load("rows", rows.root), "cpu")
    assert (result.outcome, result.reason) == ("done", "")
    assert result.metrics["total_parameters"] == 266_610
