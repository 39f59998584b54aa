"""The data sets: uint8 images with labels. DATASETS is the page to read first.

A row is a name, a lazy reference and the metadata that checks need. Imports no torch.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.errors import DataError
from datasets.files import read_all

if TYPE_CHECKING:
    from datasets.images import ImageData

__all__ = ["DATASETS", "DataError", "DatasetRow", "check", "data_root", "fetch", "load"]


@dataclass(frozen=True, kw_only=True)
class DatasetRow:
    """One data set."""

    load: str  # "module:function", called with (name, row, root)
    image_shape: tuple[int, int, int]  # (C, H, W)
    classes: int
    train: int  # images
    test: int
    smallest_class: int  # training images of the class that has fewest
    default_model: str
    files: Mapping[str, str]  # path -> md5; relative to the data root, or to where `package` is installed
    package: str = ""  # the files come with this package; "" = they lie under the data root
    mirrors: str = ""  # "module:class" whose `mirrors` list the addresses of the files' folder; "" = never downloaded
    version: int = 1  # of our own processing of the files: raise it whenever the arrays change
    note: str = ""  # one line for the listing

    @property
    def content_hash(self) -> str:
        """SHA-256 that changes whenever the arrays may: over the files' names and md5s, and our version."""
        record = {"files": dict(self.files), "version": self.version}
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


DATASETS: dict[str, DatasetRow] = {
    "digits": DatasetRow(
        load="datasets.digits:load",
        image_shape=(1, 28, 28),
        classes=10,
        train=1_437,
        test=360,
        smallest_class=139,
        default_model="lenet-300-100",
        package="sklearn",
        files={"sklearn/datasets/data/digits.csv.gz": "9b335364a7bfd63947c7480a5bd51f2d"},
        note="scikit-learn's 8x8 digits up-sampled to 28x28; needs no download",
    ),
    "mnist": DatasetRow(
        load="datasets.idx:load",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        smallest_class=5_421,
        default_model="lenet-5-caffe",
        files={
            "MNIST/raw/train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "MNIST/raw/train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "MNIST/raw/t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "MNIST/raw/t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        mirrors="torchvision.datasets:MNIST",
        note="LeCun et al. 1998; 11 MB to download",
    ),
    "fashion-mnist": DatasetRow(
        load="datasets.idx:load",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        smallest_class=6_000,
        default_model="lenet-5-caffe",
        files={
            "FashionMNIST/raw/train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "FashionMNIST/raw/train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "FashionMNIST/raw/t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        mirrors="torchvision.datasets:FashionMNIST",
        note="Xiao et al. 2017; 31 MB to download",
    ),
}


def load(name: str, root: Path | None = None) -> ImageData:
    """Read a data set of DATASETS, checking its files by md5; writes and downloads nothing.

    Args:    root: the data root; None = `data_root(None)`.
    Raises:  DataError if `name` is unknown, or a file is missing or corrupted: one line naming it.
    """
    row = _row(name)
    module, _, function = row.load.partition(":")
    data: ImageData = getattr(importlib.import_module(module), function)(name, row, _folder(name, row, root))
    return data


def check(name: str, root: Path | None = None) -> None:
    """Check the files of a data set by md5, without torch: what `load` would complain about, sooner.

    Raises: DataError if `name` is unknown, or a file is missing or corrupted: one line naming it.
    """
    row = _row(name)
    read_all(name, row.files, _folder(name, row, root))


def fetch(name: str, root: Path | None = None) -> None:
    """Download the files of a data set that are missing under `root`; a present file is left as it is.

    Raises: DataError if `name` is unknown or a file cannot be had: one line naming the files expected there.
    """
    row = _row(name)
    if row.mirrors:
        from datasets.download import download_missing

        download_missing(name, row, data_root(root))


def data_root(given: Path | None = None) -> Path:
    """The absolute folder of the data: `given`, else BENCH_DATA_ROOT, else the user's cache folder."""
    if given is not None:
        return given.expanduser().absolute()
    if named := os.environ.get("BENCH_DATA_ROOT"):
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("freeze-or-prune").absolute()


def _folder(name: str, row: DatasetRow, root: Path | None) -> Path:
    """What the paths of a row's files are relative to; a package is found, not imported."""
    if not row.package:
        return data_root(root)
    found = importlib.util.find_spec(row.package)
    if found is None or found.origin is None:
        raise DataError(f"data set {name}: needs the package {row.package}, which is not installed")
    return Path(found.origin).parents[1]


def _row(name: str) -> DatasetRow:
    row = DATASETS.get(name)
    if row is None:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DataError(f"data set {name!r}: allowed is {', '.join(DATASETS)}{hint}")
    return row
