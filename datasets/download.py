"""Downloading what is missing, from the addresses that torchvision knows."""

from __future__ import annotations

import socket
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.datasets.errors import DataError
from bench.datasets.files import expected, files_to_read, missing
from bench.disk import remove_abandoned
from bench.messages import one_line

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow

DOWNLOADING = ".bench-download-"  # prefix of a folder that is downloaded to
TIMEOUT_SECONDS = 60.0  # without a byte; torchvision sets none, and a firewall that drops packets would hang the run


def download_missing(name: str, row: DatasetRow, root: Path) -> None:
    """Download the missing files of `row` under `root`: each by itself, or out of the archive that holds them all.

    Raises: DataError if one cannot be had or written: one line with the files to put there by hand.
    """
    if not missing(files_to_read(row, root), root):
        return
    if failure := _fetch(resolve_name(row.source), row.instead or row.files, root):
        files = files_to_read(row, root)
        wanted = expected(files, missing(files, root), root)
        raise DataError(f"data set {name}: cannot download ({failure}); expected are {wanted}")


def _fetch(owner: Any, files: Mapping[str, str], root: Path) -> str:
    """What went wrong, "" if nothing. A class of torchvision has an archive, or addresses of the single files."""
    lacking = missing(files, root)
    if hasattr(owner, "tgz_md5"):
        return _attempt([owner.url], partial(_unpack, owner.tgz_md5, lacking, root))
    failures = (_attempt(_addresses(owner, path), partial(_download, root / path, files[path])) for path in lacking)
    return next(filter(None, failures), "")


def _addresses(owner: Any, path: str) -> list[str]:
    """MNIST and its like name the folders that mirror theirs; SVHN names the address of each file."""
    name = Path(path).name
    if hasattr(owner, "mirrors"):
        return [mirror + name for mirror in owner.mirrors]
    return [url for url, file, _ in owner.split_list.values() if file == name]


def _attempt(urls: list[str], download: Callable[[str], None]) -> str:
    """Try the addresses in turn; what went wrong with the last of them, "" if nothing."""
    failure = "no address is known"
    for url in urls:
        try:
            download(url)
        except (OSError, RuntimeError, HTTPException, tarfile.TarError) as error:
            failure = one_line(error)
        else:
            return ""
    return failure


def _download(path: Path, md5: str, url: str) -> None:
    from torchvision.datasets.utils import download_url

    with _elsewhere(path.parent) as folder, _timeout(TIMEOUT_SECONDS):
        download_url(url, folder, path.name, md5)
        path.parent.mkdir(parents=True, exist_ok=True)
        (folder / path.name).replace(path)


def _unpack(md5: str, paths: list[str], root: Path, url: str) -> None:
    """Download an archive, and keep of it only the files at `paths`."""
    from torchvision.datasets.utils import download_url, extract_archive

    with _elsewhere(root) as folder, _timeout(TIMEOUT_SECONDS):
        download_url(url, folder, "archive.tar.gz", md5)
        extract_archive(folder / "archive.tar.gz", folder)
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).replace(root / path)


@contextmanager
def _elsewhere(target: Path) -> Iterator[Path]:
    """A folder to write in first: no other process ever sees half a file, and a failure leaves no folder behind."""
    there = next(folder for folder in (target, *target.parents) if folder.is_dir())
    remove_abandoned(there, DOWNLOADING)
    with TemporaryDirectory(prefix=DOWNLOADING, dir=there) as folder:
        yield Path(folder)


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
