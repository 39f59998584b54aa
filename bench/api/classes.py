"""How many classes a data set has, which says what chance is, and how many test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import datasets, names

if TYPE_CHECKING:
    import pandas as pd


def classes_of(frame: pd.DataFrame) -> dict[str, int]:
    """Data set -> number of classes, of those we know and those in the store."""
    stored = frame.dropna(subset=names.CLASSES).groupby("dataset")[names.CLASSES].first()
    return {
        **{name: row.classes for name, row in datasets.known_rows().items()},
        **{str(name): int(classes) for name, classes in stored.items()},
    }


def test_sizes() -> dict[str, int]:
    """Data set -> number of test images, of those we know."""
    return {name: row.test for name, row in datasets.known_rows().items()}
