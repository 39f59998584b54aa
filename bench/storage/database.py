"""What a database holds: MLflow's tables, none yet, or those of another application. Imports no MLflow.

MLflow itself makes its tables in whatever database it opens, and waits minutes for one that does not answer.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from bench.masking import masked
from bench.messages import said_if_slow, say, store_error
from bench.storage.sql.driver import connected
from bench.storage.store_uri import VARIABLE, existing_folder, local_path

SOON_SECONDS = 0.5  # a lock that is held longer is worth a word
LOCK_SECONDS = 10.0  # the longest wait for another process to give a database free
CREATING_SECONDS = 120.0  # the same of where others make tables, which takes seconds, and many on a busy machine
SERVER_SECONDS = 25  # the longest wait for one answer of a server: it may be starting
SETTLE_SECONDS = 3.0  # tables that do not change for so long are not being made
SERVER_SETTLE_SECONDS = 30.0  # the same on a server, which may show all of them at once when the last is made
UNVERSIONED = ""  # of MLflow's tables that do not say their version
FIRST = "experiments"  # the table that MLflow makes before all others
VERSION = "alembic_version"  # the table with the version of the others


def version(uri: str) -> str | None:
    """The version of MLflow's tables in the database, perhaps UNVERSIONED; None if there is no table at all.

    Raises: ValueError, in one line, if it cannot be read, or has the tables of another application.
    """
    path = local_path(uri)
    return _on_server(uri) if path is None else _in_file(uri, path)


def without_start(uri: str, reason: str) -> str:
    """The run, in brackets, if MLflow's `reason` to read none is one that has no start; "" if it cannot be named."""
    path = local_path(uri)
    if "start_time" not in reason or path is None or not path.is_file():
        return ""
    row = None
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_read_only(path)) as database:
        row = database.execute("SELECT run_uuid FROM runs WHERE start_time IS NULL").fetchone()
    return f" (run {row[0]})" if row else ""


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


def is_current(uri: str, mlflow: Path) -> bool:
    """Whether there are the tables of the MLflow that is installed in this folder."""
    return (stored := version(uri)) is not None and stored == versions(mlflow)[0]


def check_version(uri: str, mlflow: Path, installed: str) -> None:
    """Raise ValueError unless that MLflow, installed in this folder, can use the tables; it would change older ones."""
    stored = version(uri)
    if stored is None:  # MLflow's history is not read then: it is some seventy files of Python
        return
    known = versions(mlflow)
    stored = _settled(uri, stored, known)
    if stored in (None, known[0]):
        return
    if stored == UNVERSIONED:
        raise ValueError(f"store {uri}: MLflow's tables are there, without their version: half made, or damaged")
    if stored in known:
        address = uri if masked(uri) == uri else f'"${VARIABLE}"'  # with its password, which is not shown
        upgrade = f"keep a copy, then `mlflow db upgrade {address}`"
        raise ValueError(f"store {uri}: its tables are of an older MLflow (version {stored}): {upgrade}")
    newer = f"its tables are of a newer MLflow (version {stored}) than the {installed} installed: install that one"
    raise ValueError(f"store {uri}: {newer}")


def end_if_running(uri: str, run: str, status: str, ended: int) -> None:
    """Set the status of a run, and when it ended in Unix milliseconds, in one statement, if it has not ended.

    MLflow's own call sets it whatever it is, so that a run which ends between two calls would be changed.
    """
    from sqlalchemy import column, table, update

    runs = table("runs", column("run_uuid"), column("status"), column("end_time"))
    running = (runs.c.run_uuid == run) & (runs.c.status == "RUNNING")
    with connected(uri) as connection, connection.begin():
        connection.execute(update(runs).where(running).values(status=status, end_time=ended))


def _settled(uri: str, stored: str, known: Sequence[str]) -> str | None:
    """The version, `stored` a moment ago, once nobody is making the tables: `mlflow ui` may be about it."""
    if stored != UNVERSIONED or local_path(uri) is not None:
        return _after(uri, stored, known, SETTLE_SECONDS)
    with said_if_slow(f"store {uri}: its tables may be in the making; waiting"):
        return _after(uri, stored, known, SERVER_SETTLE_SECONDS)


def _after(uri: str, stored: str | None, known: Sequence[str], seconds: float) -> str | None:
    """The version, once it has not changed for so long."""
    end = time.monotonic() + seconds
    while stored in (UNVERSIONED, *known[1:]) and time.monotonic() < end:
        time.sleep(SETTLE_SECONDS / 10)
        if (now := version(uri)) != stored:
            stored, end = now, time.monotonic() + SETTLE_SECONDS
    return stored


