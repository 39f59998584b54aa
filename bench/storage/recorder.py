"""Recorder: the one writer of a sweep's results."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from bench import names
from bench.messages import folded
from bench.methods import Method
from bench.storage import mlflow_fields
from bench.storage.entry import Entry, EntryListener, Kept, check_name, unheard
from bench.storage.mlflow_store import Run, Store
from bench.storage.offline_folder import contents, rescue
from bench.storage.write_queue import Delivery
from bench.trial.result import SweepError

PARENT = "mlflow.parentRunId"  # MLflow's tag: its pages fold a trial's run under the sweep's


class Recorder(EntryListener):
    """Writes the results of one sweep, off the critical path; itself a listener of the sweep.

    A context: entered, it opens the store and the sweep's run; left, it has written everything, or has put what the
    store did not take into a file that the SweepError names.
    """

    def __init__(
        self,
        uri: str,
        sweep_name: str,
        planned: Sequence[str],
        finished: Mapping[str, str],
        command: str,
        name_of: Callable[[Method], str] = str,
        kept: Kept = unheard,
    ) -> None:
        """Takes the run keys of all trials of the sweep, and run key -> run of those that are in the store already."""
        check_name(sweep_name)
        self.uri, self.sweep, self.planned, self.command, self.name_of = uri, sweep_name, planned, command, name_of
        self.kept, self.linked = kept, dict(finished)
        self._created: dict[str, Run] = {}  # run key -> its run, that a repeated write goes on with
        self._outcomes: Counter[str] = Counter()

    def __enter__(self) -> Recorder:
        self._store = Store(self.uri)
        self._experiment = self._store.experiment(self.sweep)
        self._end_leftovers()
        tags = {names.KIND: names.SWEEP, names.COMMAND: self.command[: mlflow_fields.TAG_LENGTH]}
        self.parent = self._store.create(self._experiment, self.sweep, tags, time.time()).id
        counts = {"trials": str(len(self.planned)), "already_finished": str(len(self.linked))}
        self._store.log(self.parent, counts, ())
        self._delivery = Delivery(self.write)
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

    def put(self, entry: Entry) -> None:
        """Have the entry written soon. Raises what went wrong with an earlier one."""
        self._outcomes[entry.result.outcome] += 1
        self._delivery.put(entry.run_key, entry)

    def _rescue(self) -> None:
        lost = [entry for entry in self._delivery.unwritten() if entry is not None]
        cause = self._delivery.error
        if lost:
            path = rescue(lost)
            reason = folded(cause or "interrupted")
            kept = f"{len(lost)} results are in {path}; `python -m bench import {path}` stores them"
            raise SweepError(f"store {self.uri}: {reason}; {kept}") from cause
        if cause is not None:
            raise cause

    def _end_leftovers(self) -> None:
        """End what a killed process left running. A process that still lives sets its runs right when it ends them."""
        running = self._store.tagged(names.KIND, "RUNNING", self._experiment)
        left = [run for run, kind in running if kind == names.SWEEP]
        keys = set(self.planned)
        left += [run for run, key in self._store.tagged(names.RUN_KEY, "RUNNING") if key in keys]
        for run in left:
            self._store.end(run, "KILLED")

    def write(self, entry: Entry | None) -> None:
        """Write the entry, or None: what the sweep shares with earlier ones. Called by the writer's thread."""
        if entry is None:
            self._link()
        else:
            self._write_trial(entry)

    def _link(self) -> None:
        """Mark the trials another sweep, or an earlier call, has finished as belonging to this sweep."""
        tag = names.IN_SWEEP + self.sweep
        marked = {run for run, _ in self._store.tagged(tag, "FINISHED")}
        for run in self.linked.values():
            if run not in marked:
                self._store.tag(run, tag, self.parent)

    def _write_trial(self, entry: Entry) -> None:
        result = entry.result
        run = self._created.get(entry.run_key) or self._create(entry)
        self._store.log(run.id, mlflow_fields.parameters(entry), mlflow_fields.points(result))
        if result.layers:
            self._store.write(run, names.LAYERS_FILE, json.dumps(list(result.layers), sort_keys=True).encode())
        if network := contents(result):
            self._store.write(run, names.NETWORK_FILE, network)
        # Last, because a run that is FINISHED is a trial that is not trained again.
        self._store.end(run.id, "FINISHED" if entry.is_final else "FAILED", result.ended)
        del self._created[entry.run_key]
        if entry.is_final:
            self.kept([entry.run_key])

    def _create(self, entry: Entry) -> Run:
        own = {names.IN_SWEEP + self.sweep: self.parent, PARENT: self.parent}
        name = mlflow_fields.run_name(entry.spec, entry.method)
        run = self._store.create(self._experiment, name, mlflow_fields.tags(entry) | own, entry.result.started)
        self._created[entry.run_key] = run
        return run
