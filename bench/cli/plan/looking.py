"""What the commands that show results have to do with plans: which there are, and that somebody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bench.api.views import DECIDED, plans_of
from bench.cli.config.command_text import command_text
from bench.messages import say
from bench.storage.plans.looks import record_look

if TYPE_CHECKING:
    import pandas as pd

    from bench.results.statistics.view import View


def plans_seen(uri: str, frame: pd.DataFrame) -> dict[str, Any]:
    """What a view is told of the plans of a store, beside what the command line gives."""
    context = click.get_current_context()
    given = [name for name in DECIDED if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return plans_of(uri, frame, given)


def record_looks(uri: str, view: View) -> None:
    """Have the store know that the results of its plans are seen now, those that are not at their end."""
    for at in view.plans:
        if not at.counts:
            continue
        name, seeds = at.plan.record.name, len(at.plan.record.seeds)
        marked = f"; its comparisons are marked at level {view.level(at):g}" if view.is_planned else ""
        say(f"plan {name}: a look at {at.n} of {seeds} seeds{marked}")
        if at.data in at.plan.looks:
            continue
        command, trials = command_text(), len(at.run_keys)
        if reason := record_look(uri, at.plan.run, at.data, seeds=at.n, trials=trials, command=command):
            say(f"warning: the look at plan {name} is not recorded: store {uri}: {reason}")
