"""Stores that do not open: every command says the same one line, and changes nothing."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import mlflow
import pytest
from small_store import empty

from bench.cli.cli import main
from bench.storage import database, store_check
from bench.storage.client.opening import MLFLOW
from bench.storage.client.patience import PATIENCE
from bench.storage.mlflow_store import Store, store_uri
from bench.storage.store_uri import absolute, foreseen

SWEEP = ["--methods", "freeze", "--rates", "0.9", "--epochs", "1"]
COMMANDS = [
    ["run", *SWEEP, "--seeds", "1", "--executor", "local"],
    ["run", *SWEEP, "--seeds", "1", "--dry-run"],
    ["tune", *SWEEP, "--search", "lr", "--budget", "2", "--seeds", "1000:1000"],
    ["table"],
    ["table", "--format", "json"],
    ["list", "trials"],
    ["list", "candidates"],
    ["report", "-o", "page.html"],
    ["power"],
    ["plot", "accuracy", "-o", "plot.svg"],
    ["import", "."],
    ["export", "0123", "-o", "network.frz"],
    ["narrow"],
    ["ui"],
]
SOME = [command for command in COMMANDS if "--dry-run" in command or command in (["table"], ["import", "."], ["ui"])]
Made = tuple[str, str]  # the address, and what is said of it


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(database, "SETTLE_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


def check_lines(said: str, capsys: pytest.CaptureFixture[str], commands: Sequence[list[str]] = ()) -> None:
    """The commands end with exit code 2 and this line; they print nothing, and change nothing in their folder."""
    before = contents(Path.cwd())
    for command in commands or SOME:
        assert main(command) == 2, command
        out, err = capsys.readouterr()
        assert (out, err.splitlines()[-1]) == ("", f"error: {said}"), command
        assert "sEcret" not in err
        assert contents(Path.cwd()) == before, command


def tables(file: Path, *statements: str) -> str:
    """The address of a database that is made by these statements."""
    with sqlite3.connect(file) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{file}"


def versioned(file: Path, version: str) -> str:
    """A database with MLflow's tables, as far as their version shows."""
    rows = "CREATE TABLE experiments (x)", "CREATE TABLE alembic_version (version_num)"
    return tables(file, *rows, f"INSERT INTO alembic_version VALUES ('{version}')")


def foreign(folder: Path) -> Made:
    uri = tables(
        folder / "places.db", "CREATE TABLE places (x INTEGER PRIMARY KEY AUTOINCREMENT)", "CREATE TABLE a (x)"
    )
    return uri, f"store {uri}: the database is another application's, with tables as a, places; name one of its own"


def foreign_with_log(folder: Path) -> Made:
    uri = tables(folder / "places.db", "PRAGMA journal_mode = wal", "CREATE TABLE places (x)")
    return uri, f"store {uri}: the database is another application's, with tables as places; name one of its own"


def foreign_with_versions(folder: Path) -> Made:
    uri = tables(folder / "shop.db", "CREATE TABLE alembic_version (version_num)", "CREATE TABLE users (x)")
    tail = "the database is another application's, with tables as alembic_version, users; name one of its own"
    return uri, f"store {uri}: {tail}"


def newer(folder: Path) -> Made:
    uri = versioned(folder / "a.db", "ffffffffffff")
    tail = f"than the {mlflow.__version__} installed: install that one"
    return uri, f"store {uri}: its tables are of a newer MLflow (version ffffffffffff) {tail}"


def older(folder: Path) -> Made:
    former = database.versions(Path(mlflow.__file__).parent)[1]
    uri = versioned(folder / "a.db", former)
    tail = f"(version {former}): keep a copy, then `mlflow db upgrade {uri}`"
    return uri, f"store {uri}: its tables are of an older MLflow {tail}"


def without_version(folder: Path) -> Made:
    uri = tables(folder / "a.db", "CREATE TABLE experiments (x)")
    return uri, f"store {uri}: MLflow's tables are there, without their version: half made, or damaged"


