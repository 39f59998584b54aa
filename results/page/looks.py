"""What a report says of plans and looks: how it departs from the plan, or that nothing was planned."""

from __future__ import annotations

from collections.abc import Sequence

from bench.messages import counted
from bench.results.frame.collect import Command
from bench.results.statistics.analysis import Analysis
from bench.results.tables.planned.plan_words import departures

SAYS = "says before the first trial what is compared, and at how many seeds"


def looks(analyses: Sequence[Analysis], commands: Sequence[Command]) -> list[str]:
    """A sentence for each plan that was departed from; one of all that is under no plan."""
    lines = []
    for analysis in analyses:
        if analysis.plan and (found := departures(analysis)):
            lines.append(f"Not as planned ({analysis.plan.plan.record.name}): {'; '.join(found)}.")
    unplanned = [analysis.section.title for analysis in analyses if not analysis.plan]
    if unplanned or not analyses:
        whole = len(unplanned) == len(analyses)
        lines.append(_unplanned(commands, "Nothing" if whole else f"Of {'; '.join(unplanned)} nothing"))
    return lines


def _unplanned(commands: Sequence[Command], nothing: str) -> str:
    """How often somebody could look and go on: by the commands of a sweep, and the trials that each asked for."""
    sizes: dict[str, list[int]] = {}
    for command in commands:
        if command.trials:
            sizes.setdefault(command.sweep, []).append(command.trials)
    grown = [_grown(sweep, trials) for sweep, trials in sizes.items() if len(trials) > 1]
    words = f"{nothing} was planned: no plan in the store {SAYS}"
    if not grown:
        return f"{words}."
    return (
        f"{words}. {'; '.join(grown)}. Who looks in between, and goes on unless the verdicts please, has other error "
        "rates than the stated ones."
    )


def _grown(sweep: str, trials: Sequence[int]) -> str:
    asked = ", then ".join(f"{number:,}" for number in trials)
    times = counted(len(trials) - 1, "time")
    return f"Sweep {sweep} was made by {len(trials)} commands, for {asked} trials: it could be looked at {times} before"
