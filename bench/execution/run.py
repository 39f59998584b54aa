"""A sweep's missing trials, trained: what the `run` command and the clock of `speed trials` share. Imports no torch.

In this order: `start_ray` where nothing can be stored yet, `open_destination`, `train_missing`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from bench import datasets, names
from bench.execution.ended import EndedTrials
from bench.execution.events import sigterm_interrupts
from bench.execution.execution import Execution
from bench.execution.listeners import Collected, Writers, tell
from bench.execution.prerequisites import Networks, files_of, passes_of
from bench.execution.ray_machine.ray_options import temporary_base
from bench.execution.shared_trials import SharedTrials
from bench.methods import Method
from bench.storage.checkpoint import Checkpoints
from bench.storage.destinations import Destination, SweepRecorder
from bench.storage.ownership.working_folder import remove_abandoned
from bench.storage.tracking.trackers import Tracker
from bench.trial.needs import needed_by
from bench.trial.packs import packs_of
from bench.trial.result import Listener, TrialResult
from bench.trial.spec import DataKey, TrialSpec
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.execution.worker import Load

# Trials, and what the tables call a method -> what shows their progress.
Display = Callable[[Sequence[TrialSpec], Callable[[Method], str]], AbstractContextManager[Listener]]


class DestinationError(ValueError):
    """The destination does not take the sweep, for what the user gave. Its message is one line."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be trained, how, and where its results go."""

    sweep: Sweep
    trials: Sequence[TrialSpec]  # of the sweep
    load: Load
    execution: Execution
    destination: Destination
    name: str  # of the sweep
    command: str  # that asked for it
    trackers: Sequence[Tracker] = ()  # what is written beside the destination
    loads: Mapping[DataKey, Load] = field(default_factory=dict)  # how the data sets that bases need are loaded
    weights: Mapping[str, bytes] = field(default_factory=dict)  # SHA-256 -> file of weights that trials start from

    @cached_property
    def run_keys(self) -> list[str]:
        """The trials' run keys."""
        return [spec.run_key for spec in self.trials]

    @cached_property
    def needs(self) -> list[TrialSpec]:
        """What these trials need, beside themselves."""
        return needed_by(self.trials)

    @cached_property
    def ended(self) -> EndedTrials:
        """Which of both need no training any more."""
        return EndedTrials(self.destination, self.trials, self.needs)

    @property
    def needs_name(self) -> str:
        """The sweep that these belong to."""
        return f"{self.name[: names.SWEEP_NAME_LONGEST - len(names.NEEDS)]}{names.NEEDS}"

    @cached_property
    def checkpoints(self) -> Checkpoints | None:
        """Where a stopped trial goes on from."""
        return Checkpoints(self.execution.storage) if self.execution.storage else None

    def load_of(self, trials: Sequence[TrialSpec]) -> Load:
        """How the data set of these trials, which have one, is loaded."""
        return self.loads.get(trials[0].data, self.load)

    def forget(self, run_keys: Collection[str]) -> None:
        """Remove the checkpoints of trials whose results are stored."""
        if self.checkpoints:
            self.checkpoints.remove(run_keys)


def checked_data(name: str, data_root: Path | None, address: str | None = None) -> Load:
    """Fetch the data set where it is missing, check every file, and say how a worker loads it.

    Where no folder is named, each machine of a cluster has its own: BENCH_DATA_ROOT, or its user's cache folder.
    """
    root = datasets.data_root(data_root)
    datasets.fetch(name, root)
    datasets.check(name, root)
    theirs = None if address and data_root is None else root
    return partial(datasets.load, datasets.absolute(name), theirs, datasets.row_of(name, root).content_hash)


def checked_loads(
    data: Mapping[DataKey, str], data_root: Path | None, address: str | None = None
) -> dict[DataKey, Load]:
    """The same of each of these data sets by name."""
    return {key: checked_data(name, data_root, address) for key, name in data.items()}


def start_ray(execution: Execution) -> None:
    """Have Ray start in the background, where it is needed and not already on its way."""
    if execution.executor == "ray":
        from bench.execution.ray_machine import ray_process

        ray_process.start(execution.address)


def open_destination(plan: Plan, writes: bool = True) -> Mapping[str, str]:
    """The trials that need no training any more, of the sweep and of those that it needs: run key -> why it diverged,
    or "". One whose network is needed and not stored is none of them.

    Args:   writes: whether what earlier commands finished and could not store is stored first, and what killed ones
            left in the temporary folder is removed.
    Raises: ValueError where the destination is not what it seemed to be.
    """
    plan.destination.open()
    if writes:
        plan.destination.redeliver()
        remove_abandoned(temporary_base())
    return plan.ended.all()


