"""`hf:NAME`: a data set of Hugging Face's `datasets`, from its cache or from a folder. Nothing is downloaded."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.datasets.errors import DataError
from bench.datasets.names import Parsed, label, parse
from bench.datasets.outside.arrays import Given
from bench.datasets.outside.items import arrays_of_items
from bench.datasets.outside.kept import row_of_arrays
from bench.datasets.row import DatasetRow
from bench.datasets.trees.pictures import opened
from bench.messages import nearest, one_line
from bench.search_path import checkout_last

IMAGE, LABEL = ("image", "img"), ("label", "labels", "target")  # what such columns are called, in this order
CHUNK = 256  # rows read at once
TRAIN, TEST = ("train",), ("test", "validation", "valid", "val")


def row(name: str, root: Path | None) -> DatasetRow:
    """The row of the data set, read once in this process.

    Raises: DataError if it is not there, or has not the columns and splits that are needed.
    """
    parsed = parse(name)
    splits = _loaded(label(name), parsed)
    key = (str(parsed), *sorted((split, str(getattr(of, "_fingerprint", of))) for split, of in splits.items()))
    return row_of_arrays(label(name), partial(_read, label(name), parsed, splits), key, memory=str(parsed))


def _read(name: str, parsed: Parsed, splits: Mapping[str, Any]) -> Given:
    train = _chosen(name, "train", parsed.settings, list(splits), TRAIN, "split")
    test = _chosen(name, "test", parsed.settings, list(splits), TEST, "split")
    if train == test:
        raise DataError(f"data set {name}: train and test are both split {train!r}: must be two")
    of_splits = [_items(name, parsed, splits[split]) for split in (train, test)]
    return arrays_of_items(name, of_splits[0], of_splits[1], parsed.side)


def _items(name: str, parsed: Parsed, split: Any) -> _Items:
    library = _library(name)
    columns = split.column_names
    image = _chosen(name, "image", parsed.settings, columns, IMAGE, "column")
    label_column = _chosen(name, "label", parsed.settings, columns, LABEL, "column")
    if not isinstance(split.features[image], library.Image):
        known = [column for column in columns if isinstance(split.features[column], library.Image)]
        raise DataError(
            f"data set {name}: column {image!r} is {split.features[image]}: must be of type Image"
            f"{f', as {known[0]}: hf:NAME:image={known[0]} chooses it' if known else ''}"
        )
    return _Items(split.cast_column(image, library.Image(decode=False)), image, label_column)


@dataclass
class _Items:
    """A split as pairs of image and label, read a chunk of rows at a time."""

    split: Any
    image: str
    label: str
    _start: int = -1
    _chunk: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, position: int) -> tuple[Any, Any]:
        start = position - position % CHUNK
        if start != self._start:
            self._start, self._chunk = start, self.split[start : start + CHUNK]
        image = self._chunk[self.image][position - start]
        content = Path(image["path"]).read_bytes() if image["bytes"] is None else image["bytes"]
        return opened(f"{self.image} of row {position}", content), self._chunk[self.label][position - start]


def _chosen(
    name: str, field: str, settings: Mapping[str, str], known: Sequence[str], usual: Sequence[str], noun: str
) -> str:
    """The column or split that a setting names, else the first of the usual names."""
    if (asked := settings.get(field)) is not None:
        if asked not in known:
            raise DataError(f"data set {name}: {nearest(noun, asked, list(known))}")
        return asked
    present = [usual_name for usual_name in usual if usual_name in known]
    if present:
        return present[0]
    raise DataError(
        f"data set {name}: no {noun} {' or '.join(usual)}, but {', '.join(known)}: hf:NAME:{field}=… chooses one"
    )


def _loaded(name: str, parsed: Parsed) -> Any:
    """Its splits by name, each read row by row."""
    library = _library(name)
    try:
        with _offline(library):
            if parsed.path is not None and _was_saved(parsed.path):
                loaded = library.load_from_disk(str(parsed.path))
            else:
                source = parsed.source if parsed.path is None else str(parsed.path)
                loaded = library.load_dataset(source, parsed.settings.get("config"))
    except Exception as error:
        config = f", {parsed.settings['config']!r}" if "config" in parsed.settings else ""
        fetch = f"datasets.load_dataset({parsed.source!r}{config})"
        hint = "" if parsed.path else f'; `python -c "import datasets; {fetch}"` fetches it'
        raise DataError(f"data set {name}: not in the cache of Hugging Face ({one_line(error)}){hint}") from error
    if not isinstance(loaded, Mapping):
        raise DataError(f"data set {name}: one split: must have one to train and one to test")
    return loaded


def _was_saved(folder: Path) -> bool:
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _library(name: str) -> Any:
    """The package; its name is that of a folder of a checkout, too."""
    checkout_last()
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise DataError(
            f"data set {name}: needs the package datasets (Hugging Face), which is not installed"
        ) from error


@contextmanager
def _offline(library: Any) -> Iterator[None]:
    """Whatever the environment says, the network is not asked in here."""
    import huggingface_hub

    holders = [(library.config, "HF_HUB_OFFLINE"), (huggingface_hub.constants, "HF_HUB_OFFLINE")]
    before = [getattr(holder, attribute, None) for holder, attribute in holders]
    try:
        for holder, attribute in holders:
            setattr(holder, attribute, True)
        yield
    finally:
        for (holder, attribute), value in zip(holders, before, strict=True):
            setattr(holder, attribute, value)
