"""What a command could not deliver, delivered by the next one."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from bench.disk import locked
from bench.messages import counted, folded, say
from bench.storage.delivery.undelivered import folder_of, remove_if_empty
from bench.storage.offline_import import ALREADY_STORED, import_entries


def redeliver(uri: str) -> None:
    """Store the results of earlier commands that were killed before the store had them, or could not reach it.

    What cannot be read stays, and is named.
    """
    if not (parent := folder_of(uri)).is_dir():
        return
    for folder in sorted(path for path in parent.iterdir() if path.is_dir()):
        with suppress(TimeoutError, FileNotFoundError), locked(folder, lambda: None, 0):
            _deliver(folder, uri)


def _deliver(folder: Path, uri: str) -> None:
    if any(folder.glob("*.jsonl")):
        problems: list[str] = []
        try:
            counts = import_entries(folder, uri, problems.append)
        except ValueError as error:
            problems = [str(error)]
        else:
            new = counts.total() - counts[ALREADY_STORED]
            if new:
                say(f"store {uri}: {counted(new, 'result')} of an earlier command delivered")
        if problems:
            say(f"warning: {folded('; '.join(problems))}; left in {folder}")
            return
        shutil.rmtree(folder)
    remove_if_empty(folder)