def text(folder: Path) -> Made:
    (file := folder / "a.db").write_text("no database at all, but long enough to look like one " * 20)
    return f"sqlite:///{file}", f"store sqlite:///{file}: {file} is no SQLite database; name one, or a new file"


def truncated(folder: Path) -> Made:
    file = folder / "a.db"
    uri = tables(file, "CREATE TABLE experiments (x)", "CREATE TABLE runs (x)")
    file.write_bytes(file.read_bytes()[:5000])
    return uri, f"store {uri}: {file} cannot be read: database disk image is malformed"


def damaged(folder: Path) -> Made:
    file = folder / "a.db"
    uri = tables(file, "CREATE TABLE experiments (x)")
    file.write_bytes(file.read_bytes()[:100] + b"\xaa" * 8092)
    return uri, f"store {uri}: {file} cannot be read: database disk image is malformed"


def is_folder(folder: Path) -> Made:
    (file := folder / "a.db").mkdir()
    return f"sqlite:///{file}", f"store sqlite:///{file}: {file} is a folder"


def pipe(folder: Path) -> Made:
    os.mkfifo(file := folder / "a.db")
    return f"sqlite:///{file}", f"store sqlite:///{file}: {file} is no file"


def dangling(folder: Path) -> Made:
    (file := folder / "a.db").symlink_to(folder / "none.db")
    return f"sqlite:///{file}", f"store sqlite:///{file}: {file} is a link to {folder}/none.db, which does not exist"


def below_a_file(folder: Path) -> Made:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/a.db", f"store sqlite:///{folder}/file/a.db: {folder}/file is no folder"


def file_store(folder: Path) -> Made:
    tail = "MLflow no longer writes to a folder unless MLFLOW_ALLOW_FILE_STORE=true; a database is better, as"
    return "kept", f"store {(folder / 'kept').as_uri()}: {tail} MLFLOW_TRACKING_URI=sqlite:///mlflow.db"


