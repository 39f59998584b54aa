"""The `plan` command, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bench.canonical import key_of
from bench.cli.arguments import read_sweep, start_of
from bench.cli.config.command_text import command_text
from bench.cli.plan.record import record_of
from bench.cli.requests.plan import PlanRequest
from bench.execution.checked_sweep import on_device
from bench.execution.starts import with_start
from bench.messages import announced, counted, say, usage_errors
from bench.results.frame.plans import Plan, Record, plans
from bench.storage.choices import with_choices
from bench.storage.destinations import StoreDestination
from bench.storage.entry import check_new_name
from bench.storage.plans.stored_plan import store_plan
from bench.storage.store_check import exists


def make_plan(request: PlanRequest) -> int:
    """Store what is to be compared, before it is trained. Returns 0, also if the store has this very plan."""
    with usage_errors():
        started = with_start(read_sweep(request), request.dataset, start_of(request), request.data_root)
        with announced(started.sweep.grid()):
            sweep = on_device(started.sweep, request.device, elsewhere=True)  # nothing is trained here
            name = request.name or sweep.default_name
            check_new_name(name)
            destination = StoreDestination()
            if request.tuned is not None:
                sweep = with_choices(sweep, request.tuned, destination)
            record = record_of(request, sweep, name)
        run_keys = [spec.run_key for spec in sweep.trials()]
        destination.open()
        check = partial(_is_stored, destination.uri, record, run_keys)
        is_known = check()
        if not is_known:
            is_known = store_plan(destination.uri, name, command_text(), record.as_json(), check) is None
    state = "is in the store already" if is_known else "stored"
    looks = " and ".join(map(str, record.looks))
    say(
        f"plan {name} {state}: {counted(len(record.comparisons), 'comparison')}, looks at {looks} seeds; "
        f"SHA-256 {key_of(record.as_json())}; {destination.label}"
    )
    return 0


def _is_stored(uri: str, record: Record, run_keys: Sequence[str]) -> bool:
    """Whether the store has this very plan. Raises ValueError if another is in its place, or trials are finished."""
    if not exists(uri):
        return False
    stored = plans(uri)
    sha256 = key_of(record.as_json())
    if any(plan.sha256 == sha256 for plan in stored):
        return True
    for plan in stored:
        _check_other(plan, record)
    from bench.storage.stored_trials import finished

    if ended := finished(uri, run_keys):
        trials = f"{len(ended)} of its {counted(len(run_keys), 'trial')}"
        verb = "are" if len(ended) > 1 else "is"
        raise ValueError(f"plan {record.name}: {trials} {verb} finished; must be made before the first one")
    return False


def _check_other(plan: Plan, record: Record) -> None:
    """Raise ValueError if a plan of the store has the name, or asks the question, of another one."""
    other = plan.record
    if other.name == record.name:
        ours, theirs = record.as_json(), other.as_json()
        differing = ", ".join(field for field in {**ours, **theirs} if ours.get(field) != theirs.get(field))
        raise ValueError(f"plan {record.name}: the store has another of that name, which differs in {differing}")
    if other.question == record.question:
        raise ValueError(
            f"plan {record.name}: the store has plan {other.name} of this data set, network and protocol; must be one"
        )
