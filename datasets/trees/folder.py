"""A tree of image files as a data set: train/ and test/ or val/, in each a folder per class. Imports no torch.

Layout, order of classes and images, and conversion to RGB are those of torchvision's ImageFolder. The layout in which
Tiny ImageNet is published is read too: one folder of test images, whose classes val/val_annotations.txt has.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.datasets.cache.array_folder import Arrays
from bench.datasets.cache.hashes import md5s
from bench.datasets.errors import DataError
from bench.datasets.files import contents, is_file, readable
from bench.datasets.names import parse
from bench.datasets.row import DatasetRow
from bench.datasets.trees.pictures import pixels_of, size_of
from bench.datasets.trees.walk import files_below, folders_in

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")  # torchvision's
NAMED = 3  # classes in an error
ANNOTATIONS = "val/val_annotations.txt"  # a line per image: its name, its class and more, between tabs


def row(name: str, root: Path | None = None) -> DatasetRow:
    """The row of `folder:PATH`: what lies there. With @SIDE every image is resized and cropped to SIDE × SIDE pixels.

    The content hash covers the files' names below PATH and their contents, and SIDE; not PATH itself.
    Raises: DataError if the tree does not have the layout above: one line saying what is missing.
    """
    parsed = parse(name)
    folder, side = parsed.path or Path(), parsed.side
    classes = class_names(folder, "train")
    if not classes:
        raise DataError(f"data set {name!r}: {folder / 'train'} has no folder of a class")
    if len(classes) == 1:  # whatever is trained then has an accuracy of 100 %
        raise DataError(
            f"data set {name!r}: {folder / 'train'} has the folder of one class, {classes[0]}: must be 2 or more"
        )
    train, test = images_in(folder, "train", classes), _held_out(folder, classes)
    height, width = (side, side) if side else size_of(folder / train[0])
    return DatasetRow(
        image_shape=(3, height, width),
        classes=len(classes),
        train=len(train),
        test=len([path for path in test if path != ANNOTATIONS]),
        smallest_class=min(Counter(path.split("/")[1] for path in train).values()),
        default_model="resnet20",
        files=md5s(folder, [*train, *test]),
        folder=str(folder),
        side=side,
        decode="bench.datasets.trees.folder:decode",
    )


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Fill `arrays` from the image files of a row made by `row`: first those of train/.

    Raises: DataError naming the first file that is no image, or is of another size than the first.
    """
    fill(name, row, root, files, classes_of(root, [path for path in files if path != ANNOTATIONS]), arrays)


def fill(
    name: str, row: DatasetRow, root: Path, files: Mapping[str, str], labels: Sequence[int], arrays: Arrays
) -> None:
    """Fill `arrays` from image files, first those to train on, and from the class of each.

    Raises: DataError naming the first file that is no image, or is of another size than the first.
    """
    pixels = (arrays["train_images"], arrays["test_images"])
    for index, (path, content) in enumerate(zip(files, contents(name, files, row, root), strict=True)):
        if path != ANNOTATIONS:
            test = index >= row.train
            pixels[test][index - row.train * test] = pixels_of(root / path, content, row)
    arrays["train_labels"][:], arrays["test_labels"][:] = labels[: row.train], labels[row.train :]


def classes_of(folder: Path, paths: Iterable[str]) -> list[int]:
    """The class of each image, as an index of the sorted names of the classes.

    Raises: DataError if val_annotations.txt does not say it.
    """
    numbers = {name: number for number, name in enumerate(class_names(folder, "train"))}
    annotations = _annotations(folder) if is_file(folder / ANNOTATIONS) else {}
    names = []
    for path in paths:
        _, name, *_, file = path.split("/")
        if name not in numbers:
            name = annotations.get(file, "")
        if name not in numbers:
            raise DataError(f"{folder / path}: {ANNOTATIONS} names no class of train/ for it")
        names.append(name)
    return [numbers[name] for name in names]


def _annotations(folder: Path) -> dict[str, str]:
    with readable(folder / ANNOTATIONS):
        content = (folder / ANNOTATIONS).read_bytes()
    lines = os.fsdecode(content).splitlines()  # as the names of files are
    return {image: name for image, name, *_ in (line.split("\t") for line in lines if line.count("\t"))}


def _held_out(folder: Path, classes: list[str]) -> list[str]:
    """The files of the test images: those in test/, else in val/, whichever has the classes of train/."""
    for split in ("test", "val"):
        if class_names(folder, split) == classes:
            return images_in(folder, split, classes)
    if is_file(folder / ANNOTATIONS):
        return [*images_in(folder, "val", class_names(folder, "val")), ANNOTATIONS]
    differences = "; ".join(_difference(folder, split, classes) for split in ("test", "val"))
    raise DataError(
        f"{folder}: neither test/ nor val/ has the {len(classes)} folders of the classes in train/: {differences}"
    )


def _difference(folder: Path, split: str, classes: list[str]) -> str:
    """Which classes a split lacks, and which of its folders are none: "test/ lacks 'dog' and has 'dgo'"."""
    if not os.path.lexists(folder / split):
        return f"there is no {split}/"
    present = class_names(folder, split)
    lacking = [repr(name) for name in classes if name not in present]
    others = [repr(name) for name in present if name not in classes]
    said = {"lacks": lacking, "has": others}
    return f"{split}/ {' and '.join(f'{verb} {_first(names)}' for verb, names in said.items() if names)}"


def _first(names: list[str]) -> str:
    """The first of many names, and how many others there are."""
    others = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {others} more" if others > 0 else "")


def class_names(folder: Path, split: str) -> list[str]:
    """The names of the folders of a split, sorted; none if there is no such split.

    Raises: DataError naming what cannot be read.
    """
    return folders_in(folder / split)


def images_in(folder: Path, split: str, classes: list[str]) -> list[str]:
    """The images of a split, relative to the folder, in torchvision's order.

    Raises: DataError naming a class that has none, or what cannot be read.
    """
    images = []
    for name in classes:
        start = folder / split / name
        paths = files_below(start, EXTENSIONS)
        if not paths:
            raise DataError(f"{start}: has no image; read are {', '.join(EXTENSIONS)}")
        images += [path.relative_to(folder).as_posix() for path in paths]
    return images
