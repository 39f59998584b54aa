"""The names of data sets that are some classes of another: `NAME:classes=LIST`, as `cifar10:classes=0-4`. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bench.datasets.errors import DataError
from bench.messages import nearest

FORM = "NAME:classes=LIST"
LIST = "numbers of classes and ranges of them, as 0-4,7"
NAME = re.compile(r"([^:]+):(\w+)=(.*)", re.DOTALL)
ITEM = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


def whole_name(name: str) -> str:
    """The data set of whose classes `name` has some; "" if it is not such a name.

    >>> whole_name("cifar10:classes=0-4"), whole_name("cifar10")
    ('cifar10', '')
    """
    match = NAME.fullmatch(name)
    return match[1] if match else ""


def classes_named(name: str) -> tuple[int, ...]:
    """The classes that a name of this kind lists, rising.

    >>> classes_named("mnist:classes=7,0-2")
    (0, 1, 2, 7)

    Raises: DataError if it does not list each once, as LIST says.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise DataError(f"data set {name!r}: must be {FORM}, as cifar10:classes=0-4")
    _, field, items = match.groups()
    if field != "classes":
        raise DataError(f"data set {name!r}: {nearest('field', field, ['classes'])}")
    classes = sorted(number for item in items.split(",") for number in _range(name, item.strip()))
    for one, other in pairwise(classes):
        if one == other:
            raise DataError(f"data set {name!r}: class {one} twice: must be listed once")
    return tuple(classes)


def canonical(name: str) -> str:
    """The one name of the same classes, however they are listed; any other name as it is.

    >>> canonical("cifar10:classes=4,0,1,2,7"), canonical("mnist")
    ('cifar10:classes=0-2,4,7', 'mnist')
    """
    whole = whole_name(name)
    return f"{whole}:classes={_listed(classes_named(name))}" if whole else name


def _range(name: str, item: str) -> Iterable[int]:
    match = ITEM.fullmatch(item)
    if match is None or int(match[1]) > int(match[2] or match[1]):
        raise DataError(f"data set {name!r}: classes {item!r}: must be {LIST}")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _listed(classes: Sequence[int]) -> str:
    breaks = [index for index in range(1, len(classes)) if classes[index] != classes[index - 1] + 1]
    runs = [classes[first:end] for first, end in pairwise([0, *breaks, len(classes)])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
