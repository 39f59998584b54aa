"""Arrays from outside, kept on disk by their content, and what is known of a file that was read. Imports no torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.canonical import key_of
from bench.datasets.cache.array_folder import DecodedArrays, in_memory, open_arrays, stored_statistics, write_arrays
from bench.datasets.checks import check_statistics
from bench.datasets.errors import DataError
from bench.datasets.outside.arrays import Arrays, Given, arrays_of, content_of
from bench.datasets.roots import cached
from bench.datasets.row import DatasetRow
from bench.disk import write_whole

if TYPE_CHECKING:
    from bench.datasets.images import ImageData

Read = Callable[[], Given]
VERSION = 1  # raise it if more is checked, or the layout changes
COMMON = {(1, 28, 28): "lenet-5-caffe-relu"}  # image shape -> the model of a data set that names none
OTHERWISE = "resnet20"

_rows: dict[Any, DatasetRow] = {}  # what this process has read
_arrays: dict[str, DecodedArrays] = {}  # content hash -> arrays that could not be kept on disk


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a row says of arrays."""

    content: str
    image_shape: tuple[int, int, int]
    classes: int
    train: int
    test: int
    smallest_class: int


def row_of_arrays(name: str, read: Read, key: Any, *, memory: str = "", default_model: str = "") -> DatasetRow:
    """The row of what `read` gives, which is read once.

    Args:   key: what tells it from everything else that this process reads; with its version, as a file's time.
            memory: where the facts are remembered from process to process, a path or name; "" = nowhere.
    Raises: DataError if it is no data set that can be trained on.
    """
    if key not in _rows:
        stamp = key_of({"version": VERSION, "key": str(key)})
        facts = _remembered(memory, stamp) if memory else None
        if facts is None:
            facts = _keep(name, arrays_of(name, read()))
            if memory:
                _remember(memory, stamp, facts)
        _rows[key] = DatasetRow(
            **asdict(facts),
            default_model=default_model or COMMON.get(facts.image_shape, OTHERWISE),
            files={},
            load=partial(load, read),
        )
    return _rows[key]


def load(read: Read, name: str, row: DatasetRow, root: Path) -> ImageData:
    """The images of a row of `row_of_arrays`: as they are kept, else read again."""
    data = kept(name, row.content_hash)
    if data is None:
        facts = _keep(name, arrays_of(name, read()))
        if facts.content != row.content:
            raise DataError(f"data set {name}: changed since it was looked at; must stay as it is")
        data = kept(name, row.content_hash)
    if data is None:
        raise DataError(f"data set {name}: what was kept of it was removed just now; the same command reads it again")
    return data


def kept(name: str, content_hash: str) -> ImageData | None:
    """The images of that content hash, as this machine keeps them; None if it does not."""
    stored = _arrays.get(content_hash) or open_arrays(_folder(content_hash), content_hash)
    if stored is None:
        return None
    from bench.datasets.images import of_arrays

    return of_arrays(name, int(stored.arrays["train_labels"].max()) + 1, stored)


def _keep(name: str, arrays: Arrays) -> Facts:
    """Keep the arrays, on disk if possible, and return what is known of them."""
    content = content_of(arrays)
    content_hash = DatasetRow.hash_of_content(content)
    shapes = {key: (array.shape, array.dtype) for key, array in arrays.items()}
    folder = _folder(content_hash)
    statistics = stored_statistics(folder, content_hash)
    if statistics is None:
        fill = partial(_fill, arrays)
        try:
            write_arrays(folder, content_hash, shapes, fill)
        except OSError as error:
            warnings.warn(f"{folder}: cannot be kept, so each process reads data set {name}: {error}", stacklevel=2)
            _arrays[content_hash] = in_memory(shapes, fill)
            statistics = _arrays[content_hash].mean, _arrays[content_hash].std
        statistics = statistics or stored_statistics(folder, content_hash)
    if statistics is None:
        raise DataError(f"data set {name}: {folder} cannot be read again")
    height, width, channels = arrays["train_images"].shape[1:]
    check_statistics(name, *statistics, channels=channels)
    counts = np.bincount(arrays["train_labels"])
    return Facts(
        content=content,
        image_shape=(channels, height, width),
        classes=len(counts),
        train=len(arrays["train_images"]),
        test=len(arrays["test_images"]),
        smallest_class=int(counts.min()),
    )


def _fill(arrays: Arrays, target: Arrays) -> None:
    for key, array in arrays.items():
        target[key][:] = array


def _folder(content_hash: str) -> Path:
    return cached("arrays", content_hash)


def _file(memory: str) -> Path:
    return cached("facts", memory).with_suffix(".json")


def _remembered(memory: str, stamp: str) -> Facts | None:
    """What was noted of it, if the arrays are still there."""
    try:
        noted = json.loads(_file(memory).read_text())
        facts = Facts(**{**noted["facts"], "image_shape": tuple(noted["facts"]["image_shape"])})
        same: bool = noted["stamp"] == stamp
    except (OSError, ValueError, KeyError, TypeError):
        return None
    content_hash = DatasetRow.hash_of_content(facts.content)
    return facts if same and stored_statistics(_folder(content_hash), content_hash) is not None else None


def _remember(memory: str, stamp: str, facts: Facts) -> None:
    file = _file(memory)
    with suppress(OSError):  # then it is read again the next time
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"stamp": stamp, "facts": asdict(facts)}).encode())
