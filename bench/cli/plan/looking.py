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

    from bench.results.statistics.planned import Standing
    from bench.results.statistics.view import View


def looked_at(frame: pd.DataFrame, view: View, part: str | None) -> list[Standing]:
    """The plans to which this is a look: a trial of their comparisons is among what is shown of how trials ended."""
    from bench.results.parts.parts import PARTS
    from bench.results.statistics.shown_cells import seen

    counting = [at for at in view.plans if at.counts]
    if not counting or (part and not PARTS[part].is_look):
        return []
    return seen(frame, view, counting, from_any_start=part is not None and PARTS[part].across_starts)


def plans_seen(uri: str, frame: pd.DataFrame) -> dict[str, Any]:
    """What a view is told of the plans of a store, beside what the command line gives."""
    context = click.get_current_context()
    given = [name for name in DECIDED if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    return plans_of(uri, frame, given)


def record_looks(uri: str, frame: pd.DataFrame, view: View, *, part: str | None = None) -> None:
    """Have the store know that the results of its plans are seen now: those not at their end of which a trial is shown.

    Args: part: the one part of the table that is printed; None: all of it, or a plot.
    """
    from bench.results.tables.marks import NOT_JUDGED

    for at in looked_at(frame, view, part):
        name, seeds = at.plan.record.name, len(at.plan.record.seeds)
        level = f"marked at level {view.level(at):g}" if at.is_nested else f"not judged: {NOT_JUDGED}"
        marked = f"; its comparisons are {level}" if view.is_planned else ""
        say(f"plan {name}: a look at {at.n} of {seeds} seeds{marked}")
        if at.data in at.plan.looks:
            continue
        command, trials = command_text(), len(at.run_keys)
        if reason := record_look(uri, at.plan.run, at.data, seeds=at.complete, trials=trials, command=command):
            say(f"warning: the look at plan {name} is not recorded: store {uri}: {reason}")
