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
from bench.storage.entry import Entry, EntryListener, OnStored, check_name, ignore_stored
from bench.storage.mlflow_store import Run, Store
from bench.storage.offline_folder import contents, rescue
from bench.storage.ownership.heartbeat import Heartbeat
from bench.storage.ownership.leftovers import end_leftovers
from bench.storage.ownership.owner import Owner
from bench.storage.write_queue import WriteQueue
from bench.trial.result import SweepError


class Recorder(EntryListener):
    """A listener that writes the results of one sweep to the store, off the critical path.

    A context: entering it opens the store and the sweep's run. Leaving it writes everything; what the store does not
    take goes into a folder that the SweepError names.
    """

    def __init__(
        self,
        uri: str,
        sweep_name: str,
        planned: Sequence[str],
        finished: Mapping[str, str],
        command: str,
        name_of: Callable[[Method], str] = str,
        on_stored: OnStored = ignore_stored,
    ) -> None:
        """Takes the run keys of all trials of the sweep, and run key -> run of those already in the store."""
        check_name(sweep_name)
        self.uri, self.sweep, self.planned, self.command, self.name_of = uri, sweep_name, planned, command, name_of
        self.on_stored, self.linked = on_stored, dict(finished)
        self._created: dict[str, Run] = {}  # run key -> its run, which a retried write continues
        self._outcomes: Counter[str] = Counter()

    def __enter__(self) -> Recorder:
        self._store = Store(self.uri)
        self._experiment = self._store.experiment(self.sweep)
        end_leftovers(self._store, self._experiment, set(self.planned))
        tags = {names.KIND: names.SWEEP, names.COMMAND: self.command, names.OWNER: Owner.here().tag()}
        self.parent = self._store.create(self._experiment, self.sweep, tags | mlflow_fields.origin(), time.time()).id
        self._heartbeat = Heartbeat(lambda: self._store.tag(self.parent, names.OWNER, Owner.here().tag()))
        counts = {"trials": str(len(self.planned)), "already_finished": str(len(self.linked))}
        self._store.log(self.parent, counts, ())
        self._queue = WriteQueue(self.write)
        self._queue.put("", None)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._queue.close()
        finally:
            self._heartbeat.close()
            self._rescue()
        interrupted = error_type is not None and issubclass(error_type, KeyboardInterrupt)
        status = "FINISHED" if error_type is None else "KILLED" if interrupted else "FAILED"
        now = time.time()
        points = [(outcome, count, int(now * 1000), 0) for outcome, count in self._outcomes.items()]
        self._store.log(self.parent, {}, points)
        self._store.end(self.parent, status, now)

    def put(self, entry: Entry) -> None:
        """Have the entry written soon. Raises the error of an earlier one."""
        self._outcomes[entry.result.outcome] += 1
        self._queue.put(entry.run_key, entry)

    def _rescue(self) -> None:
        unwritten = [entry for entry in self._queue.unwritten() if entry is not None]
        cause = self._queue.error
        if unwritten:
            path = rescue(unwritten)
            reason = folded(cause or "interrupted")
            saved = f"{len(unwritten)} results are in {path}; `python -m bench import {path}` stores them"
            raise SweepError(f"store {self.uri}: {reason}; {saved}") from cause
        if cause is not None:
            raise cause

    def write(self, entry: Entry | None) -> None:
        """Write the entry; for None, link the trials that earlier sweeps finished. Called by the writer's thread."""
        if entry is None:
            self._link()
        else:
            self._write_trial(entry)

    def _link(self) -> None:
        """Tag the trials that another sweep, or an earlier command, has finished as this sweep's too."""
        tag = names.IN_SWEEP + self.sweep
        marked = {run for run, _ in self._store.tagged(tag, "FINISHED")}
        for run in self.linked.values():
            if run not in marked:
                self._store.tag(run, tag, self.parent)

    def _write_trial(self, entry: Entry) -> None:
        result = entry.result
        run = self._created.get(entry.run_key) or self._create(entry)
        self._store.log(run.id, mlflow_fields.parameters(entry), mlflow_fields.points(result))
        self._store.input(run.id, *mlflow_fields.data_set(entry.spec))
        if result.layers:
            self._store.write(run, names.LAYERS_FILE, json.dumps(list(result.layers), sort_keys=True).encode())
        if network := contents(result):
            self._store.write(run, names.NETWORK_FILE, network)
        # Last, because a run that is FINISHED is a trial that is not trained again.
        self._store.end(run.id, "FINISHED" if entry.is_final else "FAILED", result.ended)
        del self._created[entry.run_key]
        if entry.is_final:
            self.on_stored([entry.run_key])

    def _create(self, entry: Entry) -> Run:
        links = {names.IN_SWEEP + self.sweep: self.parent, names.PARENT: self.parent}
        name = mlflow_fields.run_name(entry.spec, entry.method)
        tags = mlflow_fields.origin() | mlflow_fields.tags(entry) | links
        run = self._store.create(self._experiment, name, tags, entry.result.started)
        self._created[entry.run_key] = run
        return run
