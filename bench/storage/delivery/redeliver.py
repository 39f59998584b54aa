"""What a command could not deliver, delivered by the next one."""

from __future__ import annotations

from pathlib import Path

from bench.messages import counted, folded, say
from bench.storage.delivery.undelivered import folder_of, remove_if_empty, taken
from bench.storage.entry import NETWORK_SUFFIX
from bench.storage.offline_import import ALREADY_STORED, import_entries


def redeliver(uri: str) -> None:
    """Store the results of earlier commands that were killed before the store had them, or could not reach it.

    What cannot be read stays, and is named.
    """
    for folder in _folders(folder_of(uri)):
        try:
            with taken(folder) as is_left:
                if is_left:
                    _deliver(folder, uri)
        except OSError as error:  # another user's
            say(f"warning: {folder}: cannot be delivered: {error.strerror or error}")


def _folders(parent: Path) -> list[Path]:
    """The commands' folders in that of a store."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        say(f"warning: {parent}: cannot be read, nor what earlier commands may have left there: {error.strerror}")
        return []


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
    for file in [*folder.glob("*.jsonl"), *folder.glob(f"*{NETWORK_SUFFIX}")]:  # a network without its line is half
        file.unlink()
    remove_if_empty(folder)
