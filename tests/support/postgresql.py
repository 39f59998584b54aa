"""A PostgreSQL server of the tests' own, in a folder that is removed: with a password, and a database a test."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

USER, PASSWORD = "ann", "sEcret%2Fpass%40word"  # as they stand in an address
BINARIES = "/usr/lib/postgresql/*/bin"  # Debian keeps them out of the search path


def why_not() -> str:
    """Why no server can be started here; "" if one can."""
    if program("initdb") is None or program("postgres") is None:
        return "no PostgreSQL server is installed"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg, by which Python speaks to PostgreSQL, is not installed"
    return "" if os.getuid() or unprivileged() else "PostgreSQL does not run as root, and there is no other user"


def program(name: str) -> str | None:
    """Its path; None if it is not installed."""
    folders = sorted(Path("/").glob(BINARIES.lstrip("/")), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)]))


@cache
def unprivileged() -> str | None:
    """A user as whom root starts the server."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def name_of(uri: str) -> str:
    """The database that an address names."""
    return uri.partition("@/")[2].partition("?")[0]


class Server:
    """A server that runs; `database` makes a new, empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def database(self, template: str | None = None) -> str:
        """The address of a new database: an empty one, or a copy of another, which nobody is connected to."""
        name, original = f"bench_{uuid4().hex}", name_of(template) if template else "template1"
        self.ask(self.address("postgres"), f"CREATE DATABASE {name} TEMPLATE {original}")
        return self.address(name)

    @contextmanager
    def away(self, uri: str) -> Iterator[None]:
        """Break off every connection to the database, and refuse new ones."""
        name = name_of(uri)
        everybody = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        self.ask(self.address("postgres"), f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.ask(self.address("postgres"), everybody)
        try:
            yield
        finally:
            self.ask(self.address("postgres"), f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def address(self, name: str) -> str:
        """Through a socket in the folder, which two servers of one machine cannot share."""
        return f"postgresql://{USER}:{PASSWORD}@/{name}?host={self._folder}"

    def ask(self, uri: str, statement: str) -> list[tuple[Any, ...]]:
        """What a statement gives in the database at the address."""
        import psycopg

        with psycopg.connect(uri, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def rows(self, uri: str) -> list[str]:
        """Every row of every table of the database, as text."""
        named = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        tables = [name for (name,) in self.ask(uri, named)]
        return [str(row) for table in tables for row in self.ask(uri, f'SELECT * FROM "{table}"')]


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="bench-postgresql-"))
    options: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    if not os.getuid():
        options |= {"user": unprivileged(), "group": pwd.getpwnam(unprivileged()).pw_gid, "extra_groups": []}
        shutil.chown(folder, options["user"])
    try:
        _prepare(folder, options)
        places = ["-D", "data", "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        process = subprocess.Popen([program("postgres"), *places], **options)
        try:
            started = Server(folder)
            _await(started, process)
            yield started
        finally:
            process.send_signal(2)  # ends at once, whoever is connected
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, options: dict[str, Any]) -> None:
    """Make the files of an empty server."""
    (folder / "password").write_text(unquote(PASSWORD))
    (folder / "password").chmod(0o644)
    files = ["--pgdata", "data", "--username", USER, "--pwfile", "password", "--auth", "scram-sha-256"]
    subprocess.run([program("initdb"), *files, "--encoding", "UTF8", "--no-sync"], check=True, **options)


def _await(started: Server, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    while process.poll() is None:
        try:
            started.ask(started.address("postgres"), "SELECT 1")
            return
        except psycopg.OperationalError as error:
            if "such file" not in str(error) and "starting up" not in str(error):
                raise
            time.sleep(0.1)
    raise RuntimeError("the server has ended")
