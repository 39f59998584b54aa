"""The table of data sets, its identity and the folders of its files."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torchvision.datasets import CIFAR10, CIFAR100, MNIST, SVHN, FashionMNIST

from bench.datasets import DATASETS, DataError, data_root, load
from bench.datasets.cache.checked import TESTED
from bench.models import MODELS

# They may not move while the arrays stay the same: they are part of every run key.
CONTENT_HASHES = {
    "digits": "10735b43ecf1019cc37203e34f52d8e53626ee64247412cb61179fa96bac955f",
    "mnist": "31568e23e7317b5d6872a83bdcb2709f0e04610e5601e602de173cf867fcd3a3",
    "fashion-mnist": "dd05c748264569bb56c07cc7bd7154f6b3e7bf6fbf8fb0f76f3937f281ac7019",
    "cifar10": "2c4058eadb4ef3e48cdaedef6dc3d9d7ceed8ca93aedb168db55f36f4f2b8f06",
    "cifar100": "72f771287a5cca07f887e1c612b4c74cd0c9febcd413a9c33eff715e88ab6fb0",
    "svhn": "edb88a6151790173da564241f845bed837548779656800c17b086898d2aeac27",
}
loaded = cache(load)
needs_files = pytest.mark.skipif(not os.environ.get("BENCH_DATA_ROOT"), reason="BENCH_DATA_ROOT is not set")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[needs_files] * (n != "digits")) for n in (*TESTED, "cifar10")])
def test_row_says_what_is_loaded(name: str) -> None:
    row, data = DATASETS[name], loaded(name)
    for images, labels, count in (
        (data.train_images, data.train_labels, row.train),
        (data.test_images, data.test_labels, row.test),
    ):
        assert images.shape == (count, *row.image_shape)
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert torch.equal(labels.unique(), torch.arange(row.classes))
    assert row.smallest_class == int(data.train_labels.bincount().min())
    for channel, (mean, std) in enumerate(zip(data.mean, data.std, strict=True)):
        pixels = data.train_images[:, channel].int()
        average, square = (int(values.sum()) / pixels.numel() for values in (pixels, pixels.square()))
        assert mean == pytest.approx(average / 255, abs=1e-12)
        assert std == pytest.approx((square - average**2) ** 0.5 / 255, abs=1e-12)
    assert (data.name, data.classes) == (name, row.classes)


@needs_files
def test_mnist_mean_and_std_are_the_well_known_ones() -> None:
    data = loaded("mnist")
    assert (round(data.mean[0], 4), round(data.std[0], 4)) == (0.1307, 0.3081)
    assert torch.bincount(data.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@needs_files
def test_cifar10_mean_and_std_are_the_well_known_ones() -> None:
    data = loaded("cifar10")
    assert [round(mean, 4) for mean in data.mean] == [0.4914, 0.4822, 0.4465]
    assert [round(std, 4) for std in data.std] == [0.2470, 0.2435, 0.2616]
    assert data.train_labels.bincount().tolist() == [5000] * 10


@pytest.mark.parametrize(("name", "theirs"), [("mnist", MNIST), ("fashion-mnist", FashionMNIST)])
def test_files_are_torchvisions(name: str, theirs: type[MNIST]) -> None:
    expected = {f"{theirs.__name__}/raw/{file}": md5 for file, md5 in theirs.resources}
    assert list(DATASETS[name].files.items()) == list(expected.items())


@pytest.mark.parametrize(("name", "theirs"), [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_python_versions_are_torchvisions(name: str, theirs: type[CIFAR10]) -> None:
    row = DATASETS[name]
    meta = (theirs.meta["filename"], theirs.meta["md5"])
    expected = {f"{theirs.base_folder}/{file}": md5 for file, md5 in (*theirs.train_list, *theirs.test_list, meta)}
    assert dict(row.instead or row.files) == expected


def test_svhn_is_torchvisions() -> None:
    assert dict(DATASETS["svhn"].files) == {SVHN.split_list[s][1]: SVHN.split_list[s][2] for s in ("train", "test")}


@pytest.mark.parametrize("name", DATASETS)
def test_default_model_fits(name: str) -> None:
    row = DATASETS[name]
    assert MODELS[row.default_model].takes(row.image_shape)


@pytest.mark.parametrize("name", CONTENT_HASHES)
def test_content_hash(name: str) -> None:
    row = DATASETS[name]
    path, *_ = row.files
    assert row.content_hash == CONTENT_HASHES[name]
    assert replace(row, files=dict(reversed(row.files.items()))).content_hash == row.content_hash
    assert replace(row, note="reworded", instead={"other": "0" * 32}).content_hash == row.content_hash
    changed = [replace(row, version=2), replace(row, side=64), replace(row, files={**row.files, path: "0" * 32})]
    assert row.content_hash not in {other.content_hash for other in changed}


def test_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA_ROOT", str(tmp_path / "named"))
    assert data_root(tmp_path / "root") == tmp_path / "root"
    assert data_root() == tmp_path / "named"
    monkeypatch.chdir(tmp_path)
    assert data_root(Path("relative")) == tmp_path / "relative"
    monkeypatch.delenv("BENCH_DATA_ROOT")
    assert data_root().name == "freeze-or-prune"
    assert data_root().is_absolute()


def test_unknown_data_set_names_the_known_and_the_nearest() -> None:
    with pytest.raises(DataError, match=r"^unknown data set 'minst': must be one of digits, .*; did you mean mnist\?$"):
        load("minst")


def test_listing_imports_no_torch() -> None:
    code = "import sys; from bench.datasets import DATASETS; DATASETS['mnist'].content_hash"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)
