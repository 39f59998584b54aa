"""What a command could not deliver, delivered by the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench.messages import counted, folded, say, store_error
from bench.storage.delivery.folders import folder_of, former_folders, unknown_folders
from bench.storage.delivery.undelivered import remove_if_empty, taken
from bench.storage.entry import NETWORK_SUFFIX
from bench.trial.result import SweepError

UNKNOWN = (
    "results that an earlier version kept for a server, perhaps this one under another address; `python -m bench import"
    " {}/COMMAND` stores those of a command"
)


def redeliver(uri: str) -> None:
    """Store the results of earlier commands that were killed before the store had them, or could not reach it.

    What cannot be read stays, and is named. If the store does not answer, no other folder is tried.
    """
    _name_unknown(uri)
    for folder in [f for parent in (folder_of(uri), *former_folders(uri)) for f in _folders(parent)]:
        try:
            with taken(folder) as is_left:
                if is_left:
                    _deliver(folder, uri)
        except OSError as error:  # another user's
            say(f"warning: {folder}: cannot be delivered: {error.strerror or error}")
        except StoreAwayError as error:
            say(f"warning: {error}; what earlier commands finished stays in {folder.parent}")
            return


def left_folders(uri: str) -> Iterator[tuple[Path, int]]:
    """The folders that `redeliver` would deliver, and how many results are in each."""
    for folder in [f for parent in (folder_of(uri), *former_folders(uri)) for f in _folders(parent)]:
        if results := len(list(folder.glob("*.jsonl"))):
            with taken(folder) as is_left:
                if is_left:
                    yield folder, results


class StoreAwayError(Exception):
    """The store does not take anything; why, in one line."""


@contextmanager
def _store_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow, a server or a database raises into StoreAwayError."""
    try:
        yield
    except SweepError as error:
        raise StoreAwayError(str(error)) from error
    except Exception as error:
        if (reason := store_error(error)) is None:
            raise
        raise StoreAwayError(f"store {uri}: {reason}") from error


@cache
def _name_unknown(uri: str) -> None:
    """Say once what may be this store's."""
    for parent in unknown_folders(uri):
        say(f"warning: {parent}: {UNKNOWN.format(parent)}")


def _folders(parent: Path) -> list[Path]:
    """The commands' folders in that of a store."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        say(f"warning: {parent}: cannot be read, nor what earlier commands may have left there: {error.strerror}")
        return []


def _open(uri: str) -> None:
    from bench.storage.mlflow_store import Store

    try:
        Store(uri)
    except ValueError as error:
        raise StoreAwayError(str(error)) from error


def _deliver(folder: Path, uri: str) -> None:
    if any(folder.glob("*.jsonl")):
        from bench.storage.offline_import import ALREADY_STORED, import_entries

        _open(uri)
        problems: list[str] = []
        try:
            with _store_errors(uri):
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
