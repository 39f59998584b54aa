"""`run --tracking`: from its value to what is written beside the store; whatever is wrong is a ValueError."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.cli.requests.sweep import RunRequest
from bench.execution.run import Plan
from bench.messages import nearest, say
from bench.storage.tracking import wandb_runs
from bench.storage.tracking.trackers import SINKS, STORE, TRACKERS, Tracker, csv_folder

CHECKS: dict[str, Callable[[], None]] = {"wandb": wandb_runs.check}


def read_tracking(request: RunRequest) -> Sequence[str]:
    """The names of the trackers beside the store."""
    if request.tracking is None:
        return ("csv",)
    chosen = [name.strip() for name in request.tracking.split(",")]
    for name in chosen:
        if name not in TRACKERS:
            raise ValueError(nearest("tracking", name, TRACKERS))
    if request.offline is not None and STORE in chosen:
        raise ValueError(f"tracking {request.tracking} with --offline: must be without {STORE}")
    if request.offline is None and STORE not in chosen:
        raise ValueError(f"tracking {request.tracking}: must name {STORE}, which decides what is done")
    for name in chosen:
        CHECKS.get(name, lambda: None)()
    return [name for name in SINKS if name in chosen]


def with_trackers(plan: Plan, chosen: Sequence[str]) -> Plan:
    """The plan with these trackers."""
    beside, of_sweep = plan.destination.folder_beside, (plan.name, plan.run_keys, plan.command, plan.sweep.name_of)
    trackers = [Tracker(n, SINKS[n](beside, plan.name), *of_sweep, plan.destination.entries) for n in chosen]
    return replace(plan, trackers=trackers)


def say_where(plan: Plan) -> None:
    """Say where the tables are, if there are any."""
    if any(tracker.name == "csv" for tracker in plan.trackers):
        say(f"tables: trials.csv and epochs.csv in {csv_folder(plan.destination.folder_beside, plan.name)}")
