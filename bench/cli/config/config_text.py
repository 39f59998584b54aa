"""`--print-config`: the config file that says the same as a command, with everything that decides the results.

What the trials are is written out, defaults included; where they run and lie only as given, the rest as comments.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click
from click.core import ParameterSource

from bench import __version__
from bench.cli.config.config_file import config_options
from bench.cli.config.layers import settled
from bench.cli.requests.sweep import SweepRequest
from bench.cli.shell.groups import HEADINGS, SECTIONS, GroupedOption
from bench.cli.shell.values import CommaList
from bench.execution.checked_sweep import on_device
from bench.masking import masked
from bench.trial.grammar import seeds_text
from bench.trial.protocol import ROWS, has_effect
from bench.trial.sweep import Sweep

WIDTH = 100
NUMBER = re.compile(r"(0|[1-9]\d*)(\.\d+)?")
DECIDING = ("what", "protocol", "speed")  # the sections that decide the results, and
OF_THE_TRIAL = ("device", "cpus_per_trial")  # options of another section that do


def print_config(request: SweepRequest, sweep: Sweep) -> int:
    """Print the file of the command that is being carried out."""
    click.echo(config_text(click.get_current_context(), request, sweep))
    return 0


def config_text(context: click.Context, request: SweepRequest, sweep: Sweep) -> str:
    """The file, for the command of a context."""
    values = {**settled(context), **_resolved(request, sweep)}
    lines = [
        f"# Options of `python -m bench {context.command.name}`, as freeze-or-prune {__version__} resolves them.",
        "# `--config FILE` reads them; what the command line says wins.",
    ]
    for section in SECTIONS:
        lines += ["", f"[{section}]{_clause(HEADINGS[section])}"]
        for option in config_options(context.command):
            if option.group == section and option.name != "preset":
                lines += _entry(option, values.get(str(option.name)), _is_active(context, option))
    return "\n".join(lines)


def _clause(heading: str) -> str:
    """What a heading says of its section, as a comment."""
    said = heading.partition(" (")[2].removesuffix(")")
    return f"  # {said}" if said else ""


def _resolved(request: SweepRequest, sweep: Sweep) -> dict[str, Any]:
    """Parameter -> its value, of what the command leaves to us."""
    protocol = on_device(sweep, request.device, elsewhere=request.address is not None).protocol
    given = {name: value for name, value in request.protocol.items() if value is not None and value != ""}
    fields = {
        name: given.get(name, protocol.get(name, row.default))
        for name, row in ROWS.items()
        if row.flag and has_effect(name, protocol)
    }
    return {
        **fields,
        "methods": request.methods,
        "rates": ",".join(f"{rate:f}" for rate in sweep.rates),
        "seeds": seeds_text(sweep.seeds),
        "model": request.model or protocol["model"],
        "device": protocol["device"],
    }


def _is_active(context: click.Context, option: GroupedOption) -> bool:
    """Whether an option is written as more than a comment."""
    given = context.get_parameter_source(str(option.name)) is not ParameterSource.DEFAULT
    return given or option.group in DECIDING or option.name in OF_THE_TRIAL


def _entry(option: GroupedOption, value: Any, is_active: bool) -> Iterator[str]:
    """The lines of an option: its help, and its value; as a comment if it has none, or it is not active."""
    has_value = value is not None and value not in ((), [])
    is_secret = masked(str(value)) != str(value)
    said = (option.help or "").partition("  [default" if has_value else "\0")[0]
    yield from (f"# {line}" for line in textwrap.wrap(said, WIDTH, break_on_hyphens=False))
    mark = "" if has_value and is_active and not is_secret else "# "
    shown = masked(str(value)) if is_secret else value  # a comment, since a file with half an address is of no use
    yield f"{mark}{option.long_name} = {_toml(option, shown)}" if has_value else f"{mark}{option.long_name} ="


def _toml(option: GroupedOption, value: Any) -> str:
    """A value as TOML; a comma list as an array, its numbers bare."""
    if isinstance(value, (tuple, list)):
        return _array([str(item) for item in value])
    if isinstance(option.type, CommaList):
        items = [item.strip() for item in str(value).split(",") if item.strip()]
        return _array(items) if len(items) > 1 else _item(str(value))
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else _quoted(str(value))


def _array(items: Sequence[str]) -> str:
    return f"[{', '.join(map(_item, items))}]"


def _item(item: str) -> str:
    return item if NUMBER.fullmatch(item) else _quoted(item)


def _quoted(text: str) -> str:
    """A TOML string: JSON's, except that TOML wants one more character escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
