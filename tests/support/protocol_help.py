"""The help of the protocol's options, made when it is asked for: it shows the rows that a test adds."""

from __future__ import annotations

import click
from click.testing import CliRunner

from bench.cli.protocol_options import protocol_options


def protocol_help() -> str:
    """The text, every run of spaces and line ends as one space."""
    command = click.Command("run", params=[])
    for decorator in reversed(protocol_options()):
        command = decorator(command)
    return " ".join(CliRunner().invoke(command, ["--help"], terminal_width=1_000).output.split())
