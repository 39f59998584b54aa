"""The data sets: uint8 images with labels. DATASETS in `table` is the page to read first.

A row is a name, a lazy reference and the metadata that checks need. Imports no torch. To add a data set: its function
in a file of this folder, and its row.

table       DATASETS: the data sets by name
row         DatasetRow, what is known of a data set before it is read; TreeSource and ArraySource
images      ImageData: a data set in memory, as uint8
digits      scikit-learn's handwritten digits, up-sampled
idx         MNIST and its like, from gzipped IDX files
cifar       CIFAR-10, CIFAR-100 and SVHN
trees       trees of image files
names       KINDS: what a prefix stands for, as `folder:PATH`
subset      some classes of a data set as a data set of their own
outside     data sets from outside as arrays
roots       the data root and the cache folder
download    downloading what is missing
files       the files of a data set: which are missing, and their bytes, checked
cache       what was decoded once, kept on disk
errors      DataError: what is wrong with a data set's files
checks      what every data set must be: its labels, classes, mean and standard deviation
splits      stratified choices of images, as tensors
strata      the one rule of such a choice, in NumPy
counts      how many images are held out: the one rounding rule of the split
statistics  mean and standard deviation of uint8 images, exactly
augment     translation and horizontal flip, as one move per image
loader      the resident loader: uint8 on the device, normalised batch by batch
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from bench.datasets.errors import DataError
from bench.datasets.files import files_to_read, read_all
from bench.datasets.names import KINDS, absolute, kind_of, label, one_name
from bench.datasets.roots import data_root, folder_of
from bench.datasets.row import ArraySource, DatasetRow, TreeSource
from bench.datasets.subset.chosen_classes import FORM, classes_named, whole_name
from bench.datasets.table import DATASETS
from bench.messages import nearest
from bench.references import resolved

if TYPE_CHECKING:
    from bench.datasets.images import ImageData

__all__ = [
    "DATASETS",
    "KINDS",
    "ArraySource",
    "DataError",
    "DatasetRow",
    "TreeSource",
    "absolute",
    "check",
    "data_root",
    "fetch",
    "known_rows",
    "label",
    "load",
    "row_of",
]


def load(name: str, root: Path | None = None, content_hash: str = "") -> ImageData:
    """Read a data set, checking its files; downloads nothing, and writes only to the cache of decoded arrays.

    Args:    name: of DATASETS, of a kind of KINDS, or some classes of one of DATASETS, as `cifar10:classes=0-4`.
             root: the data root; None = `data_root(None)`.
             content_hash: what it must have; "" = any.
    Raises:  DataError if `name` is unknown, a file is missing or corrupted, or what it holds is not what its row says,
             or is wanted, or cannot be trained on: one line naming it.
    """
    from bench.datasets.images import check_row
    from bench.datasets.outside.kept import kept

    if content_hash and (data := kept(name, content_hash)) is not None:
        return replace(data, content_hash=content_hash)
    row = row_of(name, root)
    if content_hash and row.content_hash != content_hash:
        raise DataError(
            f"data set {label(name)}: content {row.content_hash[:12]}: must be {content_hash[:12]}, that of the trials"
        )
    read: ImageData = resolved(row.load)(one_name(name), row, folder_of(name, row, root))
    check_row(one_name(name), row, read)
    return replace(read, content_hash=row.content_hash)


def check(name: str, root: Path | None = None) -> None:
    """Check the files of a data set: what `load` would complain about, sooner. Fills the cache of decoded arrays.

    Imports no torch, except to decode the files that only torchvision reads, and to call the `load` of a row without
    `decode` that no test holds, once for the same files.
    Raises: DataError as `load` does.
    """
    row = row_of(name, root)
    if row.content:  # checked as it was read
        return
    folder = folder_of(name, row, root)
    if row.decode:
        from bench.datasets.cache.decoded import prepare

        prepare(one_name(name), row, folder)
    else:
        from bench.datasets.cache.checked import once

        read_all(name, files_to_read(row, folder), row, folder)
        once(name, row, partial(_check_loaded, name, root))


def _check_loaded(name: str, root: Path | None) -> None:
    """Whether the channels have in fact a spread, whatever mean and standard deviation the row's `load` states."""
    from bench.datasets.checks import check_statistics
    from bench.datasets.statistics import mean_std

    images = load(name, root).train_images
    check_statistics(name, *mean_std(images), channels=images.shape[1])


def fetch(name: str, root: Path | None = None) -> None:
    """Download the files of a data set that are missing under `root`; a present file is left as it is.

    Raises: DataError if `name` is unknown or a file cannot be had: one line naming the files expected there.
    """
    if kind_of(name):  # nothing is downloaded: `check` says what is missing
        return
    if name not in DATASETS:
        row_of(name, root)  # raises if there is none
    row = known_rows().get(whole_name(name) or name)
    if row is not None and row.source:
        from bench.datasets.download import download_missing

        download_missing(name, row, data_root(root))


def row_of(name: str, root: Path | None = None) -> DatasetRow:
    """What is known of a data set by its name: any that `load` takes.

    Args:   root: the data root; None = `data_root(None)`.
    Raises: DataError if `name` is unknown, or what is there is no data set that can be trained on.
    """
    if (kind := kind_of(name)) is not None:
        row: DatasetRow = resolve_name(kind.row)(name, root)
        return row
    if whole := whole_name(name):
        from bench.datasets.subset.subset import subset_row

        return subset_row(name, _row_of_table(whole, root))
    return _row_of_table(name, root)


def _row_of_table(name: str, root: Path | None) -> DatasetRow:
    known = DATASETS.get(name)
    if isinstance(known, ArraySource):
        from bench.datasets.outside.objects import row_of_source

        return row_of_source(name, known, root)
    if isinstance(known, TreeSource):
        row: DatasetRow = resolve_name(known.row)(name, root)
        return row
    if known is None:
        if name.partition(":")[0] in DATASETS:
            classes_named(name)  # raises
        raise DataError(nearest("data set", name, [*DATASETS, FORM, *(f"{prefix}:…" for prefix in KINDS)]))
    return known


def known_rows() -> dict[str, DatasetRow]:
    """The rows of DATASETS that need not be read to be known."""
    return {name: row for name, row in DATASETS.items() if isinstance(row, DatasetRow)}


if __name__ != "bench.datasets":  # found as a folder of the checkout
    raise ModuleNotFoundError("No module named 'datasets': import bench.datasets now", name="datasets")
