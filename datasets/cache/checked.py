"""Which data sets were once loaded and found fit, remembered: the same files are not loaded to see a second time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.datasets.roots import cached

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow

TESTED = ("digits", "mnist", "fashion-mnist")  # a test loads them, so that no driver need import torch for it
CHECKS = 1  # raise it when more is checked


def once(name: str, row: DatasetRow, check: Callable[[], None]) -> None:
    """Call `check`, unless it has passed for the same row: its files' md5s say what it was loaded from.

    A row without files is checked each time.
    """
    if name in TESTED:
        return
    memory = cached(name, f"{CHECKS} {row}").with_suffix(".checked")
    if row.files and memory.exists():
        return
    check()
    if row.files:
        with suppress(OSError):  # then it is checked again the next time
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.touch()
