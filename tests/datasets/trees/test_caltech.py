"""Caltech-101 in torchvision's layout, on a tiny tree of that layout."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import Caltech101

from bench.datasets import DataError, check, fetch, load, row_of
from bench.datasets.trees.caltech import CATEGORIES
from bench.datasets.trees.pictures import fitted

IMAGES = {"accordion": 10, "Faces": 6, "BACKGROUND_Google": 3, "ant": 7}


@pytest.fixture
def root(tmp_path: Path, own_cache: Path) -> Path:
    """A data root with the images of IMAGES, of several sizes, one of them grey."""
    for number, (name, images) in enumerate(IMAGES.items()):
        folder = tmp_path / "data" / "caltech101" / CATEGORIES / name
        folder.mkdir(parents=True)
        for index in range(1, images + 1):
            random = np.random.RandomState(100 * number + index)
            pixels = random.randint(0, 256, (70 + index, 90, 3)).astype(np.uint8)
            grey = name == "ant" and index == 2
            Image.fromarray(pixels[..., 0] if grey else pixels).save(folder / f"image_{index:04d}.jpg")
    return tmp_path / "data"


def test_classes_and_images_are_torchvisions(root: Path) -> None:
    check("caltech101", root)
    data, row, theirs = load("caltech101", root), row_of("caltech101", root), Caltech101(str(root))
    assert theirs.categories == ["Faces", "accordion", "ant"]
    assert (row.classes, row.train, row.test, row.image_shape) == (3, 18, 5, (3, 64, 64))
    assert (row.train_classes, row.test_classes, row.smallest_class) == ((5, 8, 5), (1, 2, 2), 5)
    ours = Counter()
    for split in ("train", "test"):
        for image, number in zip(getattr(data, f"{split}_images"), getattr(data, f"{split}_labels"), strict=True):
            ours[image.permute(1, 2, 0).numpy().tobytes(), int(number)] += 1
    images = (theirs[index] for index in range(len(theirs)))
    expected = ((np.asarray(fitted(image.convert("RGB"), (64, 64))).tobytes(), number) for image, number in images)
    assert ours == Counter(expected)
    assert data.train_labels.bincount().tolist() == [5, 8, 5] and data.test_labels.bincount().tolist() == [1, 2, 2]


def test_the_same_images_are_held_out_wherever_the_tree_lies(root: Path, tmp_path: Path) -> None:
    first = load("caltech101", root)
    content_hash = row_of("caltech101", root).content_hash
    root.rename(tmp_path / "moved")
    again = load("caltech101", tmp_path / "moved")
    assert torch.equal(first.test_images, again.test_images)
    assert row_of("caltech101", tmp_path / "moved").content_hash == content_hash
    (image,) = (tmp_path / "moved").rglob("Faces/image_0006.jpg")
    image.unlink()
    assert row_of("caltech101", tmp_path / "moved").content_hash != content_hash


def test_its_classes_can_be_chosen(root: Path) -> None:
    check("caltech101", root)
    check("caltech101:classes=0,2", root)
    data, whole = load("caltech101:classes=0,2", root), load("caltech101", root)
    assert data.train_labels.tolist() == 5 * [0] + 5 * [1]
    assert torch.equal(data.train_images, whole.train_images[whole.train_labels != 1])


def test_what_is_missing_is_told_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    fetch("caltech101", tmp_path)
    for folder in (None, "ant", "BACKGROUND_Google"):
        if folder:
            (tmp_path / "caltech101" / CATEGORIES / folder).mkdir(parents=True)
        with pytest.raises(DataError) as error:
            check("caltech101", tmp_path)
        assert str(error.value) == (
            f"data set caltech101: {tmp_path / 'caltech101' / CATEGORIES}: must have a folder of images for each class;"
            f' `python -c "import torchvision; torchvision.datasets.Caltech101({str(tmp_path)!r}, download=True)"`'
            " fetches them"
        )


def test_check_imports_no_torch(root: Path) -> None:
    code = f"import sys, pathlib; from bench import datasets; datasets.check('caltech101', pathlib.Path('{root}'))"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)
