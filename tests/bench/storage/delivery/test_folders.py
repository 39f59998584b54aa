"""Where the undelivered results of a store are: one folder for each store, whatever its address looks like."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from stored_entries import entry, keys

from bench.storage.delivery import folders
from bench.storage.delivery.folders import folder_of, former_folders, unknown_folders
from bench.storage.delivery.redeliver import redeliver
from bench.storage.delivery.undelivered import Undelivered
from bench.storage.mlflow_store import Store

SAME = (
    (
        "http://host:5000",
        "http://host:5000/",
        "HTTP://Host:5000",
        "http://ann:secret@host:5000",
        "http://a:b@HOST:5000/",
    ),
    ("http://host/mlflow", "http://host:80/mlflow/"),
    ("https://host", "https://host:443"),
    (
        "postgresql://ann:secret@host/mlflow",
        "postgresql+psycopg2://bob:other@host:5432/mlflow",
        "postgresql://host/mlflow?user=ann&password=x",
    ),
    ("postgresql:///mlflow?host=/run/a",),
    ("postgresql:///mlflow?host=/run/b",),
    ("postgresql://host/mlflow?options=-csearch_path%3Done",),
    ("postgresql://host/MLflow",),
    ("http://host:5001",),
    ("mssql+pyodbc:///?odbc_connect=Server%3Da%3BPWD%3Dx%3B", "mssql+pyodbc:///?odbc_connect=Server%3Da%3BPWD%3Dy%3B"),
    ("mssql+pyodbc:///?odbc_connect=Server%3Db%3BPWD%3Dx%3B",),
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "bench" / "undelivered"


def former_name(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:16]


def test_a_store_has_one_folder_and_no_two_have_the_same(state: Path) -> None:
    of_store = [{folder_of(uri) for uri in uris} for uris in SAME]
    assert [len(found) for found in of_store] == [1] * len(SAME)
    assert len(set.union(*of_store)) == len(SAME)
    assert not [path for found in of_store for path in found if path.parent != state or "secret" in path.name]


def test_where_an_earlier_version_kept_them_is_looked_at_too(state: Path) -> None:
    uri = "http://ann:secret@host:5000/"
    assert former_folders(uri) == [state / former_name(uri)]
    for name in (former_name(uri), former_name("http://host:5000"), folder_of(uri).name):
        (state / name).mkdir(parents=True)
    assert [*unknown_folders(uri)] == [state / former_name("http://host:5000")]


def test_a_folder_of_an_unknown_server_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (former := state / "0123456789abcdef").mkdir(parents=True)
    for _ in range(2):  # and said once
        redeliver("http://127.0.0.1:9")
    assert capsys.readouterr().err == (
        f"warning: {former}: results that an earlier version kept for a server, perhaps this one under another "
        f"address; `python -m bench import {former}/COMMAND` stores those of a command\n"
    )


def test_a_link_is_the_store_that_it_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    Store(f"sqlite:///{tmp_path}/there/mlflow.db")
    (link := tmp_path / "link.db").symlink_to(tmp_path / "there" / "mlflow.db")
    uri = f"sqlite:///{link}"
    assert folder_of(uri) == folder_of(f"sqlite:///{tmp_path}/there/mlflow.db")
    with monkeypatch.context() as patch:  # as an earlier version
        patch.setattr("bench.storage.delivery.undelivered.folder_of", lambda uri: former_folders(uri)[0])
        kept = Undelivered(uri)
        kept.put(entry(0))
        kept.close()
    assert kept.folder.parent == tmp_path / "link.db-undelivered"
    redeliver(uri)
    assert keys(uri) == {entry(0).run_key}
    assert not kept.folder.parent.exists() and not former_folders(uri)[0].exists()


def test_a_store_that_does_not_answer_is_asked_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = "http://127.0.0.1:9"
    for seed in range(3):
        kept = Undelivered(uri)
        kept.put(entry(seed))
        kept.close()
    redeliver(uri)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"warning: store {uri}: no answer (")
    assert said.endswith(f"; what earlier commands finished stays in {folder_of(uri)}")
    assert len([*folder_of(uri).glob("*/*.jsonl")]) == 3 and folders.PORTS["http"] == 80
