"""Networks of the store by run, and the bases that a network needs: from the files given, else from the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench import names
from bench.api.stored import existing_store
from bench.artefact.base import by_keys, needs_base
from bench.artefact.container import is_network, unseal
from bench.artefact.header import BaseRecord
from bench.artefact.network_file import files_of
from bench.storage.mlflow_store import Store


def network_of_run(store: Store, run: str) -> bytes:
    """The stored network of a run. Raises: ValueError, in one line, if it has none, or another trial's."""
    try:
        data = store.read(run, names.NETWORK_FILE)
    except FileNotFoundError as error:
        if names.STORED_BYTES in store.figures(run):
            raise ValueError(f"run {run}: its stored network is missing: must be {error.filename}") from error
        raise ValueError(f"run {run}: no stored network; it diverged, or an older version trained it") from None
    except OSError as error:
        raise ValueError(f"run {run}: its stored network cannot be read: {error.strerror or error}") from error
    header, tags = unseal(data)[0], store.tags(run)
    identity = header.run_key, header.sha256.weights
    if identity != (tags.get(names.RUN_KEY), tags.get(names.WEIGHTS_SHA256)):
        raise ValueError(f"run {run}: its stored network is another trial's")
    return data


class Bases:
    """Where the bases of networks are: in files, or else in a store, which is opened if it is needed."""

    def __init__(self, files: Sequence[Path], store: Callable[[], Store] | None = None) -> None:
        """Raises: OSError, ValueError if a file cannot be read."""
        self._files, self._store = files_of(files), store
        self._latest: dict[str, bytes] = {}  # of the store, for the latest network: the next may have the same

    def of(self, data: bytes) -> dict[str, bytes]:
        """The bases that a network needs and those that they need, by key; without a store all files.

        Raises: ValueError, in one line that names the key, if one is not in the store either.
        """
        waiting, reached, of_store = [data], set[str](), dict[str, bytes]()
        while waiting:
            header = unseal(waiting.pop())[0]
            if header.base is None or header.base.key in reached or not needs_base(header):
                continue
            key = header.base.key
            reached.add(key)
            if key not in self._files and self._store is not None:
                of_store |= by_keys(self._latest.get(key) or _stored(header.base, self._store))
            if is_network(base := self._files.get(key) or of_store.get(key, b"")):
                waiting.append(base)
        self._latest = of_store
        return {**self._files, **of_store}


def _stored(record: BaseRecord, opened: Callable[[], Store]) -> bytes:
    """The network in the store whose run key, or weights, the record names."""
    tag = names.WEIGHTS_SHA256 if record.key == record.weights else names.RUN_KEY
    try:
        store = opened()
    except ValueError as error:
        raise ValueError(f"its base, {base_words(record)}, must be given by --base FILE: {error}") from None
    runs = [run for run, value in store.tagged(tag, "FINISHED") if value == record.key]
    if not runs:
        raise ValueError(f"its base, {base_words(record)}, is not in the store: must be given by --base FILE")
    return network_of_run(store, runs[0])


def store_here() -> Store:
    """The store of the command line. Raises: ValueError, in one line, if there is none."""
    return Store(existing_store())


def base_words(record: BaseRecord) -> str:
    """ "trial 5d03d0b6c1f2", or the weights that were given as a file."""
    if record.key == record.weights:
        return f"weights of SHA-256 {record.key[:16]}"
    return f"trial {record.key[:16]}"
