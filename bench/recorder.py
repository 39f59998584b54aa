"""Recorder: the one writer of a sweep's results."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from bench import names, stored
from bench.delivery import Delivery
from bench.result import TrialResult
from bench.spec import TrialSpec
from methods import Method

if TYPE_CHECKING:
    from bench.tracking import Run

COMMAND = "bench.command"  # tag of a sweep's run: the command line
PARENT = "mlflow.parentRunId"  # MLflow's tag: its pages fold a trial's run under the sweep's
NAME = re.compile(r"[\w\-. /:]{1,200}")  # what MLflow takes in the key of a tag, where a sweep's name stands


def check_name(name: str) -> None:
    """Raise ValueError where a sweep cannot be called that."""
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: allowed are 1 to 200 letters, digits and - _ . / : and space")


class Recorder:
    """Writes the results of one sweep, off the critical path; itself a listener of the sweep.

    A context: entered, it opens the store and the sweep's run; left, it has written everything, or has put what the
    store did not take into a file that the RuntimeError names.
    """

    def __init__(
        self,
        uri: str,
        sweep_name: str,
        planned: Sequence[TrialSpec],
        finished: Mapping[str, str],
        command: str,
        name_of: Callable[[Method], str],
    ) -> None:
        check_name(sweep_name)
        self.uri, self.sweep, self.planned, self.command, self.name_of = uri, sweep_name, planned, command, name_of
        self.linked = dict(finished)
        self._created: dict[str, Run] = {}  # run key -> its run, that a repeated write goes on with
        self._outcomes: Counter[str] = Counter()

    def __enter__(self) -> Recorder:
        from bench.tracking import Store

        self._store = Store(self.uri)
        self._experiment = self._store.experiment(self.sweep)
        self._end_leftovers()
        tags = {names.KIND: names.SWEEP, COMMAND: self.command[: stored.TAG_LENGTH]}
        self.parent = self._store.create(self._experiment, self.sweep, tags, time.time()).id
        counts = {"trials": str(len(self.planned)), "already_finished": str(len(self.linked))}
        self._store.log(self.parent, counts, ())
        self._delivery = Delivery(self._write)
        self._delivery.put("", None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._delivery.close()
        finally:
            self._rescue()
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        now = time.time()
        self._store.log(self.parent, {}, [(o, n, int(now * 1000), 0) for o, n in self._outcomes.items()])
        self._store.end(self.parent, status, now)

    def started(self, spec: TrialSpec) -> None:
        """Nothing to write yet: a trial's run in the store stands for its result."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to write yet."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Have the result written soon. Raises what went wrong with an earlier one."""
        self._outcomes[result.outcome] += 1
        self._delivery.put(spec.run_key, (spec, result))

    record = finished

    def _rescue(self) -> None:
        lost = [item for item in self._delivery.unwritten() if item is not None]
        cause = self._delivery.error
        if lost:
            path = stored.rescue(stored.line(*item, self.name_of(item[0].method)) for item in lost)
            reason = " ".join(str(cause or "interrupted").split())[:300]
            raise RuntimeError(f"store {self.uri}: {reason}; {len(lost)} results are in {path}") from cause
        if cause is not None:
            raise cause

    def _end_leftovers(self) -> None:
        """End what a killed process left running. A process that still lives sets its runs right when it ends them."""
        running = self._store.tagged(names.KIND, "RUNNING", self._experiment)
        left = [run for run, kind in running if kind == names.SWEEP]
        keys = {spec.run_key for spec in self.planned}
        left += [run for run, key in self._store.tagged(names.RUN_KEY, "RUNNING") if key in keys]
        for run in left:
            self._store.end(run, "KILLED")

    def _write(self, item: tuple[TrialSpec, TrialResult] | None) -> None:
        if item is None:
            self._link()
        else:
            self._write_trial(*item)

    def _link(self) -> None:
        """Mark the trials another sweep, or an earlier call, has finished as belonging to this sweep."""
        tag = names.IN_SWEEP + self.sweep
        marked = {run for run, _ in self._store.tagged(tag, "FINISHED")}
        for run in self.linked.values():
            if run not in marked:
                self._store.tag(run, tag, self.parent)

    def _write_trial(self, spec: TrialSpec, result: TrialResult) -> None:
        run = self._created.get(spec.run_key) or self._create(spec, result)
        self._store.log(run.id, stored.parameters(spec), stored.points(result))
        if result.layers:
            self._store.write(run, names.LAYERS_FILE, json.dumps(list(result.layers)))
        # Last, because a run that is FINISHED is a trial that is not trained again.
        self._store.end(run.id, "FAILED" if result.outcome == names.FAILED else "FINISHED", result.ended)
        del self._created[spec.run_key]

    def _create(self, spec: TrialSpec, result: TrialResult) -> Run:
        method = self.name_of(spec.method)
        own = {names.IN_SWEEP + self.sweep: self.parent, PARENT: self.parent}
        run = self._store.create(
            self._experiment,
            stored.run_name(spec, method),
            stored.tags(spec, result, method) | own,
            result.started,
        )
        self._created[spec.run_key] = run
        return run
