"""Recorder: the one writer of a sweep's results."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType

from bench import names
from bench.messages import counted, folded
from bench.methods import Method
from bench.storage import mlflow_fields
from bench.storage.client.opening import is_database
from bench.storage.client.run_files import Run
from bench.storage.delivery.undelivered import Undelivered
from bench.storage.delivery.write_queue import WriteQueue, retried
from bench.storage.entry import Entry, EntryListener, OnStored, check_name, ignore_stored
from bench.storage.mlflow_store import Store
from bench.storage.offline_folder import contents, rescue
from bench.storage.ownership.boards import StoreBoard
from bench.storage.ownership.claims import Claims
from bench.storage.ownership.heartbeat import Heartbeat
from bench.storage.ownership.leftovers import end_leftovers
from bench.storage.ownership.owner import Owner
from bench.storage.sql.ended_run import EndedRun, new_id, of_trial
from bench.storage.sql.run_writer import NewRun
from bench.trial.result import SweepError


class Recorder(EntryListener):
    """A listener that writes the results of one sweep to the store, off the critical path.

    A context: entering it opens the store and the sweep's run. Leaving it writes everything. A result is on the disk
    before it counts as done, and until the store has it; if it does not take one, the SweepError names its folder.
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
        source: Path | None = None,
    ) -> None:
        """Takes the run keys of all trials of the sweep, and run key -> run of those already in the store.

        Args: source: the file or folder that all entries are read from, which keeps them on the disk.
        """
        check_name(sweep_name)
        self.uri, self.sweep, self.planned, self.command, self.name_of = uri, sweep_name, planned, command, name_of
        self.on_stored, self.linked = on_stored, dict(finished)
        self.source, self._undelivered = source, Undelivered(uri)
        self._created: dict[str, Run] = {}  # run key -> its run, which a retried write continues
        self._ids: dict[str, str] = {}  # run key -> the identity of the run that is written at once
        self._outcomes: Counter[str] = Counter()
        self._board: StoreBoard | None = None

    def __enter__(self) -> Recorder:
        self._store = Store(self.uri)
        self._experiment = self._store.experiment(self.sweep)
        end_leftovers(self._store, self._experiment, set(self.planned))
        tags = {names.KIND: names.SWEEP, names.COMMAND: self.command, names.OWNER: Owner.here().tag()}
        self._run = self._store.create(self._experiment, self.sweep, tags | mlflow_fields.origin(), time.time())
        self.parent = self._run.id
        counts = {"trials": str(len(self.planned)), "already_finished": str(len(self.linked))}
        try:
            self._store.log(self.parent, counts, ())
        except BaseException:
            with suppress(Exception):  # a run of nobody's would be waited for as long as this process lives
                self._store.end(self.parent, "FAILED")
            raise
        self._heartbeat = Heartbeat(lambda: self._store.tag(self.parent, names.OWNER, Owner.here().tag()))
        self._queue = WriteQueue(self.write, self.write_together if is_database(self.uri) else None)
        self._queue.put("", None)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._queue.close()
        finally:
            if self._board is not None:
                self._board.close()
            self._heartbeat.close()
            self._undelivered.close()
            self._rescue()
        interrupted = error_type is not None and issubclass(error_type, KeyboardInterrupt)
        status = "FINISHED" if error_type is None else "KILLED" if interrupted else "FAILED"
        now = time.time()
        points = [(outcome, count, int(now * 1000), 0) for outcome, count in self._outcomes.items()]
        self._store.log(self.parent, {}, points)
        self._store.end(self.parent, status, now)

    def claim(self, run_keys: Collection[str]) -> Claims:
        """Claim these trials among all commands that write the store."""
        self._board = retried(partial(StoreBoard, self._store, self._run, run_keys))
        return retried(partial(Claims, self._board, run_keys))

    def adopt(self, finished: Mapping[str, str]) -> None:
        """Have trials that another command finished meanwhile belong to this sweep too: run key -> run."""
        self.linked = {**self.linked, **finished}
        self._queue.put(("linked", *finished), None)

    def put(self, entry: Entry) -> None:
        """Have the entry on the disk now, and in the store soon. Raises the error of an earlier one."""
        if self.source is None:
            self._undelivered.put(entry)
        self._outcomes[entry.result.outcome] += 1
        self._queue.put(entry.run_key, entry)

    def _rescue(self) -> None:
        unwritten = [entry for entry in self._queue.unwritten() if entry is not None]
        cause = self._queue.error
        if unwritten:
            raise SweepError(f"store {self.uri}: {folded(cause or 'interrupted')}; {self._kept(unwritten)}") from cause
        if cause is not None:
            raise cause

    def _kept(self, unwritten: Sequence[Entry]) -> str:
        """Where these results are now, in words; a folder is made for those that are on no disk."""
        results = counted(len(unwritten), "result")
        if self.source is not None:
            return f"{results} of {self.source} could not be stored; they stay there"
        if all(self._undelivered.has(entry) for entry in unwritten):
            return (
                f"{results} in {self._undelivered.folder}; the next `python -m bench run` on this store delivers them"
            )
        path = rescue(unwritten)
        return f"{results} in {path}; `python -m bench import {path}` stores them"

    def write(self, entry: Entry | None) -> None:
        """Write the entry; for None, link the trials that earlier sweeps finished. Called by the writer's thread."""
        if entry is None:
            self._link()
        else:
            self._write_trial(entry)

    def write_together(self, entries: Sequence[Entry | None]) -> bool:
        """Write entries in one transaction, or none of them; whether it did. Called by the writer's thread."""
        return all(entries) and self._write_at_once([entry for entry in entries if entry is not None])

    def _link(self) -> None:
        """Tag the trials that another sweep, or an earlier command, has finished as this sweep's too."""
        tag = names.IN_SWEEP + self.sweep
        marked = {run for run, _ in self._store.tagged(tag, "FINISHED")}
        for run in self.linked.values():
            if run not in marked:
                self._store.tag(run, tag, self.parent)

    def _write_trial(self, entry: Entry) -> None:
        if not self._write_at_once([entry]):
            self._write_in_calls(entry)
            self._is_stored([entry])

    def _write_at_once(self, entries: Sequence[Entry]) -> bool:
        """Write all of them in one transaction, or none; whether the store takes them so."""
        if not self._store.add(self._experiment, [self._new_run(entry) for entry in entries]):
            return False
        self._is_stored(entries)
        return True

    def _new_run(self, entry: Entry) -> NewRun:
        run_id = self._ids.setdefault(entry.run_key, new_id())  # a retried write is the same run's
        return NewRun(id=run_id, run=self._ended(entry), keep_files=partial(self._write_files, entry))

    def _ended(self, entry: Entry) -> EndedRun:
        return of_trial(entry, {names.IN_SWEEP + self.sweep: self.parent, names.PARENT: self.parent})

    def _is_stored(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._undelivered.remove(entry)
        if final := [entry.run_key for entry in entries if entry.is_final]:
            self.on_stored(final)
        for entry in entries:
            self._ids.pop(entry.run_key, None)

    def _write_in_calls(self, entry: Entry) -> None:
        """Write the run through MLflow's client, which takes it in parts."""
        ended, run = self._ended(entry), self._created.get(entry.run_key)
        if run is None:
            run = self._store.create(self._experiment, ended.name, ended.tags, ended.started)
            self._created[entry.run_key] = run
        self._store.log(run.id, ended.parameters, ended.points)
        self._store.input(run.id, *ended.data)
        self._write_files(entry, run)
        # Last, because a run that is FINISHED is a trial that is not trained again.
        self._store.end(run.id, ended.status, ended.ended)
        del self._created[entry.run_key]

    def _write_files(self, entry: Entry, run: Run) -> None:
        if entry.result.layers:
            self._store.write(run, names.LAYERS_FILE, json.dumps(list(entry.result.layers), sort_keys=True).encode())
        if network := contents(entry.result):
            self._store.write(run, names.NETWORK_FILE, network)
