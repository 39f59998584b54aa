"""The help of the protocol's options, made anew, so that it has the rows of this moment."""

from __future__ import annotations

import click

from bench.cli.options import with_options
from bench.cli.protocol_options import protocol_options


def protocol_help() -> str:
    """In one line, single spaces between the words."""
    command = click.command("run")(with_options(protocol_options())(lambda **values: 0))
    return " ".join(command.get_help(click.Context(command)).split())
