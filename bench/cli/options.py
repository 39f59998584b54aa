"""From a request's fields to click's options, and from their values to the request.

A request is a frozen dataclass of what one command is asked; each field says how the command line gives it. So a new
option is one field, and whatever uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import partial, wraps
from pkgutil import resolve_name
from typing import Any, Literal, TypeVar

import click

from bench.cli.config.layers import CONFIG, PRESET, settled
from bench.cli.shell.groups import Group, GroupedCommand, GroupedOption

Command = Callable[..., int]
Decorator = Callable[[Command], Command]
Request = TypeVar("Request")
DECORATOR, DECORATORS, BEFORE = "decorator", "decorators", "before"  # keys of a field's metadata


def option(
    flag: str,
    help: str = "",
    *,
    group: Group | Literal[""] = "",
    short: str = "",
    default: Any = None,
    before: str = "",
    **settings: Any,
) -> Any:
    """A field that a flag gives.

    Args: flag: "--rates"; short: "-r", beside it. group: under which the help shows it.
          default: the help shows it, unless it is None, False or empty.
          before: the field before which the help shows this one; "" = at its place in the class.
          settings: click.option's, as `type`.
    """
    flags = [short, flag] if short else [flag]
    if default is not None and default != ():
        settings = {"default": default, "show_default": default is not False and default != "", **settings}
    decorator = partial(_option, flags, help=help, group=group, **settings)
    required = settings.get("required", False)
    return field(default=MISSING if required else default, metadata={DECORATOR: decorator, BEFORE: before})


def argument(**settings: Any) -> Any:
    """A field that the command line gives by its place; `settings` are click.argument's."""
    return field(metadata={DECORATOR: lambda name: click.argument(name, **settings)})


def values_of(decorators: Sequence[Decorator]) -> Any:
    """A field that takes the values of all these options, by name; the help shows them last."""
    return field(default_factory=dict, metadata={DECORATORS: decorators})


def _option(flags: Sequence[str], name: str, **settings: Any) -> Decorator:
    decorator: Decorator = click.option(*flags, name, cls=GroupedOption, **settings)
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


@dataclass(frozen=True)
class CommandRow:
    """A command: its name, what it is asked, and "module:function", called with the request; imported only then."""

    name: str
    request: type[Any]
    action: str
    help: str
    section: str = "Commands"  # of the list of commands
    config: bool = False  # whether it has --preset and --config


def command_of(row: CommandRow) -> click.Command:
    """The command of a row."""

    def call(request: Any) -> int:
        try:
            return int(resolve_name(row.action)(request))
        except KeyboardInterrupt as error:
            raise click.Abort from error  # at which click prints no empty line

    called = takes(row.request)(call)
    command = click.command(row.name, cls=GroupedCommand, section=row.section, help=row.help)
    return command(PRESET(CONFIG(called)) if row.config else called)


def request_of(request: type[Request], context: click.Context) -> Request:
    """The request that a command line makes, once click has read it."""
    values = settled(context)
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
