"""Downloading what is missing."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from datasets.errors import DataError
from datasets.files import expected, missing

if TYPE_CHECKING:
    from datasets import DatasetRow

TIMEOUT_SECONDS = 60.0  # without a byte; torchvision sets none, and a firewall that drops packets would hang the run


def download_missing(name: str, row: DatasetRow, root: Path) -> None:
    """Download the missing files of `row` under `root`, from the first mirror that gives the right md5.

    Raises: DataError if one cannot be had or written: one line with the files to put there by hand.
    """
    lacking = missing(row.files, root)
    if not lacking:
        return
    module, _, owner = row.mirrors.partition(":")
    mirrors: list[str] = getattr(importlib.import_module(module), owner).mirrors
    for path in lacking:
        if failure := _from_any(mirrors, root / path, row.files[path]):
            wanted = expected(row.files, missing(row.files, root), root)
            raise DataError(f"data set {name}: cannot download ({failure}); expected are {wanted}")


def _from_any(mirrors: list[str], path: Path, md5: str) -> str:
    """Try the mirrors in turn; what went wrong with the last of them, "" if nothing."""
    failure = "no mirror is known"
    for mirror in mirrors:
        try:
            _download(mirror + path.name, path, md5)
        except (OSError, RuntimeError, HTTPException) as error:
            failure = " ".join(f"{type(error).__name__}: {error}".split())
        else:
            return ""
    return failure


def _download(url: str, path: Path, md5: str) -> None:
    """Elsewhere first: no other process ever sees half a file, and a failure leaves no folder behind."""
    from torchvision.datasets.utils import download_url

    there = next(folder for folder in path.parents if folder.is_dir())
    with TemporaryDirectory(prefix=".bench-", dir=there) as folder, _timeout(TIMEOUT_SECONDS):
        download_url(url, folder, path.name, md5)
        path.parent.mkdir(parents=True, exist_ok=True)
        (Path(folder) / path.name).replace(path)


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
