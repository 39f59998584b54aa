"""Some classes of a data set as a data set of their own. Imports no torch, except to read one that keeps no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.datasets.cache.array_folder import Arrays
from bench.datasets.cache.decoded import decoded, put
from bench.datasets.errors import DataError
from bench.datasets.row import DatasetRow
from bench.datasets.subset.chosen_classes import classes_named, whole_name
from bench.references import resolved


def subset_row(name: str, whole: DatasetRow) -> DatasetRow:
    """The row of `NAME:classes=LIST`: the images of these classes, in their order, with labels from 0 on, rising.

    Args:   whole: the row of NAME.
    Raises: DataError if it has no such classes, if they are fewer than two or all, or if it does not say how many
            images each class has.
    """
    classes = classes_named(name)
    if not (whole.train_classes and whole.test_classes):
        raise DataError(f"data set {name!r}: classes of data from outside cannot be chosen; must be of a built-in one")
    if classes[-1] >= whole.classes:
        raise DataError(f"data set {name!r}: class {classes[-1]}: must be 0 to {whole.classes - 1}")
    if not 2 <= len(classes) < whole.classes:
        raise DataError(f"data set {name!r}: {len(classes)} of {whole.classes} classes: must be 2 or more, and not all")
    train = tuple(whole.train_classes[number] for number in classes)
    test = tuple(whole.test_classes[number] for number in classes)
    return replace(
        whole,
        classes=len(classes),
        train=sum(train),
        test=sum(test),
        smallest_class=min(train),
        train_classes=train,
        test_classes=test,
        load=DatasetRow.load,
        decode="bench.datasets.subset.subset:decode",
        whole=whole,
        chosen=classes,
    )


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Fill `arrays` with the images of the chosen classes.

    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    assert row.whole is not None
    every = _arrays_of(whole_name(name), row.whole, root)
    for split in ("train", "test"):
        labels = every[f"{split}_labels"]
        chosen = np.isin(labels, row.chosen)
        renumbered = np.searchsorted(row.chosen, labels[chosen])
        put(name, row, arrays, split, every[f"{split}_images"][chosen], renumbered)


def _arrays_of(name: str, row: DatasetRow, root: Path) -> Arrays:
    if row.decode:
        return decoded(name, row, root).arrays
    from bench.datasets.images import check_row

    data = resolved(row.load)(name, row, root)
    check_row(name, row, data)
    splits = {"train": (data.train_images, data.train_labels), "test": (data.test_images, data.test_labels)}
    return {
        f"{split}_{part}": array
        for split, (images, labels) in splits.items()
        for part, array in (("images", images.permute(0, 2, 3, 1).numpy()), ("labels", labels.numpy()))
    }
