"""Caltech-101 as torchvision lays it out: `caltech101/101_ObjectCategories/CLASS/*.jpg` under the data root. No torch.

It has no test set of its own: a stratified fifth of the images, the same for every trial, is held out.
Source: L. Fei-Fei, R. Fergus and P. Perona, Learning Generative Visual Models from Few Training Examples, 2004.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets.cache.array_folder import Arrays
from bench.datasets.cache.hashes import md5s
from bench.datasets.counts import validation_count
from bench.datasets.errors import DataError
from bench.datasets.roots import data_root
from bench.datasets.row import DatasetRow
from bench.datasets.strata import stratified_indices
from bench.datasets.trees.folder import class_names, fill, images_in

CATEGORIES = "101_ObjectCategories"
BACKGROUND = "BACKGROUND_Google"  # a folder of images that is no class, as torchvision says too
SIDE = 64  # pixels that every image is resized and cropped to
TEST_FRACTION = 0.2
TEST_SEED = 0  # the test images are the same for every trial


def row(name: str, root: Path | None) -> DatasetRow:
    """The row of what lies there; the content hash covers the files' names and contents.

    Raises: DataError if there are no images of two classes: one line saying how to get them.
    """
    folder = data_root(root) / "caltech101"
    classes = [category for category in class_names(folder, CATEGORIES) if category != BACKGROUND]
    if len(classes) < 2:
        fetch = f"torchvision.datasets.Caltech101({str(folder.parent)!r}, download=True)"
        raise DataError(
            f"data set {name}: {folder / CATEGORIES}: must have a folder of images for each class;"
            f' `python -c "import torchvision; {fetch}"` fetches them'
        )
    paths = images_in(folder, CATEGORIES, classes)
    labels = _labels(paths)
    test = np.zeros(len(paths), bool)
    held_out = validation_count(len(paths), TEST_FRACTION)
    test[stratified_indices(labels, held_out, np.random.RandomState(TEST_SEED))] = True
    train_classes, test_classes = (np.bincount(labels[part], minlength=len(classes)) for part in (~test, test))
    return DatasetRow(
        image_shape=(3, SIDE, SIDE),
        classes=len(classes),
        train=len(paths) - held_out,
        test=held_out,
        smallest_class=int(train_classes.min()),
        train_classes=tuple(train_classes.tolist()),
        test_classes=tuple(test_classes.tolist()),
        default_model="resnet20",
        files=md5s(folder, [paths[index] for part in (~test, test) for index in np.flatnonzero(part)]),
        folder=str(folder),
        side=SIDE,
        decode="bench.datasets.trees.caltech:decode",
    )


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Fill `arrays` from the image files of a row made by `row`: first those to train on.

    Raises: DataError naming the first file that is no image.
    """
    fill(name, row, root, files, _labels(files).tolist(), arrays)


def _labels(paths: Iterable[str]) -> NDArray[np.int64]:
    """The class of each image, as an index of the sorted names of the classes."""
    names = [path.split("/")[1] for path in paths]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
