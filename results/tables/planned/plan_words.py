"""What a section says of its plan: as planned, or each departure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pandas as pd

from bench import names
from bench.messages import counted
from bench.results.frame.margin import Margin, OfErrors
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.planned import FEWEST, Standing, standing_of
from bench.results.tables.marks import NOT_JUDGED

NAMED = 6  # things that are listed; the others are counted
SPENDING_WORDS = {"obrien-fleming": "O’Brien–Fleming", "pocock": "Pocock"}


def plan_words(analysis: Analysis) -> str:
    """The plan, where it stands, and how the section departs from it; "" if no plan names a comparison of it."""
    at = analysis.plan
    if at is None:
        return f"Plan {name} is of test accuracy: nothing here is planned." if (name := other_figure(analysis)) else ""
    record = at.plan.record
    stored = datetime.fromtimestamp(at.plan.time, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if not is_of_plan(analysis, at):
        return f"Plan {record.name} is of another start: nothing here is planned."
    found = departures(analysis)
    said = f"Departures from the plan: {'; '.join(found)}." if found else "As planned."
    return (
        f"Plan {record.name}, stored {stored}, SHA-256 {at.plan.sha256[:12]}: "
        f"{counted(len(record.comparisons), 'comparison')}, {counted(len(record.seeds), 'seed')}, "
        f"{_looks_words(at)}. {_stands(analysis, at)} {said}"
    )


def other_figure(analysis: Analysis) -> str:
    """The name of the plan of these trials, if the figure shown is not the planned one; else ""."""
    if analysis.plan or analysis.view.is_planned:
        return ""
    plan = standing_of({cell.group_key for cell in analysis.cells}, analysis.view.plans)
    return plan.plan.record.name if plan else ""


def _looks_words(at: Standing) -> str:
    record = at.plan.record
    if len(record.looks) == 1:
        return f"one look, at the end, at level {record.alpha:g}"
    looks = " and ".join(map(str, record.looks))
    return f"looks at {looks} seeds, a level of {record.alpha:g} spent by {SPENDING_WORDS[record.spending]}"


def _stands(analysis: Analysis, at: Standing) -> str:
    """Which look this is, and what may be marked."""
    seeds, level = len(at.plan.record.seeds), f"{analysis.view.alpha:g}"
    if at.is_finished:
        return f"All seeds are there: level {level}."
    if not is_seen(analysis, at):
        return f"None of its trials is shown, so this is no look; level {level}." if analysis.view.judges else _apart()
    number = len({*at.plan.looks, at.data})
    if not analysis.view.judges:
        return f"Look {number}, at {at.n} of {seeds} seeds. {_apart()}"
    if at.n < FEWEST:
        return f"Look {number}, at {at.n} of {seeds} seeds: no planned comparison can be tested."
    return (
        f"Look {number}, at {at.n} of {seeds} seeds: level {level}, over the seeds that all planned comparisons with "
        "trials have."
    )


def _apart() -> str:
    """That the look is not nested in the earlier ones."""
    return f"Not as planned: {NOT_JUDGED}. Nothing is judged."


def is_seen(analysis: Analysis, at: Standing) -> bool:
    """Whether a cell of the plan's comparisons is shown."""
    return any(
        cell.group_key in at.plan.keys
        for of_start in analysis.starts.values()
        for cell in of_start
        if analysis.view.shows(cell)
    )


def departures(analysis: Analysis) -> list[str]:
    """How the section is not as planned, a phrase each; none of a section of another start."""
    if analysis.plan is None or not is_of_plan(analysis, analysis.plan):
        return []
    every = (_early, _looks, _seeds, _left_out, _added, _cells, _rules, _lost)
    return [phrase for of_one in every for phrase in of_one(analysis, analysis.plan)]


def is_of_plan(analysis: Analysis, at: Standing) -> bool:
    """Whether the plan is of trials of this section, and not of another start only."""
    return not _of_plan(analysis, at).empty


def _frame(analysis: Analysis) -> pd.DataFrame:
    return analysis.section.frame


