"""Which value of an option counts: that of the command line, else of the config file, else of the preset.

A value that belongs to another field (see `FieldRow.owner`) is dropped where a layer above gives that field: the
learning rate of a preset's SGD is none of Adam's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bench.cli.config.config_file import read_config
from bench.cli.shell.groups import GroupedOption
from bench.cli.shell.values import Name, PathType, presets
from bench.messages import nearest, usage_errors
from bench.trial.protocol import ROWS

FILE, GIVEN_PRESET = "bench.config", "bench.preset"  # keys of a context's `meta`


def from_file(context: click.Context) -> Mapping[str, Any]:
    """What the config file says, by parameter; nothing without one."""
    values: Mapping[str, Any] = context.meta.get(FILE, {})
    return values


def _take_config(context: click.Context, option: click.Parameter, file: Path | None) -> Path | None:
    """Give the other options the values of a file."""
    with usage_errors():
        context.meta[FILE] = read_config(file, context.command) if file is not None else {}
        _settle(context)
    return file


def _take_preset(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Give the other options the defaults of a preset."""
    with usage_errors():
        context.meta[GIVEN_PRESET] = name
        _settle(context)
    return name


def _settle(context: click.Context) -> None:
    """The defaults of the file and of the preset, once click has come to either of the two."""
    file = from_file(context)
    preset = _preset(preset_of(context), context.command)
    owned = {name for name, row in ROWS.items() if row.owner in file}
    context.default_map = {**{name: value for name, value in preset.items() if name not in owned}, **file}


def preset_of(context: click.Context) -> str | None:
    """The preset that the command line names, else the one that the file names."""
    name: str | None = context.meta.get(GIVEN_PRESET) or from_file(context).get("preset")
    return name


def _preset(name: str | None, command: click.Command) -> dict[str, Any]:
    """What a preset gives to the options of a command.

    Raises: ValueError if there is no such preset, or it gives what the command has no option for.
    """
    if name is None:
        return {}
    from bench.cli.presets import PRESETS

    if name not in PRESETS:
        raise ValueError(nearest("preset", name, list(PRESETS)))
    values = PRESETS[name].options()
    if lacking := [value.replace("_", "-") for value in values if value not in {p.name for p in command.params}]:
        raise ValueError(f"preset {name!r} with {command.name}: gives {', '.join(lacking)}; must give its options only")
    if command.name == "tune":
        values.pop("seeds", None)  # a preset's are those that are reported
    return values


def settled(context: click.Context) -> dict[str, Any]:
    """Parameter -> the value that counts, once click has read the command line."""
    return {**context.params, **dropped(context)}


def dropped(context: click.Context) -> dict[str, Any]:
    """The plain defaults of the options that a lower layer gave and that belong to one the command line gives."""
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
    cls=GroupedOption,
    group="what",
    type=Name(presets),
    is_eager=True,
    expose_value=False,
    callback=_take_preset,
    help="Take the protocol of a paper for defaults; see `list presets`.",
)
CONFIG = click.option(
    "--config",
    cls=GroupedOption,
    group="command",
    type=PathType(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_take_config,
    help="Read options from this TOML file; the command line wins.",
)
