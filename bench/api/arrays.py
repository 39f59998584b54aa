"""A data set that is a pair of arrays: kept as files in the cache, from which every process loads it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets import DatasetRow
from bench.datasets.errors import DataError
from bench.datasets.files import md5_of, missing, read_all
from bench.datasets.roots import cached
from bench.disk import write_whole
from bench.trial.outside import add, outside_row
from bench.trial.plugins import check_name

if TYPE_CHECKING:
    from bench.datasets.images import ImageData

Pair = tuple[tuple[Any, Any], tuple[Any, Any]]  # ((x_train, y_train), (x_test, y_test)): arrays of NumPy or torch
PAIR = "((x_train, y_train), (x_test, y_test))"
FILES = ("train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy")
CHANNELS = (1, 3)
LOAD = f"{__name__}:load"
SMALL = (1, 28, 28)


def named_arrays(data: object) -> str:
    """The name of a data set of arrays, which is put into the table: that of a mapping {name: pair}, or of its content.

    Raises: ValueError in one line if they are no arrays to train on, or the name is another data set's.
    """
    name, pair = next(iter(data.items())) if isinstance(data, Mapping) and len(data) == 1 else ("", data)
    arrays = _arrays(name, pair)
    contents = {file: _npy(array) for file, array in zip(FILES, arrays, strict=True)}
    md5s = {file: md5_of(content) for file, content in contents.items()}
    name = str(name) or f"arrays-{md5_of(repr(md5s).encode())[:12]}"
    check_name(name, f"data set {name!a}")
    folder = cached(name, repr(md5s))
    for file in missing(md5s, folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / file, contents[file])
    row = outside_row("DATASETS", name, _row(name, arrays, md5s, folder), origin := f"{LOAD}:{name}")
    add([row], origin)
    return name


def _row(name: str, arrays: tuple[NDArray[Any], ...], md5s: Mapping[str, str], folder: Path) -> DatasetRow:
    train_images, train_labels, test_images, _ = arrays
    counts = np.bincount(train_labels)
    shape: Any = tuple(int(size) for size in train_images.shape[1:])
    return DatasetRow(
        image_shape=shape,
        classes=len(counts),
        train=len(train_images),
        test=len(test_images),
        smallest_class=int(counts.min()),
        default_model="lenet-300-100" if shape == SMALL else "resnet20",
        files=md5s,
        folder=str(folder),
        load=LOAD,
        note="arrays given to `bench.compare`",
    )


def _arrays(name: str, pair: object) -> tuple[NDArray[Any], ...]:
    """Images uint8 [N,C,H,W] and labels int64 [N], of training and test."""
    subject = f"data {name}".strip()
    try:
        (x_train, y_train), (x_test, y_test) = pair  # type: ignore[misc]
    except (TypeError, ValueError):
        must = f"must be a name, {PAIR} of arrays, or a mapping of one name to these"
        raise ValueError(f"{subject} of {type(pair).__name__}: {must}") from None
    train, test = (_split(subject, *split) for split in (("train", x_train, y_train), ("test", x_test, y_test)))
    if train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError(f"{subject}: test images of shape {test[0].shape[1:]}: must be {train[0].shape[1:]}")
    return (*train, *test)


def _split(subject: str, split: str, x: object, y: object) -> tuple[NDArray[Any], NDArray[Any]]:
    images, labels = _numpy(x), _numpy(y)
    if images.dtype != np.uint8:
        advice = ", as (255 * x).round().astype('uint8') of 0 to 1" if images.dtype.kind == "f" else ""
        raise ValueError(f"{subject}: x_{split} of {images.dtype}: must be uint8, pixels of 0 to 255{advice}")
    if labels.dtype.kind not in "iu" or labels.size != len(labels) or len(labels) != len(images):
        actual = f"{labels.dtype} of shape {labels.shape}"
        raise ValueError(f"{subject}: y_{split} {actual}: must be whole numbers of shape ({len(images)},)")
    if not len(images) or labels.min() < 0:
        raise ValueError(f"{subject}: {split}: must be at least one image, and labels of 0 and above")
    return _channels_first(f"{subject}: x_{split}", images), labels.reshape(-1).astype(np.int64)


def _numpy(array: Any) -> NDArray[Any]:
    return np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)


def _channels_first(subject: str, images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim == 3:
        return np.ascontiguousarray(images[:, None])
    if images.ndim == 4 and images.shape[1] in CHANNELS:
        return np.ascontiguousarray(images)
    if images.ndim == 4 and images.shape[3] in CHANNELS:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    raise ValueError(f"{subject} of shape {images.shape}: must be [N,H,W], [N,C,H,W] or [N,H,W,C], C 1 or 3")


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def load(name: str, row: DatasetRow, root: Path) -> ImageData:
    """The arrays in `root`. Raises DataError if a file is missing or damaged."""
    import torch

    from bench.datasets.images import ImageData
    from bench.datasets.statistics import mean_std

    try:
        arrays = [np.load(io.BytesIO(content)) for content in read_all(name, row.files, root)]
    except DataError as error:
        raise DataError(f"{error}; give the arrays again") from error
    train_images, train_labels, test_images, test_labels = map(torch.from_numpy, arrays)
    mean, std = mean_std(train_images)
    return ImageData(
        name=name, classes=row.classes, train_images=train_images, train_labels=train_labels, test_images=test_images,
        test_labels=test_labels, mean=mean, std=std,
    )  # fmt: skip
