"""Downloading from a real server, on this machine."""

import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torchvision.datasets import MNIST

from bench.datasets import DataError, fetch, load
from bench.datasets.download import DOWNLOADING

FIRST = "Tiny/raw/train-images.gz"


def tree(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}


def test_fetch_downloads_what_is_missing_from_the_mirror_that_works(
    tiny: SimpleNamespace, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corrupted").mkdir()
    (tmp_path / "corrupted" / Path(FIRST).name).write_bytes(b"not it")
    mirrors = [f"{server}/nowhere/", f"{server}/corrupted/", f"{server}/data/Tiny/raw/"]
    monkeypatch.setattr(MNIST, "mirrors", mirrors)
    target = tmp_path / "new" / "root"
    shutil.copytree(tiny.root / "Tiny", target / "Tiny", ignore=shutil.ignore_patterns("train-*"))
    present = {path: time for path, time in tree(target).items() if path.endswith(".gz")}
    fetch("tiny", target)
    assert present.items() <= tree(target).items()
    assert sorted(p.name for p in (target / "Tiny/raw").iterdir()) == sorted(Path(p).name for p in tiny.row.files)
    assert torch.equal(load("tiny", target).train_images, load("tiny", tiny.root).train_images)
    assert socket.getdefaulttimeout() is None


def test_fetch_of_present_files_needs_no_mirror_and_writes_nothing(
    tiny: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MNIST, "mirrors", [])
    before = tree(tiny.root)
    fetch("tiny", tiny.root)
    fetch("digits", tiny.root)
    assert tree(tiny.root) == before


def test_impossible_download_names_the_files_to_bring(
    tiny: SimpleNamespace, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MNIST, "mirrors", [f"{server}/nowhere/"])
    with pytest.raises(DataError, match=r"^data set tiny: cannot download ") as error:
        fetch("tiny", tmp_path / "new")
    assert "\n" not in str(error.value)
    for path, md5 in tiny.row.files.items():
        assert f"{tmp_path / 'new' / path} (md5 {md5})" in str(error.value)
    assert not [p for p in (tmp_path / "new").rglob("*") if p.is_file()]


def test_unwritable_root_is_one_line(
    tiny: SimpleNamespace, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MNIST, "mirrors", [f"{server}/data/Tiny/raw/"])
    (tmp_path / "file").touch()  # a root below a file cannot be made, not even by a privileged user
    with pytest.raises(
        DataError, match=r"^data set tiny: cannot download \(NotADirectoryError: .*\); expected are "
    ) as error:
        fetch("tiny", tmp_path / "file" / "root")
    assert str(tmp_path / "file" / "root" / FIRST) in str(error.value)


def test_what_a_killed_download_left_is_removed_in_time(
    tiny: SimpleNamespace, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MNIST, "mirrors", [f"{server}/data/Tiny/raw/"])
    for name in (f"{DOWNLOADING}killed", f"{DOWNLOADING}running", ".bench-other"):
        (tmp_path / "Tiny/raw" / name).mkdir(parents=True)
        if name != f"{DOWNLOADING}running":
            os.utime(tmp_path / "Tiny/raw" / name, (0, 0))
    fetch("tiny", tmp_path)
    left = {path.name for path in (tmp_path / "Tiny/raw").iterdir() if path.is_dir()}
    assert left == {f"{DOWNLOADING}running", ".bench-other"}
