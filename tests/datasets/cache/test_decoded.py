"""Which files the cache of decoded arrays serves, and what happens if it cannot be written."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.datasets import DATASETS, DataError, DatasetRow, check, load
from bench.datasets.files import md5_of


@pytest.fixture
def small(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, DatasetRow]:
    """The data set "small" in CIFAR-10's binary version, of 4 training and 3 test images of 2 × 2: its root and row."""
    root, files = tmp_path / "data", {}
    (root / "small").mkdir(parents=True)
    for name, images in (("data_batch_1", 4), ("test_batch", 3)):
        records = np.random.RandomState(images).randint(0, 100, (images, 13)).astype(np.uint8)
        records[:, 0] = np.arange(images) % 3
        (root / f"small/{name}.bin").write_bytes(records.tobytes())
        files[f"small/{name}.bin"] = md5_of(records.tobytes())
    sizes = {"image_shape": (3, 2, 2), "classes": 3, "train": 4, "test": 3, "smallest_class": 1}
    row = replace(DATASETS["cifar10"], **sizes, files=files, instead={})  # type: ignore[arg-type]
    monkeypatch.setitem(DATASETS, "small", row)
    return root, row


def headers(cache: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in cache.rglob("header.json")}


def test_the_second_time_is_served_from_the_cache(small: tuple[Path, DatasetRow], own_cache: Path) -> None:
    root, _ = small
    assert headers(own_cache) == {}
    check("small", root)
    written = headers(own_cache)
    assert len(written) == 1
    first = load("small", root)
    for path in (root / "small").iterdir():  # as large and as old as before, so it is not read again
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = load("small", root)
    assert torch.equal(again.train_images, first.train_images)
    assert headers(own_cache) == written


def test_a_touched_file_is_read_again(small: tuple[Path, DatasetRow], own_cache: Path) -> None:
    root, _ = small
    check("small", root)
    written = headers(own_cache)
    os.utime(root / "small/test_batch.bin", (1, 1))
    check("small", root)
    assert headers(own_cache).keys() == written.keys()
    assert headers(own_cache) != written


def test_nothing_is_written_under_the_data_root(small: tuple[Path, DatasetRow]) -> None:
    root, _ = small
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    load("small", root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_where_the_cache_cannot_be_written_a_warning_says_so(
    small: tuple[Path, DatasetRow], own_cache: Path, tmp_path: Path
) -> None:
    root, _ = small
    expected = load("small", root)
    for path in sorted(own_cache.parents[1].rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    own_cache.parents[1].rmdir()
    (tmp_path / "cache").touch()  # a folder below a file cannot be made, not even by a privileged user
    with pytest.warns(UserWarning, match="cannot be kept, so each process decodes data set small: "):
        data = load("small", root)
    assert torch.equal(data.train_images, expected.train_images)
    assert (data.mean, data.std) == (expected.mean, expected.std)


def test_check_imports_no_torch(small: tuple[Path, DatasetRow]) -> None:
    root, row = small
    code = (
        "import sys; from bench import datasets; from pathlib import Path; from dataclasses import replace;"
        f"row = replace(datasets.DATASETS['cifar10'], image_shape=(3, 2, 2), classes=3, train=4, test=3,"
        f" smallest_class=1, files={dict(row.files)}, instead={{}});"
        f"datasets.DATASETS['small'] = row; datasets.check('small', Path({str(root)!r}));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "XDG_CACHE_HOME": str(root.parent)})


def test_some_classes_are_kept_beside_the_whole(
    small: tuple[Path, DatasetRow], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, row = small
    monkeypatch.setitem(DATASETS, "small", replace(row, train_classes=(2, 1, 1), test_classes=(1, 1, 1)))
    check("small:classes=0,2", root)
    written = headers(own_cache)
    assert sorted(name.rpartition("-")[0] for name in written) == ["small", "small:classes=0,2"]
    assert load("small:classes=0,2", root).train_labels.tolist() == [0, 1, 0]
    assert headers(own_cache) == written
    file = root / "small/data_batch_1.bin"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, (1, 1))
    with pytest.raises(DataError, match=f"^{file}: corrupted"):
        load("small:classes=0,2", root)
