"""Completion of commands, options and values in bash, zsh and fish: click's own, for the console script.

A shell completes `freeze-or-prune`; of `python -m bench` it sees `python`.
"""

from __future__ import annotations

import os

import click
from click.shell_completion import BashComplete, ShellComplete, get_completion_class, shell_complete

from bench.cli.requests.shell import CompletionRequest

SCRIPT = "freeze-or-prune"  # the command that an installation makes; it does what `python -m bench` does
INSTRUCTION = "_FREEZE_OR_PRUNE_COMPLETE"  # the environment variable by which a shell asks


def print_script(request: CompletionRequest) -> int:
    """Print what the shell is to execute at its start."""
    shell_class = get_completion_class(request.shell)
    assert shell_class is not None
    completion = shell_class(click.get_current_context().find_root().command, {}, SCRIPT, INSTRUCTION)
    # click's class for bash also looks for a bash here: the script may be for another machine.
    is_bash = isinstance(completion, BashComplete)
    click.echo((ShellComplete.source(completion) if is_bash else completion.source()).strip("\n"))
    return 0


def answered(command: click.Command) -> int | None:
    """Answer the shell if it is one that asks: the exit code. None if a user does."""
    if not (instruction := os.environ.get(INSTRUCTION)):
        return None
    return shell_complete(command, {}, SCRIPT, INSTRUCTION, instruction)
