"""The command that is being carried out, as a user types it; a config file is spelled out, since files change."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Iterator
from typing import Any

import click
from click.core import ParameterSource

from bench.cli.config.config_file import config_options
from bench.cli.config.layers import dropped, from_file, preset_of
from bench.cli.shell.groups import GroupedOption
from bench.masking import masked

PROGRAM = ("python", "-m", "bench")


def command_text() -> str:
    """The command, as it is stored: it says the same whatever becomes of the config file, and nothing secret."""
    context = click.get_current_context(silent=True)
    if context is None or not from_file(context):
        words = sys.argv[1:]
    else:
        words = [str(context.command.name), *given_flags(context)]
    return shlex.join([*PROGRAM, *map(masked, words)])


def given_flags(context: click.Context, but: Collection[str] = ()) -> list[str]:
    """What the command line and the config file give, as flags and values; without the options `but`."""
    given = from_file(context).keys() - dropped(context).keys()
    flags: list[str] = []
    for option in config_options(context.command):
        name = str(option.name)
        value = preset_of(context) if name == "preset" else context.params.get(name)
        is_given = name in given or context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if name not in but and value is not None and (is_given or name == "preset"):
            flags += _flags(option, value)
    return flags


def _flags(option: GroupedOption, value: Any) -> Iterator[str]:
    flag = f"--{option.long_name}"
    if option.is_flag:
        yield from [flag] if value else option.secondary_opts
    elif option.multiple:
        for item in value:
            yield from (flag, str(item))
    elif option.flag_value == value:  # its value may be left out
        yield flag
    else:
        yield from (flag, str(value))
