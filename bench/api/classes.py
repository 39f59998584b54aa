"""How many classes a data set has, which says what chance is, and how many test images."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bench import datasets, names
from bench.datasets import DataError
from bench.datasets.subset.chosen_classes import whole_name

if TYPE_CHECKING:
    import pandas as pd


def classes_of(frame: pd.DataFrame) -> dict[str, int]:
    """Data set -> number of classes, of those we know and those in the store."""
    stored = frame.dropna(subset=names.CLASSES).groupby("dataset")[names.CLASSES].first()
    return {
        **{name: row.classes for name, row in datasets.known_rows().items()},
        **{str(name): int(classes) for name, classes in stored.items()},
    }


def test_sizes(frame: pd.DataFrame) -> dict[str, int]:
    """Data set -> number of test images, of those we know and of those in the store that are classes of these."""
    sizes = {name: row.test for name, row in datasets.known_rows().items()}
    for name in map(str, frame["dataset"].unique()):
        if whole_name(name) in sizes:
            with suppress(DataError):  # a store can hold names of another version
                sizes[name] = datasets.row_of(name).test
    return sizes
