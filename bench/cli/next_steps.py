"""What to do next: the last line of `run` and of `tune`."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

import click

from bench import names
from bench.cli.config.command_text import PROGRAM, given_flags
from bench.cli.requests.sweep import RunRequest
from bench.messages import counted, say

NOT_OF_RUN = ("search", "budget", "seeds", "name")  # options of `tune` that `run` has not, or means otherwise


def say_after_run(request: RunRequest, outcomes: Collection[str]) -> None:
    """Say it; `outcomes` are those of the trials that did not end well."""
    steps = []
    if names.FAILED in outcomes:
        steps.append("the same command trains the failed trials again, once their cause is mended")
    if names.DIVERGED in outcomes:
        steps.append("the diverged trials stay so: a smaller --lr or longer --warmup-epochs make new ones")
    if request.offline is None:
        shown = ["table", *(["--name", request.name] if request.name else [])]
        steps.append(f"`{_command(*shown)}` shows the results")
    else:
        steps.append(f"`{_command('import', str(request.offline))}` stores the results in MLflow")
    say(f"next: {'; '.join(steps)}")


def say_after_tune(without: Sequence[str]) -> None:
    """Say it; `without` are the cells that nothing was chosen for."""
    run = _command("run", *given_flags(click.get_current_context(), but=NOT_OF_RUN), "--tuned")
    first = f"choose for the {counted(len(without), 'cell')} named above, then " if without else ""
    say(f"next: {first}`{run}` trains with what is chosen")


def _command(*arguments: str) -> str:
    """A command as it is typed here."""
    context = click.get_current_context(silent=True)
    program = context.find_root().info_name if context is not None else None
    return f"{program or shlex.join(PROGRAM)} {shlex.join(arguments)}"
