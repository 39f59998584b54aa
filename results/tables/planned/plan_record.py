"""What the machine-readable forms say of the plan of a section."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.results.statistics.analysis import Analysis
from bench.results.statistics.planned import Standing
from bench.results.tables.planned.plan_words import departures, is_of_plan, other_figure

PLAN = "plan"
COLUMNS = (PLAN, "as_planned", "departures", "level")  # of CSV, if a section has a plan


def plan_field(analysis: Analysis) -> dict[str, Any]:
    """The plan of a section, for JSON: which it is, how far it is, at which level it is judged, and each departure."""
    if name := other_figure(analysis):
        return {PLAN: {"name": name, "as_planned": None, "departures": [], "level": analysis.view.alpha}}
    if (at := analysis.plan) is None:
        return {}
    record = at.plan.record
    return {
        PLAN: {
            "name": record.name,
            "sha256": at.plan.sha256,
            "stored": datetime.fromtimestamp(at.plan.time, UTC).isoformat(timespec="seconds"),
            "comparisons": len(record.comparisons),
            "seeds": list(record.seeds),
            "looks": list(record.looks),
            "spending": record.spending,
            "alpha": record.alpha,
            "seeds_seen": sorted(at.complete),
            "finished": at.is_finished,
            "test": analysis.view.test,
            **_told(analysis, at),
        }
    }


def _told(analysis: Analysis, at: Standing) -> dict[str, Any]:
    """Whether all is as planned: null of a section of another start, of which nothing is planned."""
    found = departures(analysis)
    return {
        "as_planned": not found if is_of_plan(analysis, at) else None,
        "departures": found,
        "level": analysis.view.alpha if analysis.view.judges else None,
    }


def plan_columns(analysis: Analysis, analyses: Sequence[Analysis]) -> dict[str, Any]:
    """The same for a row of CSV; nothing unless one of the sections has a plan."""
    if not any(map(plan_field, analyses)):
        return {}
    plan = plan_field(analysis).get(PLAN, {})
    values = {PLAN: plan.get("name"), "as_planned": plan.get("as_planned"), "level": plan.get("level")}
    return {name: values.get(name, "; ".join(plan.get("departures", ()))) for name in COLUMNS}
