"""The request that a command line makes, without carrying it out."""

from __future__ import annotations

from typing import TypeVar

from bench.cli.cli import cli
from bench.cli.options import request_of
from bench.cli.requests.sweep import RunRequest

Request = TypeVar("Request")


def asked(request: type[Request], command: str, *arguments: str) -> Request:
    """The request of one of the commands."""
    return request_of(request, cli.commands[command].make_context(command, [*arguments]))


def asked_of_run(*arguments: str) -> RunRequest:
    """The request of `run`."""
    return asked(RunRequest, "run", *arguments)
