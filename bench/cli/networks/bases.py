"""The bases that networks need: from the files given, else from the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bench import names
from bench.artefact.base import by_keys
from bench.artefact.container import is_network, unseal
from bench.artefact.header import BaseRecord
from bench.artefact.network_file import files_of
from bench.cli.networks.run_network import base_words, network_of_run
from bench.stored_runs.reading import tagged


class Bases:
    """Where the bases of networks are: in files, or else in a store, whose address is asked for if it is needed."""

    def __init__(self, files: Sequence[Path], store: Callable[[], str] | None = None) -> None:
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
            if header.base is None or header.base.key in reached or not header.needs_base:
                continue
            key = header.base.key
            reached.add(key)
            if key not in self._files and self._store is not None:
                of_store |= by_keys(self._latest.get(key) or _stored(header.base, self._store))
            if is_network(base := self._files.get(key) or of_store.get(key, b"")):
                waiting.append(base)
        self._latest = of_store
        return {**self._files, **of_store}


def _stored(record: BaseRecord, address: Callable[[], str]) -> bytes:
    """The network in the store whose run key, or weights, the record names."""
    tag = names.WEIGHTS_SHA256 if record.key == record.weights else names.RUN_KEY
    try:
        uri = address()
    except ValueError as error:
        raise ValueError(f"its base, {base_words(record)}, must be given by --base FILE: {error}") from None
    runs = [run for run, value in tagged(uri, tag, "FINISHED") if value == record.key]
    if not runs:
        raise ValueError(f"its base, {base_words(record)}, is not in the store: must be given by --base FILE")
    return network_of_run(uri, runs[0])