def train_missing(
    plan: Plan, missing: Sequence[TrialSpec], ended: Mapping[str, str], display: Display
) -> tuple[dict[TrialSpec, TrialResult], Mapping[str, str]]:
    """Train what is missing, store it, and put all trials into the sweep; returns what was trained, and what has ended
    before, or was trained by another command meanwhile.

    What trials need is trained in passes before them, and belongs to a sweep of its own. A trial that another command
    trains at this moment is left to it.
    Raises: DestinationError where the sweep's name cannot be taken; SweepError where it cannot go on.
    """
    if missing:
        start_ray(plan.execution)
    plan.forget(ended)  # by a command that was killed before it removed them
    with ExitStack() as stack:
        try:
            writers = _recorders(plan, missing, stack)
        except ValueError as error:  # the name of a deleted experiment
            raise DestinationError(str(error)) from error
        trackers = [stack.enter_context(tracker) for tracker in plan.trackers]
        results, ended = _shared(plan, missing, ended, writers, tell(writers, *trackers), display)
    ended_now = [spec.run_key for spec, result in results.items() if result.outcome != names.FAILED]
    plan.forget(ended_now)  # of packs trained again after a loss
    return results, ended


def _shared(
    plan: Plan,
    missing: Sequence[TrialSpec],
    ended: Mapping[str, str],
    writers: Writers,
    recorder: Listener,
    display: Display,
) -> tuple[dict[TrialSpec, TrialResult], Mapping[str, str]]:
    """Train what is missing, but for what another command trains; then take that into the sweep."""
    if not missing:
        return {}, ended
    with sigterm_interrupts():
        shared = SharedTrials(
            claims=writers.claim([spec.run_key for spec in missing]),
            train=lambda trials, ended: _train_passes(plan, trials, ended, recorder, display),
            meanwhile=plan.ended.meanwhile,
            delivered=plan.ended.delivered,
        )
        plan.destination.redeliver()  # of a command that ended between the first look and the claim
        results, now = shared.carry_out(missing, ended)
    trained = {spec.run_key for spec in results}
    adopted = [spec.run_key for spec in missing if spec.run_key in now and spec.run_key not in trained]
    writers.adopt(adopted, plan.destination)
    return results, now


def _recorders(plan: Plan, missing: Sequence[TrialSpec], stack: ExitStack) -> Writers:
    """The writer of the sweep's results, and, if something is trained that it needs, of that."""
    own, theirs = set(plan.run_keys), [spec.run_key for spec in plan.needs]
    sweep = stack.enter_context(_recorder(plan, plan.name, plan.run_keys))
    if all(spec.run_key in own for spec in missing):
        return Writers(own, sweep, sweep)
    return Writers(own, sweep, stack.enter_context(_recorder(plan, plan.needs_name, theirs)))


def _recorder(plan: Plan, name: str, run_keys: Sequence[str]) -> AbstractContextManager[SweepRecorder]:
    return plan.destination.recorder(name, run_keys, plan.command, plan.sweep.name_of, plan.forget)


def _train_passes(
    plan: Plan, missing: Sequence[TrialSpec], ended: Mapping[str, str], recorder: Listener, display: Display
) -> dict[TrialSpec, TrialResult]:
    wanted = {need.run_key for spec in missing for need in spec.needs()}
    networks = Networks(wanted, dict(plan.weights))
    results: dict[TrialSpec, TrialResult] = {}
    passes = passes_of(missing)
    for number, trials in enumerate(passes):
        networks.keep_for(chain.from_iterable(passes[number:]))
        networks.take(trials, plan.destination, ended)
        listener = tell(recorder, networks)
        failed = {spec: reason for spec in trials if (reason := networks.obstacle(spec))}
        results |= _fail(failed, listener)
        if left := [spec for spec in trials if spec not in failed]:
            this_pass = replace(plan, load=plan.load_of(left), weights=files_of(left, networks.files))
            results |= _train(this_pass, left, listener, display)
    return results


def _fail(reasons: Mapping[TrialSpec, str], listener: Listener) -> dict[TrialSpec, TrialResult]:
    """The results of trials that cannot be trained, each with its reason."""
    now = time.time()
    results = {
        spec: TrialResult(run_key=spec.run_key, outcome=names.FAILED, reason=reason, started=now, ended=now)
        for spec, reason in reasons.items()
    }
    for spec, result in results.items():
        listener.started(spec)
        listener.finished(spec, result)
    return results


def _train(
    plan: Plan, missing: Sequence[TrialSpec], recorder: Listener, display: Display
) -> dict[TrialSpec, TrialResult]:
    collected = Collected()
    with sigterm_interrupts(), display(missing, plan.sweep.name_of) as shown:
        _execute(plan, missing, tell(recorder, collected, shown))
    return collected.results


def _execute(plan: Plan, missing: Sequence[TrialSpec], listener: Listener) -> None:
    execution = plan.execution
    if execution.executor == "local":
        from bench.execution import local

        local.run(packs_of(missing, 1), plan.load, listener, plan.checkpoints, plan.weights)
        return
    from bench.execution import schedule
    from bench.execution.worker import engine

    resources = {"cpus_per_trial": missing[0].threads, "gpus_per_trial": execution.gpus_per_trial}
    packs = packs_of(missing, schedule.slots(execution.address, **resources))
    schedule.run(
        packs,
        partial(engine, checkpoints=plan.checkpoints),
        plan.load,
        listener,
        **resources,
        address=execution.address,
        max_retries=execution.max_retries,
        needs=[files_of(pack, plan.weights) for pack in packs],
    )
