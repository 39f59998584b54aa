"""Where the results of a sweep go: the MLflow store, or an offline folder. MLflow is imported for the first alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from bench.methods import Method
from bench.storage import store_uri
from bench.storage.entry import Kept
from bench.storage.offline_folder import Spool, SpoolRecorder
from bench.trial.result import Listener


class Place(Protocol):
    """What a `run` command needs of a place. To make one checks that it can be written, and writes nothing."""

    @property
    def text(self) -> str:
        """How a message calls it."""

    @property
    def is_new(self) -> bool:
        """Whether nothing can be in it."""

    def open(self) -> None:
        """Import what is needed to read and write it. Raises ValueError where it is not what it seemed to be."""

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """run key -> why it diverged, or "": the trials among these that need no training any more."""

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], kept: Kept
    ) -> AbstractContextManager[Listener]:
        """The writer of a sweep's results, who tells `kept`; to be called after `ended`, with the same keys."""


class StorePlace:
    """The MLflow store."""

    def __init__(self) -> None:
        self.uri = store_uri.foreseen() or self._asked()
        store_uri.check_writable(self.uri)
        self._runs: dict[str, str] = {}

    @property
    def text(self) -> str:
        """As `Place.text`."""
        return f"store {self.uri}"

    @property
    def is_new(self) -> bool:
        """As `Place.is_new`."""
        return not store_uri.exists(self.uri)

    def open(self) -> None:
        """As `Place.open`."""
        if (uri := self._asked()) != self.uri:
            store_uri.check_writable(uri)
            self.uri = uri

    @staticmethod
    def _asked() -> str:
        from bench.storage import mlflow_store

        return mlflow_store.store_uri()

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """As `Place.ended`."""
        from bench.storage import mlflow_store

        self._runs = mlflow_store.finished(self.uri, run_keys)
        reasons = mlflow_store.diverged(self.uri)
        return {key: reasons.get(run, "") for key, run in self._runs.items()}

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], kept: Kept
    ) -> AbstractContextManager[Listener]:
        """As `Place.recorder`."""
        from bench.storage.recorder import Recorder

        return Recorder(self.uri, sweep, run_keys, self._runs, command, name_of, kept)


class FolderPlace:
    """An offline folder."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder)
        self.text = self.spool.text
        self.is_new = not self.spool.entries

    def open(self) -> None:
        """As `Place.open`: there is nothing to do."""

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        """As `Place.ended`."""
        return {key: entry.result.reason for key, entry in self.spool.ended(run_keys).items()}

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], kept: Kept
    ) -> AbstractContextManager[Listener]:
        """As `Place.recorder`."""
        return SpoolRecorder(self.spool, sweep, run_keys, command, name_of, kept)
