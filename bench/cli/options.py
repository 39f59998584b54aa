"""From a request's fields to click's options, and from their values to the request.

A request is a frozen dataclass of what one command is asked; each field says how the command line gives it. So a new
option is one field, and whatever uses it.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import partial, wraps
from pkgutil import resolve_name
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from bench.messages import nearest
from bench.trial.protocol import ROWS

Command = Callable[..., int]
Decorator = Callable[[Command], Command]
Request = TypeVar("Request")
DECORATOR, DECORATORS, BEFORE = "decorator", "decorators", "before"  # keys of a field's metadata


def option(
    flag: str, help: str = "", *, short: str = "", default: Any = None, before: str = "", **settings: Any
) -> Any:
    """A field that a flag gives.

    Args: flag: "--rates"; short: "-r", beside it. default: the help shows it, unless it is None, False or empty.
          before: the field before which the help shows this one; "" = at its place in the class.
          settings: click.option's, as `type`.
    """
    flags = [short, flag] if short else [flag]
    if default is not None and default != ():
        settings = {"default": default, "show_default": default is not False and default != "", **settings}
    decorator = partial(_option, flags, help=help, **settings)
    required = settings.get("required", False)
    return field(default=MISSING if required else default, metadata={DECORATOR: decorator, BEFORE: before})


def argument(**settings: Any) -> Any:
    """A field that the command line gives by its place; `settings` are click.argument's."""
    return field(metadata={DECORATOR: lambda name: click.argument(name, **settings)})


def values_of(decorators: Sequence[Decorator]) -> Any:
    """A field that takes the values of all these options, by name; the help shows them last."""
    return field(default_factory=dict, metadata={DECORATORS: decorators})


def _option(flags: Sequence[str], name: str, **settings: Any) -> Decorator:
    decorator: Decorator = click.option(*flags, name, **settings)
    return decorator


def takes(request: type[Request]) -> Callable[[Callable[[Request], int]], Command]:
    """Give a command the options of a request, and call it with the request that they make."""

    def add(command: Callable[[Request], int]) -> Command:
        @wraps(command)
        def call(**_: Any) -> int:
            return command(request_of(request, click.get_current_context()))

        decorated: Command = call
        for decorator in reversed(_decorators(request)):
            decorated = decorator(decorated)
        return decorated

    return add


def command_text() -> str:
    """The command that is being carried out, as a user types it."""
    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


@dataclass(frozen=True)
class CommandRow:
    """A command: its name, what it is asked, and "module:function", called with the request; imported only then."""

    name: str
    request: type[Any]
    action: str
    help: str
    preset: bool = False  # whether it has --preset


def command_of(row: CommandRow) -> click.Command:
    """The command of a row."""

    def call(request: Any) -> int:
        return int(resolve_name(row.action)(request))

    called = takes(row.request)(call)
    return click.command(row.name, help=row.help)(PRESET(called) if row.preset else called)


def request_of(request: type[Request], context: click.Context) -> Request:
    """The request that a command line makes, once click has read it."""
    values = {**context.params, **without_owner(context)}
    single = {f.name: values.pop(f.name) for f in _fields(request) if DECORATOR in f.metadata}
    return request(**single, **{f.name: values for f in _fields(request) if DECORATORS in f.metadata})


def _fields(request: type[Any]) -> Sequence[Any]:
    return fields(request)


def _decorators(request: type[Any]) -> list[Decorator]:
    """The options of a request, in the order in which the help shows them."""
    singles = [f for f in _fields(request) if DECORATOR in f.metadata]
    ordered = [f for f in singles if not f.metadata.get(BEFORE)]
    for moved in (f for f in singles if f.metadata.get(BEFORE)):
        ordered.insert([f.name for f in ordered].index(moved.metadata[BEFORE]), moved)
    groups = [decorator for f in _fields(request) for decorator in f.metadata.get(DECORATORS, ())]
    return [*(f.metadata[DECORATOR](f.name) for f in ordered), *groups]


def _take_preset(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Give the other options the defaults of a preset."""
    from bench.cli.presets import PRESETS

    if name is not None:
        if name not in PRESETS:
            raise click.UsageError(nearest("preset", name, list(PRESETS)))
        given = {**(context.default_map or {}), **PRESETS[name].options()}
        if context.info_name == "tune":
            given.pop("seeds", None)  # a preset's are those that are reported
        context.default_map = given
    return name


def without_owner(context: click.Context) -> dict[str, Any]:
    """The plain defaults of the options that a preset gave and that belong to one the user gave."""
    source, defaults = context.get_parameter_source, {p.name: p.default for p in context.command.params}
    plain = str, int, float, bool  # click marks "no default" by a value of another type
    return {
        name: defaults[name] if isinstance(defaults[name], plain) else None
        for name, row in ROWS.items()
        if row.owner
        and source(row.owner) is ParameterSource.COMMANDLINE
        and source(name) is ParameterSource.DEFAULT_MAP
    }


PRESET = click.option(
    "--preset",
    is_eager=True,
    expose_value=False,
    callback=_take_preset,
    help="The protocol of a paper for defaults; see `list presets`.",
)