MAKERS: list[Callable[[Path], Made]] = [
    foreign, foreign_with_log, foreign_with_versions, newer, older, without_version, text, truncated, damaged,
    is_folder, pipe, dangling, below_a_file, file_store,
]  # fmt: skip


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_what_is_no_store(
    maker: Callable[[Path], Made], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, said = maker(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_lines(said, capsys)


def test_every_command_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri, said = foreign(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_lines(said, capsys, COMMANDS)


SCHEME = "must be one of sqlite, http, https, postgresql, mysql, mssql"
CLOSE = "; did you mean sqlite?"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("databricks", f"store databricks: unknown scheme 'databricks': {SCHEME}"),
        ("databricks://ann", f"store databricks://ann: unknown scheme 'databricks': {SCHEME}"),
        ("s3://bucket/runs", f"store s3://bucket/runs: unknown scheme 's3': {SCHEME}"),
        (
            "postgres://ann:sEcret@host/x",
            f"store postgres://ann:***@host/x: unknown scheme 'postgres': {SCHEME}; did you mean postgresql?",
        ),
        ("sqlite://", "store sqlite://: must be sqlite:///FILE"),
        ("SQLITE:///a.db", "store SQLITE:///a.db: must be sqlite:///FILE"),
        ("sqlite:///:memory:", "store sqlite:///:memory:: must name a file, as sqlite:///mlflow.db"),
        ("sqlite:///~/a.db", "store sqlite:///~/a.db: ~ means a home folder to a shell only: write its path"),
        ("~ann/runs", "store ~ann/runs: ~ann means a home folder to a shell only: write its path"),
        (
            "file://kept",
            "store file://kept: kept stands where a host does: a folder is file:///FOLDER, with its whole path",
        ),
        ("http://", "store http://: must name a host, as http://host:5000"),
        (
            "http://ann:sEcret@host:no",
            "store http://ann:***@host:no: its port must be a number from 1 to 65535",
        ),
        (
            "//ann:sEcret@host/x",
            "store //ann:***@host/x: ann:***@host stands where a host does: a folder is file:///FOLDER, with its whole "
            "path",
        ),
        ("ann:sEcret@host:5000", f"store ann:***@host:5000: unknown scheme 'ann': {SCHEME}"),
        (
            "sqlite+aiosqlite:///a.db",
            "store sqlite+aiosqlite:///a.db: unknown scheme 'sqlite+aiosqlite': " + SCHEME + CLOSE,
        ),
        ("http://[::1", "store http://[::1: Invalid IPv6 URL"),
        (" ", "MLFLOW_TRACKING_URI ' ': must be the address of a store, or unset"),
        ("sqlite:///a.db\n", "MLFLOW_TRACKING_URI 'sqlite:///a.db\\n': must have no blanks around it"),
        (
            "http://ann:sEcret@127.0.0.1:9",
            "store http://ann:***@127.0.0.1:9: no answer ([Errno 111] Connection refused)",
        ),
        (
            "mysql+pymysql://ann:sEcret@host/x",
            "store mysql+pymysql://ann:***@host/x: needs the package pymysql: `pip install 'pymysql'`",
        ),
        (
            "postgresql+psycopg2://ann@host/x?password=sEcret",
            "store postgresql+psycopg2://ann@host/x?password=***: needs the package psycopg2-binary: "
            "`pip install 'psycopg2-binary'`",
        ),
        (
            "mysql+none://host/x",
            "store mysql+none://host/x: Can't load plugin: sqlalchemy.dialects:mysql.none",
        ),
    ],
)
def test_what_is_no_address(
    uri: str, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for driver in ("pymysql", "psycopg2"):
        monkeypatch.setitem(sys.modules, driver, None)  # as if it were not installed
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_lines(said, capsys)


def test_a_locked_store(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    uri = versioned(folder / "a.db", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.02)
    other = sqlite3.connect(folder / "a.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    check_lines(
        f"store {uri}: locked by another process for more than 0.02 seconds; try again when that has ended", capsys
    )
    assert main(["table"]) == 2
    waiting = f"store {uri}: locked by another process; waiting 0.02 seconds at the most"
    assert capsys.readouterr().err.splitlines()[0] == waiting
    other.close()


class Server(BaseHTTPRequestHandler):
    """Answers what its class says; an empty store of MLflow to whoever has the right password."""

    code, body, authorization = 200, b"{}", ""

    def do_GET(self) -> None:
        allowed = self.authorization in ("", self.headers.get("Authorization")) or self.path == "/health"
        self.send_response(self.code if allowed else 401)
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def served(**answer: object) -> Iterator[str]:
    """The address, without its scheme, of a server that answers so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Server,), answer)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


ENDPOINT = "API request to endpoint /api/2.0/mlflow/experiments/search failed with error code"


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_server_that_refuses(
    code: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(code=code, body=b"not\nyou") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:sEcret@{address}")
        check_lines(f"store http://ann:***@{address}: {ENDPOINT} {code} != 200. Response body: 'not you'", capsys)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A client that tries again at once."""
    for name in ("FACTOR", "JITTER"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_BACKOFF_{name}", "0")


@pytest.mark.usefixtures("patient")
def test_a_server_that_has_no_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    token = "sEcret" * 150  # longer than the message is
    with served(code=503, body=b"") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{token}@{address}")
        assert main(["table"]) == 2
    said = f"error: store http://ann:***@{address}: no answer (too many 503 error responses)"
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


@pytest.mark.usefixtures("patient")
def test_a_server_that_starts_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    codes = iter([200, 503, 503])  # of its health, and of its first two answers
    with served(code=property(lambda _: next(codes, 200))) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{address}")
        assert main(["table"]) == 2
    said = f"error: no trial in the store http://{address}: `python -m bench run` trains some"
    assert capsys.readouterr().err.splitlines()[-1] == said


def test_the_longest_wait_for_a_server_is_below_two_minutes() -> None:
    tries = 1 + int(PATIENCE["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    assert database.SERVER_SECONDS >= 20 and (1 + tries) * database.SERVER_SECONDS + 2**tries <= 120


def test_a_server_that_is_none_of_mlflow(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(body=b"<html>welcome</html>") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{address}")
        assert main(["table"]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: store http://{address}: ") and "welcome" in error and error.count("\n") == 1


def test_a_server_that_never_answers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database, "SERVER_SECONDS", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        check_lines(f"store {uri}: no answer (timed out)", capsys)


def test_user_and_password_of_an_address_are_sent_by_every_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = f"Basic {b64encode(b'ann:sEcret').decode()}"
    with served(authorization=right) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:sEcret@{address}")
        for command in (["table"], ["list", "trials"], ["plot", "accuracy", "-o", "a.svg"]):
            assert main(command) == 2
            expected = f"error: no trial in the store http://ann:***@{address}: `python -m bench run` trains some\n"
            assert capsys.readouterr().err == expected
        assert main(["run", *SWEEP, "--seeds", "1", "--dry-run"]) == 0
        counts = "2 trials: 0 done before, 2 to train; "
        assert capsys.readouterr().err.splitlines()[-1] == f"{counts}store http://ann:***@{address}"


def test_a_database_without_tables_is_a_store_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = tables(folder / "a.db", "CREATE TABLE x (x)", "DROP TABLE x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    store_check.check_writable(uri)
    before = contents(folder)
    assert main(["table"]) == 2
    assert capsys.readouterr().err.startswith(f"error: no store at {uri}: `python -m bench run` makes one, ")
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "a%20b.db", "a?b.db"])
def test_blanks_and_signs_in_a_path(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow opens the file that we look at, in a folder with the same signs."""
    (inner := folder / name.removesuffix(".db")).mkdir()
    (inner / name).write_bytes(empty())
    monkeypatch.chdir(inner)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{quote(name)}")
    uri = store_uri()
    assert store_check.exists(uri)
    Store(uri).experiment("here")
    assert [path.name for path in inner.iterdir() if path.suffix == ".db"] == [name]
    with sqlite3.connect(inner / name) as connection:
        assert ("here",) in connection.execute("SELECT name FROM experiments").fetchall()


def test_the_store_of_a_folder_is_foreseen_as_mlflow_has_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of runs are in `mlruns` beside a database; a store of files has its experiments there."""
    (folder / "mlruns" / "0").mkdir(parents=True)
    assert foreseen() is None  # MLflow is imported here, and may have been told another
    with monkeypatch.context() as without_mlflow:
        without_mlflow.delitem(sys.modules, "mlflow")
        assert foreseen() == f"sqlite:///{folder}/mlflow.db"
        (folder / "mlruns" / "0" / "meta.yaml").touch()
        assert foreseen() is None
    assert store_uri() == (folder / "mlruns").as_uri()


@pytest.mark.parametrize("name", ["x (1)", "a[b]", "50%", "a%20b", "ü#?"])
def test_the_store_of_a_folder_with_signs_makes_no_folder_beside_it(name: str, folder: Path) -> None:
    (inner := folder / name).mkdir()
    (inner / "mlflow.db").write_bytes(empty())
    os.chdir(inner)
    assert foreseen() == store_uri()
    Store(store_uri()).experiment("here")
    with sqlite3.connect(inner / "mlflow.db") as connection:
        assert ("here",) in connection.execute("SELECT name FROM experiments").fetchall()
    assert [path.name for path in folder.iterdir()] == [name]


def test_an_address_with_the_name_of_sqlites_driver(folder: Path) -> None:
    assert absolute("sqlite+pysqlite:///a.db?timeout=5") == f"sqlite:///{folder}/a.db?timeout=5"


def test_reading_waits_for_no_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "mlflow.db").write_bytes(empty())
    capsys.readouterr()  # what MLflow says of the first tables that a process makes
    with open_folder(folder) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main(["table"]) == 2
        said = f"error: no trial in the store sqlite:///{folder}/mlflow.db: `python -m bench run` trains some\n"
        assert capsys.readouterr().err == said


def test_creating_a_store_waits_for_a_lock_with_a_word_and_an_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database, "CREATING_SECONDS", 0.02)
    uri = f"sqlite:///{folder}/mlflow.db"
    busy = f"store {uri}: its folder {folder} is locked by another process"
    with open_folder(folder) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError) as error:
            Store(uri)
    assert str(error.value) == f"{busy} for more than 0.02 seconds; try again when that has ended"
    assert capsys.readouterr().err == f"{busy}; waiting 0.02 seconds at the most\n"
    assert [*folder.iterdir()] == []


@contextmanager
def open_folder(folder: Path) -> Iterator[int]:
    """Another opening, which stands for another process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_tables_that_another_process_is_making_are_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `mlflow ui` does in the same folder: first the tables, then their version, step by step."""
    monkeypatch.setattr(database, "SETTLE_SECONDS", 5.0)
    newest, before, *_ = database.versions(MLFLOW)
    uri = tables(folder / "a.db", "CREATE TABLE experiments (x)")
    steps = [
        ("CREATE TABLE alembic_version (version_num)",),
        (f"INSERT INTO alembic_version VALUES ('{before}')",),
        (f"UPDATE alembic_version SET version_num = '{newest}'",),
    ]
    monkeypatch.setattr(database.time, "sleep", lambda _: tables(folder / "a.db", *steps.pop(0)))
    database.check_version(uri, MLFLOW, mlflow.__version__)
    assert not steps and database.is_current(uri, MLFLOW)


@pytest.mark.parametrize(
    ("statements", "version"),
    [
        (["CREATE TABLE spatial_ref_sys (x)"], None),
        (["CREATE TABLE spatial_ref_sys (x)", "CREATE TABLE alembic_version (version_num)"], None),
        (["CREATE TABLE users (x)", "CREATE TABLE experiments (x)"], database.UNVERSIONED),
    ],
)
def test_a_database_server_may_be_shared(statements: list[str], version: str | None, folder: Path) -> None:
    """SQLite stands for the server: SQLAlchemy reads both alike."""
    assert database._on_server(tables(folder / "a.db", *statements)) == version


def test_versions_of_another_application_are_not_shared(folder: Path) -> None:
    uri, said = foreign_with_versions(folder)
    tables(folder / "shop.db", "INSERT INTO alembic_version VALUES ('1')")
    with pytest.raises(ValueError) as error:
        database._on_server(uri)
    assert str(error.value) == said


def test_a_half_written_change_of_a_killed_process_is_undone(folder: Path) -> None:
    uri, copy = versioned(folder / "a.db", "1"), folder / "b.db"
    with sqlite3.connect(folder / "a.db", isolation_level=None) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("UPDATE alembic_version SET version_num = '2'")
        writer.executemany("INSERT INTO experiments VALUES (?)", [("x" * 4000,)] * 50)
        for suffix in ("", "-journal"):  # as they stand when a process is killed
            copy.with_name(f"b.db{suffix}").write_bytes((folder / f"a.db{suffix}").read_bytes())
        writer.execute("ROLLBACK")
    assert database.version(f"sqlite:///{copy}") == "1"
    assert database.version(uri) == "1"


def test_an_error_that_nobody_foresaw_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := folder / "mlflow.db").write_bytes(empty())
    with sqlite3.connect(file) as connection:
        pages = connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = 'tags'").fetchall()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with file.open("r+b") as database_file:
        for (page,) in pages:
            database_file.seek((page - 1) * size)
            database_file.write(b"\xaa" * size)
    for command in (["table"], ["export", "0123", "-o", "a.frz"], ["run", *SWEEP, "--seeds", "1", "--dry-run"]):
        assert main(command) == 2
        expected = f"error: store sqlite:///{file}: database disk image is malformed"
        assert capsys.readouterr().err.splitlines()[-1] == expected


def test_a_mistake_of_the_program_is_no_error_of_the_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    (folder / "mlflow.db").write_bytes(empty())
    monkeypatch.setattr("bench.results.frame.collect.tidy", lambda rows: rows["none"])
    assert main(["table"]) == 1
    assert capsys.readouterr().err.startswith("error: TypeError: list indices must be integers or slices, not str; a ")
