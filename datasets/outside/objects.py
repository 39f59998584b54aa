"""What a plug-in's function or class gives: arrays by name, or a training and a test set, image by image. No torch.

Arrays: a mapping, or an object with attributes, of train_images, train_labels, test_images and test_labels, as NumPy's
or torch's; `layout` if that of the images is not plain. Or ((x, y), (x, y)), as Keras has it. Or two data sets of
torch's kind, with a length and (image, label) at each index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from bench.datasets.errors import DataError
from bench.datasets.outside.arrays import KERAS, NAMES, Given, named
from bench.datasets.outside.items import arrays_of_items
from bench.datasets.outside.kept import row_of_arrays
from bench.datasets.roots import data_root, folder_of
from bench.datasets.row import ArraySource, DatasetRow
from bench.references import resolved

FORMS = (
    f"an object or a mapping with {', '.join(NAMES)}; ((x, y), (x, y)) of arrays; or two data sets of (image, label)"
)


def source_of(value: Any) -> ArraySource:
    """The source that a value of a plug-in's DATASETS means.

    Raises: ValueError if it is none.
    """
    if isinstance(value, ArraySource):
        return value
    if isinstance(value, DatasetRow):
        return ArraySource(value=value, default_model=value.default_model, note=value.note)
    pair = isinstance(value, tuple | list) and len(value) == 2
    if not (
        callable(value) or pair or isinstance(value, Mapping) or any(hasattr(value, key) for key in (*NAMES, *KERAS))
    ):
        raise ValueError(
            f"{type(value).__name__}: must be a DatasetRow, {FORMS}; or a function or class that gives one"
        )
    return ArraySource(value=value)


def row_of_source(name: str, source: ArraySource, root: Path | None) -> DatasetRow:
    """The row of a data set of a plug-in, which is called once in this process."""
    folder = data_root(root)
    key = ("plug-in", name, source, str(folder))
    return row_of_arrays(name, partial(_read, name, source, folder), key, default_model=source.default_model)


def _read(name: str, source: ArraySource, root: Path) -> Given:
    """What the source gives; an error of ours is told as it is, whatever guards the code."""
    errors: list[DataError] = []

    def read() -> Given:
        try:
            return given_by(name, called(name, source.value, root))
        except DataError as error:
            errors.append(error)
            return {}

    given: Given = resolved(source.guard)(name, read)
    if errors:
        raise errors[0]
    return given


def unguarded(name: str, read: Callable[[], Any]) -> Any:
    """What `read` gives."""
    return read()


def called(name: str, value: Any, root: Path) -> Any:
    """What a row, a function or a class gives; it is called with the data root if it takes an argument."""
    if isinstance(value, DatasetRow):
        return _of_row(name, value, root)
    if not callable(value):
        return value
    return value(root) if any(_required(value)) else value()


def _of_row(name: str, row: DatasetRow, root: Path) -> Given:
    """The images that the `load` of a row gives, checked against it."""
    from bench.datasets.images import check_row

    data = resolved(row.load)(name, row, folder_of(name, row, root))
    check_row(name, row, data)
    return {**{key: _array(getattr(data, key)) for key in NAMES}, "layout": "NCHW"}


def _required(value: Any) -> Iterator[bool]:
    """For each parameter, whether it is to be given: without default, or called root."""
    try:
        parameters = [*signature(value).parameters.values()]
    except (TypeError, ValueError):  # of a function of C
        return
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield parameter.default is parameter.empty or parameter.name == "root"


def given_by(name: str, value: Any) -> Given:
    """The arrays of a value of one of FORMS.

    Raises: DataError naming what is wrong with it.
    """
    if isinstance(value, tuple | list) and len(value) == 2:
        if all(isinstance(split, tuple | list) and len(split) == 2 and _is_array(split[0]) for split in value):
            (train_images, train_labels), (test_images, test_labels) = value
            return dict(zip(NAMES, map(_array, (train_images, train_labels, test_images, test_labels)), strict=True))
        if all(hasattr(split, "__getitem__") and hasattr(split, "__len__") for split in value):
            return arrays_of_items(name, *value)
    if not isinstance(value, Mapping):
        keys = (*NAMES, *KERAS, "layout")
        value = {key: getattr(value, key) for key in keys if hasattr(value, key)}
        if not value:
            raise DataError(f"data set {name}: must give {FORMS}")
    return {key: item if key == "layout" else _array(item) for key, item in named(name, value).items()}


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "shape")


def _array(value: Any) -> Any:
    """An array of NumPy, also of what torch has."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value
