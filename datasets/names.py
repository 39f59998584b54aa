"""Data sets whose name says where they are: `folder:PATH`, `npz:PATH`, `torchvision:NAME`, `hf:NAME`. Imports no torch.

A name is PREFIX:SOURCE, perhaps with settings (`:field=value`) and a side (`@64`). KINDS is the one table of prefixes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.datasets.errors import DataError
from bench.datasets.files import readable
from bench.datasets.subset.chosen_classes import canonical
from bench.disk import absolute as home_resolved
from bench.messages import nearest

SIDE = "SIDE 1 to 9999 resizes and crops every image"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What stands behind a prefix."""

    row: str  # "module:function", called with the name and the data root, that gives the DatasetRow
    form: str  # how a name is written, in a message
    note: str  # one line for the listing
    is_source: Callable[[Path], bool] | None = None  # whether a path is one; None = SOURCE is no path
    only_paths: bool = True  # whether SOURCE must be such a path; if not, another SOURCE is a name
    settings: tuple[str, ...] | None = ()  # that a name can have; None = any
    side: bool = True  # whether it can have @SIDE


KINDS: Mapping[str, Kind] = {
    "folder": Kind(
        row="bench.datasets.trees.folder:row", is_source=Path.is_dir,
        form="folder:PATH or folder:PATH@SIDE, PATH a folder, SIDE 1 to 9999",
        note="a folder of image files: train/ and test/ or val/, in each a folder per class",
    ),
    "npz": Kind(
        row="bench.datasets.outside.npz:row", is_source=Path.is_file, side=False,
        form="npz:PATH, PATH a file",
        note="a file of NumPy's with train_images, train_labels, test_images and test_labels, uint8 images",
    ),
    "torchvision": Kind(
        row="bench.datasets.outside.torchvision_class:row", settings=None,
        form=f"torchvision:NAME, torchvision:NAME:field=value or torchvision:NAME@SIDE; {SIDE}",
        note="a class of torchvision.datasets, of what lies under the data root",
    ),
    "hf": Kind(
        row="bench.datasets.outside.hugging_face:row", is_source=Path.is_dir, only_paths=False,
        settings=("config", "image", "label", "train", "test"),
        form=f"hf:NAME, hf:NAME:field=value or hf:NAME@SIDE; {SIDE}",
        note="a data set of Hugging Face that is in its cache, or one that save_to_disk wrote",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A name, taken apart; its path is absolute if it has one."""

    prefix: str
    source: str
    path: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    side: int = 0  # 0 = as the images are

    def __str__(self) -> str:
        source = self.source if self.path is None else str(self.path)
        settings = "".join(f":{name}={value}" for name, value in self.settings.items())
        return f"{self.prefix}:{source}{settings}{f'@{self.side}' if self.side else ''}"


def kind_of(name: str) -> Kind | None:
    """What stands behind the name's prefix; None if it has none of KINDS."""
    prefix, colon, _ = name.partition(":")
    return KINDS.get(prefix) if colon else None


def parse(name: str) -> Parsed:
    """Take a name of a kind of KINDS apart.

    Raises: DataError if it is not written as its kind is, or its path is none.
    """
    prefix, _, rest = name.partition(":")
    kind = KINDS[prefix]
    wrong = DataError(f"data set {name!r}: must be {kind.form}")
    match = re.fullmatch(r"(.+?)(?:@([1-9]\d{0,3}))?" if kind.side else "(.+)()?", rest, re.DOTALL)
    if match is None:
        raise wrong
    source, *settings = re.split(r":(?=\w+=)", match[1]) if kind.settings != () else [match[1]]
    pairs = dict(setting.split("=", 1) for setting in settings)
    for setting in pairs if kind.settings is not None else ():
        if setting not in kind.settings:  # type: ignore[operator]
            raise DataError(f"data set {name!r}: {nearest('field', setting, list(kind.settings or ()))}")
    try:
        path = _path(kind, source)
    except ValueError as error:
        raise DataError(f"data set {name!r}: {error}") from error
    if not source or (path is None and kind.is_source is not None and kind.only_paths):
        raise wrong
    return Parsed(prefix=prefix, source=source, path=path, settings=pairs, side=int(match[2] or 0))


def _path(kind: Kind, source: str) -> Path | None:
    """The absolute path that the source is, if it is one of the kind's."""
    if kind.is_source is None or not source:
        return None
    path = Path(os.path.normpath(home_resolved(Path(source))))  # without "..": the last component is a name
    with readable(path):
        return path if kind.is_source(path) else None


def absolute(name: str) -> str:
    """The same name for a process that works elsewhere: with its path, if it has one, absolute."""
    return str(parse(name)) if kind_of(name) else name


def one_name(name: str) -> str:
    """The name by which all that mean the same classes of a data set are called; any other as it is."""
    return name if kind_of(name) else canonical(name)


def label(name: str) -> str:
    """What a trial calls the data set: of a path only the last component, wherever that lies; of classes one list.

    >>> label("folder:/usr/../usr@64"), label("mnist"), label("mnist:classes=2,0,1")
    ('folder:usr@64', 'mnist', 'mnist:classes=0-2')
    """
    if not kind_of(name):
        return one_name(name)
    parsed = parse(name)
    return str(parsed if parsed.path is None else replace(parsed, path=Path(parsed.path.name)))
