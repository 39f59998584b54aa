"""What `list plans` prints, as rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bench.results.frame.plans import Plan, plans


def plan_rows(uri: str) -> list[dict[str, Any]]:
    """A row each, oldest first."""
    return [_row(plan) for plan in plans(uri)]


def _row(plan: Plan) -> dict[str, Any]:
    record = plan.record
    return {
        "name": record.name,
        "stored": datetime.fromtimestamp(plan.time, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "dataset": record.shared["dataset"],
        "model": record.shared["model"],
        "comparisons": len(record.comparisons),
        "methods": " ".join(dict.fromkeys(label for p in record.comparisons for label in (p.frozen, p.pruned))),
        "rates": " ".join(dict.fromkeys(planned.rate for planned in record.comparisons)),
        "seeds": len(record.seeds),
        "looks": " ".join(map(str, record.looks)),
        "spending": record.spending,
        "alpha": record.alpha,
        "test": record.test,
        "margin": f"{100 * record.margin:g}{'%' if record.of_errors else ''}",
        "looked": " ".join(str(look.seeds) for look in plan.looks.values()),
        "sha256": plan.sha256[:12],
    }
