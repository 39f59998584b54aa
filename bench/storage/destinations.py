"""Where the results of a sweep go: the MLflow store, or an offline folder. Only the first imports MLflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench import names
from bench.messages import say
from bench.methods import Method
from bench.storage import store_check, store_uri
from bench.storage.entry import Entry, OnStored
from bench.storage.offline_folder import OfflineFolder, OfflineRecorder, contents
from bench.storage.ownership.claims import Claims
from bench.storage.store_uri import local_path
from bench.trial.result import Listener

if TYPE_CHECKING:
    from bench.storage.mlflow_store import Store


CLOCKS = 3600.0  # seconds by which the clocks of two machines may differ


class SweepRecorder(Listener, Protocol):
    """The writer of a sweep's results."""

    def claim(self, run_keys: Collection[str]) -> Claims:
        """Claim these trials among all commands that write there."""

    def adopt(self, finished: Mapping[str, str]) -> None:
        """Have trials that another command finished meanwhile belong to this sweep too: `Destination.places`."""


class Destination(Protocol):
    """What a `run` command needs of it. Creating one checks that it can be written, and writes nothing."""

    @property
    def label(self) -> str:
        """What messages call it."""

    @property
    def is_new(self) -> bool:
        """Whether it does not exist yet, so that nothing can be in it."""

    def open(self) -> None:
        """Import what is needed to read and write it. Raises ValueError if it is not what it seemed to be."""

    def redeliver(self) -> None:
        """Store the results that earlier commands finished and could not store."""

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """run key -> why it diverged, or "", of those trials among these that need no more training."""

    def ended_meanwhile(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """The same of those that have ended since `ended` was asked, perhaps by another command."""

    def places(self, run_keys: Collection[str]) -> Mapping[str, str]:
        """run key -> what tells the recorder where it is, of trials that these two named."""

    @property
    def folder_beside(self) -> Path:
        """Where files belong that go with it."""

    def entries(self, run_keys: Sequence[str]) -> Iterable[Entry]:
        """The trials that need no more training, of these that `ended` named."""

    def has_network(self, run_key: str) -> bool:
        """Whether the trained network of a trial that `ended` named is stored."""

    def network(self, run_key: str) -> bytes:
        """The file of that network. Raises: OSError if it cannot be read."""

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], on_stored: OnStored
    ) -> AbstractContextManager[SweepRecorder]:
        """The writer of a sweep's results, which calls `on_stored`. Call it after `ended`, with the same keys."""


class StoreDestination:
    """The MLflow store."""

    def __init__(self, uri: str | None = None) -> None:
        """At this address, which is absolute; by default where MLflow's own commands look in this folder."""
        self._runs: dict[str, str] = {}
        self._asked = 0.0  # when `ended` was
        self._given = uri
        self._check(uri or store_uri.foreseen() or self._mlflow_uri())

    def _check(self, uri: str) -> None:
        self.uri, self.is_new = uri, not store_check.check_writable(uri)

    @property
    def label(self) -> str:
        """As `Destination.label`."""
        return f"store {self.uri}"

    def open(self) -> None:
        """As `Destination.open`."""
        if self._given or store_uri.given() or not self.is_new:  # what is there is what every other command reads
            return
        if (uri := self._mlflow_uri()) != self.uri:
            self._check(uri)

    def redeliver(self) -> None:
        """As `Destination.redeliver`."""
        from bench.storage.delivery.redeliver import redeliver

        redeliver(self.uri)

    @staticmethod
    def _mlflow_uri() -> str:
        from bench.storage import mlflow_store

        return mlflow_store.store_uri()

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """As `Destination.ended`."""
        from bench.storage import stored_trials

        self._asked = time.time()
        self._runs = stored_trials.finished(self.uri, run_keys)
        reasons = stored_trials.diverged(self.uri)
        return {key: reasons.get(run, "") for key, run in self._runs.items()}

    def ended_meanwhile(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """As `Destination.ended_meanwhile`."""
        from bench.storage import stored_trials

        since = self._asked - CLOCKS
        runs, reasons = stored_trials.finished(self.uri, run_keys, since), stored_trials.diverged(self.uri, since)
        self._runs |= runs
        return {key: reasons.get(run, "") for key, run in runs.items()}

    def places(self, run_keys: Collection[str]) -> Mapping[str, str]:
        """As `Destination.places`: the runs."""
        return {key: self._runs[key] for key in run_keys}

    @property
    def folder_beside(self) -> Path:
        """As `Destination.folder_beside`: the working folder for a store on a server."""
        path = local_path(self.uri)
        return path.parent if path else Path.cwd()

    def entries(self, run_keys: Sequence[str]) -> Iterable[Entry]:
        """As `Destination.entries`."""
        if runs := [self._runs[key] for key in run_keys if key in self._runs]:
            yield from map(self._store.entry, runs)

    @cached_property
    def _store(self) -> Store:
        """The store, opened: created if it does not exist."""
        from bench.storage.mlflow_store import Store

        return Store(self.uri)

    def has_network(self, run_key: str) -> bool:
        """As `Destination.has_network`."""
        run = self._runs[run_key]
        if path := self._store.lacks(run, names.NETWORK_FILE):
            say(f"warning: run {run}: other trials need its network, which is not at {path}: it is trained again")
        return not path

    def network(self, run_key: str) -> bytes:
        """As `Destination.network`."""
        return self._store.read(self._runs[run_key], names.NETWORK_FILE)

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], on_stored: OnStored
    ) -> AbstractContextManager[SweepRecorder]:
        """As `Destination.recorder`."""
        from bench.storage.recorder import Recorder

        finished = {key: self._runs[key] for key in run_keys if key in self._runs}
        return Recorder(self.uri, sweep, run_keys, finished, command, name_of, on_stored)


class FolderDestination:
    """An offline folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = OfflineFolder(folder)
        self.label = self.folder.label
        self.is_new = not self.folder.entries

    def open(self) -> None:
        """As `Destination.open`: there is nothing to do."""

    def redeliver(self) -> None:
        """As `Destination.redeliver`: each result is in the folder before it counts as done."""

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """As `Destination.ended`."""
        self.folder.read_again()
        return {key: entry.result.reason for key, entry in self.folder.ended(run_keys).items()}

    def ended_meanwhile(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """As `Destination.ended_meanwhile`."""
        return self.ended(run_keys)

    def places(self, run_keys: Collection[str]) -> Mapping[str, str]:
        """As `Destination.places`: all in the folder."""
        return dict.fromkeys(run_keys, "")

    @property
    def folder_beside(self) -> Path:
        """As `Destination.folder_beside`."""
        return self.folder.path

    def entries(self, run_keys: Sequence[str]) -> Iterable[Entry]:
        """As `Destination.entries`."""
        return self.folder.ended(run_keys).values()

    def has_network(self, run_key: str) -> bool:
        """As `Destination.has_network`."""
        return bool(self.folder.ended([run_key])[run_key].network_sha256)

    def network(self, run_key: str) -> bytes:
        """As `Destination.network`."""
        return contents(self.folder.ended([run_key])[run_key].result)

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], on_stored: OnStored
    ) -> AbstractContextManager[SweepRecorder]:
        """As `Destination.recorder`."""
        return OfflineRecorder(self.folder, sweep, run_keys, command, name_of, on_stored)
