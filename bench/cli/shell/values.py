"""Types of options whose values are names: the shell completes them, from tables that import no torch.

A user's own names are not known here, so that no value is refused: what reads the option does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bench.disk import expanded

Known = Callable[[], Iterable[str]]  # the names to offer


def nothing() -> tuple[str, ...]:
    """No name is known."""
    return ()


def methods() -> Iterable[str]:
    """The methods, those of installed plug-ins included."""
    from importlib.metadata import entry_points

    from bench.methods import METHODS

    return [*METHODS, *(point.name for point in entry_points(group="bench.methods"))]


def models() -> Iterable[str]:
    """The networks."""
    from bench.models import MODELS

    return MODELS


def datasets() -> Iterable[str]:
    """The data sets."""
    from bench.datasets import DATASETS

    return DATASETS


def starts() -> Iterable[str]:
    """What trials may start from, of what has a name."""
    from bench.trial.start import PREFIX, SCRATCH

    return [SCRATCH, *(PREFIX + name for name in datasets())]


def presets() -> Iterable[str]:
    """The protocols of the papers."""
    from bench.cli.presets import PRESETS

    return PRESETS


def rates() -> Iterable[str]:
    """The standard grid."""
    from bench.trial.grammar import GRID

    return map(str, GRID)


def trackers() -> Iterable[str]:
    """What `run` writes its results to."""
    from bench.storage.tracking.trackers import TRACKERS

    return TRACKERS


def parts() -> Iterable[str]:
    """The parts of the table."""
    from bench.names import PARTS

    return PARTS


def metrics() -> Iterable[str]:
    """The metrics that a table shows."""
    from bench.metrics import final

    return final()


class PathType(click.Path):
    """A path; "~" and "~user" mean home folders also where a shell leaves them, as behind `--output=`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click's, once no file could have another name."""
        try:
            path = expanded(Path(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return super().convert(str(path) if str(value).startswith("~") else value, param, ctx)


class OneOf(click.Choice[str]):
    """One of a few words; any other is told with the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """As click's, with the nearest."""
        close = get_close_matches(str(value), list(self.choices), n=1, cutoff=0.5)
        said = super().get_invalid_choice_message(value, ctx)
        return f"{said.rstrip('.')}; did you mean {close[0]}?" if close else said


class Device(OneOf):
    """A device. One that is known and not trained on is no other word: what reads the option says why."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As click's, but for such a device."""
        from bench.execution.devices import ACCELERATORS

        return str(value) if value in ACCELERATORS else super().convert(value, param, ctx)


class Name(click.ParamType):  # type: ignore[type-arg]
    """One name."""

    name = "name"

    def __init__(self, known: Known = nothing) -> None:
        self.known = known

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so."""
        return [CompletionItem(name) for name in self.known() if name.startswith(incomplete)]


class DataSet(Name):
    """The name of a data set, perhaps with classes of it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so; behind the colon of one, how its classes are chosen."""
        if ":" not in incomplete:
            return super().shell_complete(ctx, param, incomplete)
        choices = (f"{name}:classes=" for name in self.known())
        return [CompletionItem(choice) for choice in choices if choice.startswith(incomplete)]


class CommaList(click.ParamType):  # type: ignore[type-arg]
    """A comma list of names or numbers; its value is the text."""

    name = "list"

    def __init__(self, known: Known = nothing, *, single: str = "{}") -> None:
        """`single` makes a list of one item, if the item alone would mean something else."""
        self.known, self.single = known, single

    def text_of(self, items: Sequence[str]) -> str:
        """The text that means these items."""
        return self.single.format(items[0]) if len(items) == 1 else ",".join(items)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The lists that go on with a name not yet in them."""
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{before}{comma}{name}")
            for name in self.known()
            if name.startswith(last) and name not in before.split(",")
        ]
