"""A config file: TOML whose keys are the long names of a command's options, flat or in the sections of the help.

Paths in it are relative to the working folder, as on the command line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from bench.cli.shell.groups import SECTIONS, GroupedOption, grouped_options
from bench.cli.shell.values import CommaList
from bench.messages import nearest, shortened

NUMBERS = {"integer": ((int,), "a whole number"), "float": ((int, Decimal), "a number")}  # by click's name of the type


def read_config(path: Path, command: click.Command) -> dict[str, Any]:
    """Parameter -> value, of what a file says of a command's options.

    Raises: ValueError, in one line, if it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text, parse_float=Decimal)  # a rate is its decimal text
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"config {path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"config {path}: no TOML: {error}") from error
    by_name = {option.long_name: option for option in config_options(command)}
    values = {}
    for section, key, value in _items(content):
        where = f"config {path}, line {_line(text, section, key)}"
        try:
            option = _option(section, key, by_name, str(command.name))
            if option.name in values:
                raise ValueError(f"{key}: stands in two sections; must stand in one")
            values[str(option.name)] = _value(option, value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return values


def config_options(command: click.Command) -> list[GroupedOption]:
    """The options that a file can give: those that say what is trained and how, not what to do with this command."""
    return [option for option in grouped_options(command) if option.group in SECTIONS]


def _items(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(section, key, value); the section of a flat key is ""."""
    for key, value in content.items():
        if key in SECTIONS and isinstance(value, dict):
            yield from ((key, inner, value[inner]) for inner in value)
        else:
            yield "", key, value


def _line(text: str, section: str, key: str) -> int:
    """The line of a file on which a key stands; the first if it is written in an unusual way."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]", line):
            current = header[1].strip("\"'")
            if not section and current.partition(".")[0] == key:
                return number
        stripped = re.match(r"""\s*(["']?)(.+?)\1\s*[=.]""", line)
        if stripped and current == section and stripped[2] == key:
            return number
    return 1


def _option(section: str, key: str, by_name: Mapping[str, GroupedOption], command: str) -> GroupedOption:
    """The option that a key of a section names."""
    if key in by_name:
        option = by_name[key]
        if section in ("", option.group):
            return option
        raise ValueError(f"{key} in section [{section}]: must be in section [{option.group}], or above all sections")
    known = [name for name, option in by_name.items() if section in ("", option.group)]
    close = get_close_matches(key, [*known, *by_name, *([] if section else SECTIONS)], n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    place = f" in section [{section}]" if section else ""
    raise ValueError(f"unknown key {shortened(key, 40)!r}{place}: must be a long option of `{command}`{hint}")


def _value(option: GroupedOption, value: Any) -> Any:
    """The value of an option as click takes it."""
    name, kind = option.long_name, option.type
    if option.is_flag:
        return _checked(name, value, (bool,), "true or false")
    if option.multiple:
        return [_checked(name, item, (str,), "text, or an array of it") for item in _listed(value)]
    if isinstance(kind, CommaList):
        words = "text, a number, or an array of these"
        items = [str(_checked(name, item, (str, int, Decimal), words)) for item in _listed(value)]
        return kind.text_of(items) if isinstance(value, list) else items[0]
    if isinstance(kind, click.Choice):
        chosen = _checked(name, value, (str,), "text")
        if chosen not in kind.choices:
            raise ValueError(nearest(name, chosen, [str(choice) for choice in kind.choices]))
        return chosen
    if kind.name in NUMBERS:
        types, words = NUMBERS[kind.name]
        number = _checked(name, value, types, words)
        return number if isinstance(number, int) else float(number)
    return _checked(name, value, (str,), "text")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) and value else [value]


def _checked(name: str, value: Any, types: tuple[type, ...], words: str) -> Any:
    """The value, if it is of one of these types: true and false are no numbers."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ValueError(f"{name} {_as_toml(value)}: must be {words}")
    return value


def _as_toml(value: Any) -> str:
    """A value about as it stands in the file."""
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, Decimal) else repr(value)
    return shortened(text, 60)