@cache
def versions(mlflow: Path) -> list[str]:
    """Of MLflow's tables, newest first, as the MLflow in this folder knows them."""
    from alembic.script import ScriptDirectory

    migrations = ScriptDirectory(str(mlflow / "store" / "db_migrations"))
    return [script.revision for script in migrations.walk_revisions()]


def _of_mlflow(uri: str, tables: Collection[str]) -> bool:
    """Whether they are MLflow's; False if there is none. Raises ValueError if they are another application's."""
    if not tables or tables == {VERSION}:  # the latter of a process that was killed as it began
        return False
    if FIRST not in tables:
        named = ", ".join(sorted(tables)[:3])
        raise ValueError(
            f"store {uri}: the database is another application's, with tables as {named}; name one of its own"
        )
    return True


def _in_file(uri: str, path: Path) -> str | None:
    try:
        if not _is_there(path):
            existing_folder(f"store {uri}", path.parent)
            return None
    except OSError as error:
        raise ValueError(f"store {uri}: {path} cannot be read: {error.strerror}") from error
    except _NoFileError as error:
        raise ValueError(f"store {uri}: {path} {error}") from error
    try:
        return _read_patiently(uri, path)
    except sqlite3.Error as error:
        raise ValueError(f"store {uri}: {_reason(path, error)}") from error


class _NoFileError(Exception):
    """Why a path names no file that could be a database."""


def _is_there(path: Path) -> bool:
    if path.is_symlink() and not path.exists():
        raise _NoFileError(f"is a link to {path.readlink()}, which does not exist")
    if not path.exists():
        return False
    if path.is_dir():
        raise _NoFileError("is a folder")
    if not path.is_file():
        raise _NoFileError("is no file")
    if not os.access(path, os.R_OK):
        raise _NoFileError("cannot be read: check its permissions")
    return path.stat().st_size > 0


def _reason(path: Path, error: sqlite3.Error) -> str:
    if _is_locked(error):
        return f"locked by another process for more than {LOCK_SECONDS:g} seconds; try again when that has ended"
    if _code(error) == sqlite3.SQLITE_NOTADB:
        return f"{path} is no SQLite database; name one, or a new file"
    return f"{path} cannot be read: {error}"


def _is_locked(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: sqlite3.Error) -> int:
    """SQLite's number of the error, without the details in its higher bytes."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _read_patiently(uri: str, path: Path) -> str | None:
    try:
        return _read(uri, path, min(SOON_SECONDS, LOCK_SECONDS))
    except sqlite3.Error as error:
        if not _is_locked(error):
            raise
    say(f"store {uri}: locked by another process; waiting {LOCK_SECONDS:g} seconds at the most")
    return _read(uri, path, LOCK_SECONDS)


def _read(uri: str, path: Path, seconds: float) -> str | None:
    """`version`, read without writing; unless a killed process left its last change half made, which is undone."""
    try:
        return _query(uri, path, "immutable=1" if _is_idle_wal(path) else "mode=ro", seconds)
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_READONLY:
            raise
    return _query(uri, path, "mode=rw", seconds)


def _is_idle_wal(path: Path) -> bool:
    """Whether it has a write-ahead log that nobody uses: even a reader would make the log's files, and leave them."""
    with path.open("rb") as file:
        version = file.read(20)[18:]  # 2 = with such a log
    return version == b"\x02\x02" and not path.with_name(f"{path.name}-wal").exists()


def _query(uri: str, path: Path, option: str, seconds: float) -> str | None:
    database = sqlite3.connect(f"file:{quote(str(path))}?{option}", uri=True, timeout=seconds)
    try:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {name for (name,) in rows if not name.startswith("sqlite_")}
        if not _of_mlflow(uri, tables):
            return None
        rows = database.execute(f"SELECT version_num FROM {VERSION}").fetchall() if VERSION in tables else []
        return str(rows[0][0]) if rows else UNVERSIONED
    finally:
        database.close()


def _on_server(uri: str) -> str | None:
    from sqlalchemy import inspect, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with connected(uri) as connection:
            tables = set(inspect(connection).get_table_names())
            row = connection.execute(text(f"SELECT version_num FROM {VERSION}")).first() if VERSION in tables else None
            if not row and FIRST not in tables:  # others may share the database, as PostGIS does
                return None
            _of_mlflow(uri, tables)  # versions of another application would be taken for MLflow's
            return str(row[0]) if row else UNVERSIONED
    except SQLAlchemyError as error:
        raise ValueError(f"store {uri}: {store_error(error)}") from error