def _of_plan(analysis: Analysis, at: Standing) -> pd.DataFrame:
    """The trials of the cells that are compared."""
    frame = _frame(analysis)
    return frame[frame["group_key"].isin(at.plan.keys)]


def _early(analysis: Analysis, at: Standing) -> Iterator[str]:
    trials = _of_plan(analysis, at)
    if early := sum(started.timestamp() < at.plan.time for started in trials["started"]):
        yield f"{counted(early, 'trial')} began before the plan was stored"


def _looks(analysis: Analysis, at: Standing) -> Iterator[str]:
    record = at.plan.record
    numbers = {look.seeds for look in at.plan.looks.values()} | ({at.n} if at.counts else set())
    if others := sorted(n for n in numbers - set(record.looks) if n >= FEWEST):
        planned = " and ".join(map(str, record.looks))
        yield f"looked at {' and '.join(map(str, others))} seeds, not only at {planned}"
    if not at.is_nested:
        yield f"{NOT_JUDGED}: no level, no verdict"


def _seeds(analysis: Analysis, at: Standing) -> Iterator[str]:
    trials, record = _of_plan(analysis, at), at.plan.record
    beyond = trials[~trials["seed"].isin(record.seeds)]
    if beyond.empty:
        return
    seeds = sorted(map(int, beyond["seed"].unique()))
    first = min((look.time for look in at.plan.looks.values()), default=float("inf"))
    after = beyond["started"].map(pd.Timestamp.timestamp).max() > first
    added = "added after a look" if after else "added"
    yield f"{_listed([f'seed {seed}' for seed in seeds])} {added}, in no test of the plan"


def _left_out(analysis: Analysis, at: Standing) -> Iterator[str]:
    """Once the others are at their end: before, they may be still to come."""
    present = set(at.present)
    if at.n == len(at.plan.record.seeds):
        left_out = [planned.words for planned in at.plan.record.comparisons if planned not in present]
        if left_out:
            yield f"left out of the family, and still counted in it: {_listed(left_out)}"


def _added(analysis: Analysis, at: Standing) -> Iterator[str]:
    if added := analysis.unplanned:
        named = [f"{c.label} − {c.reference} at {rate_text(c.rate)}" for c in added]
        yield f"comparisons added, corrected over all {added[0].family}: {_listed(named)}"


def _cells(analysis: Analysis, at: Standing) -> Iterator[str]:
    """Methods and rates that are not planned and are in no comparison that was added."""
    compared = {key for c in analysis.primary.comparisons for key in c.sides}
    added = [_name(cell) for cell in _rated(analysis) if cell.group_key not in at.plan.record.cells]
    shown = [name for name, key in added if key not in compared]
    if shown:
        yield f"methods added: {_listed(shown)}"


def _rated(analysis: Analysis) -> Sequence[Cell]:
    return [cell for cell in (*analysis.cells, *analysis.controlled) if cell.rated]


def _name(cell: Cell) -> tuple[str, tuple[str, object]]:
    return f"{cell.label} {rate_text(cell.rate)}", cell.key


def _rules(analysis: Analysis, at: Standing) -> Iterator[str]:
    view, record = analysis.view, at.plan.record
    if view.test != record.test:
        yield f"test {view.test} where {record.test} is planned"
    if view.margin != record.decided["margin"]:
        yield f"margin {_margin(view.margin)}, not the planned {_margin(record.decided['margin'])}"
    if "alpha" not in view.left_to_plan and view.alpha != at.planned_level:
        yield f"another level spent than the planned {record.alpha:g}"


def _margin(margin: Margin | None) -> str:
    if margin is None:
        return "none"
    return f"{margin} of the errors" if isinstance(margin, OfErrors) else f"{100 * margin:g} points"


def _lost(analysis: Analysis, at: Standing) -> Iterator[str]:
    trials = _of_plan(analysis, at)
    trials = trials[trials["seed"].isin(at.plan.record.seeds)]
    for outcome in (names.DIVERGED, names.FAILED):
        if lost := int((trials["outcome"] == outcome).sum()):
            yield f"{counted(lost, 'planned trial')} {outcome}"


def _listed(named: Sequence[str]) -> str:
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"{', '.join(named[:NAMED])}{more}"
