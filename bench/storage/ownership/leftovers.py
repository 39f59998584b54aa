"""The runs that a process left running when it was killed, ended as KILLED.

Only the owner of a run ends it, or who finds that the owner is gone: of two commands that write the same store, the
one that begins would else end what the other is just finishing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bench import names
from bench.storage.mlflow_store import Store
from bench.storage.ownership.owner import Owner

KILLED = "KILLED"


def end_leftovers(store: Store, experiment: str, run_keys: Collection[str]) -> None:
    """End what is left running of the experiment's sweeps, and of the trials of these run keys in every sweep.

    A run without an owner is of an earlier version, and ended.
    """
    running = store.tagged(names.KIND, "RUNNING", experiment)
    for run in [run for run, kind in running if kind == names.SWEEP]:
        if _has_no_owner(store, run):
            store.end_if_running(run, KILLED)
    for run in [run for run, key in store.tagged(names.RUN_KEY, "RUNNING") if key in run_keys]:
        if _is_left(store, run):
            store.end_if_running(run, KILLED)


def leftovers(store: Store) -> Iterator[tuple[str, str]]:
    """The runs of all sweeps and trials of the store that are left running, each with names.SWEEP or names.TRIAL."""
    rules = {names.SWEEP: _has_no_owner, names.TRIAL: _is_left}
    for run, kind in store.tagged(names.KIND, "RUNNING"):
        if kind in rules and rules[kind](store, run):
            yield run, kind


def _has_no_owner(store: Store, run: str) -> bool:
    return _is_gone(store.tags(run).get(names.OWNER))


def _is_left(store: Store, trial: str) -> bool:
    """Whether nobody writes the trial's run: the sweep that began it has ended, or its owner is gone."""
    sweep = store.tags(trial).get(names.PARENT)
    return sweep is None or not store.is_running(sweep) or _has_no_owner(store, sweep)


def _is_gone(tag: str | None) -> bool:
    owner = Owner.of(tag)
    return owner is None or owner.is_gone()
