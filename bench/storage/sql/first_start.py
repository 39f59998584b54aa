"""Whose turn it is to make MLflow's tables in a database on a server: two that make them at once both fail.

In PostgreSQL a lock of the database itself decides, between machines too. MLflow's own programs do not ask for it, and
the other servers have none like it: what they make meanwhile is found when the store is opened once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.disk import POLL_SECONDS
from bench.storage.sql.driver import connected

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOCK = int.from_bytes(b"benchmlf")  # the lock's number in a database: any, always the same
# Until the end of the transaction: a lock of the session would outlive it in a pool of connections.
TAKE = "SELECT pg_try_advisory_xact_lock(:lock)"


@contextmanager
def turn(uri: str, on_wait: Callable[[], None], seconds: float) -> Iterator[None]:
    """Keep other commands of ours from making the tables meanwhile.

    Args:   on_wait: called once if another makes them; seconds: the longest wait for it.
    Raises: TimeoutError after that.
    """
    if not uri.startswith("postgresql"):
        yield
        return
    with connected(uri) as connection:
        if not _take(connection):
            on_wait()
            _wait(connection, seconds)
        yield


def _take(connection: Connection) -> bool:
    from sqlalchemy import text

    return bool(connection.execute(text(TAKE), {"lock": LOCK}).scalar())


def _wait(connection: Connection, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not _take(connection):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(POLL_SECONDS)
