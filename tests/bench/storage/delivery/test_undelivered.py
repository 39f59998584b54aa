"""Finished trials on the disk until the store has them: real stores, real kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stored_entries
from stored_entries import entry, keys, spec
from tracking_server import TrackingServer, kill, tracking_server

from bench import names
from bench.storage import offline_folder
from bench.storage.delivery.folders import folder_of
from bench.storage.delivery.redeliver import redeliver
from bench.storage.delivery.undelivered import LOCK, WAITING, Undelivered, taken
from bench.storage.ownership.owner import EXPIRY_SECONDS, Owner

KILLED = """
import signal, sys
from stored_entries import entry, spec
from bench.storage.recorder import Recorder
uri = sys.argv[1]
class Slow(Recorder):
    def write(self, entry):  # the store is out of reach
        if entry is not None:
            signal.pause()
    def write_together(self, entries):
        signal.pause()
with Slow(uri, "sweep", [spec(seed).run_key for seed in range(3)], {}, "bench run") as recorder:
    for seed in range(3):
        recorder.put(entry(seed))
    print("3 done", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mlflow.db"


def started(uri: str, code: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(stored_entries.__file__).parent), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    command = [sys.executable, "-c", code, uri]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_command_had_done_is_delivered_by_the_next(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = started(uri, KILLED)
    assert process.stdout is not None and process.stdout.readline() == "3 done\n"
    redeliver(uri)  # the command lives: it may be about to deliver them itself
    assert keys(uri) == set() and capsys.readouterr().err == ""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(folder_of(uri).glob("*/*.jsonl"))) == 3
    redeliver(uri)
    assert keys(uri) == {spec(seed).run_key for seed in range(3)}
    assert capsys.readouterr().err == f"store {uri}: 3 results of an earlier command delivered\n"
    assert sorted(path.read_bytes() for path in tmp_path.rglob(names.NETWORK_FILE)) == [
        b"network 0", b"network 1", b"network 2"
    ]  # fmt: skip
    assert not folder_of(uri).exists()
    redeliver(uri)
    assert capsys.readouterr().err == ""


DELIVERS = """
import sys
from bench.storage.delivery.redeliver import redeliver
import bench.storage.delivery.redeliver as module
deliver = module._deliver
def slowly(folder, uri):
    print("begun", flush=True)
    sys.stdin.readline()
    deliver(folder, uri)
module._deliver = slowly
redeliver(sys.argv[1])
"""


def test_what_another_is_delivering_is_waited_for(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Else its trials would be trained again meanwhile."""
    killed = started(uri, KILLED)
    assert killed.stdout is not None and killed.stdout.readline() == "3 done\n"
    killed.kill()
    killed.communicate()
    (folder,) = folder_of(uri).iterdir()
    process = started(uri, DELIVERS)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    threading.Thread(target=_once_said, args=(capsys, process)).start()
    redeliver(uri)
    assert keys(uri) == {spec(seed).run_key for seed in range(3)}
    process.communicate()
    assert not folder.exists()


def _once_said(capsys: pytest.CaptureFixture[str], process: subprocess.Popen[str]) -> None:
    """Let the other go on once it is said that it is waited for."""
    said = ""
    while WAITING not in said:
        time.sleep(0.01)
        said += capsys.readouterr().err
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_the_network_is_on_the_disk_too_until_the_store_has_the_trial(uri: str) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0))
    kept.put(entry(1, names.FAILED))
    read = offline_folder.read(kept.folder)
    assert {e.run_key: offline_folder.contents(e.result) for e in read} == {
        spec(0).run_key: b"network 0", spec(1).run_key: b"network 1"
    }  # fmt: skip
    kept.remove(entry(0))
    assert not kept.has(entry(0)) and kept.has(entry(1, names.FAILED))
    assert len(list(kept.folder.glob("[!.]*"))) == 2
    kept.remove(entry(1, names.FAILED))
    assert list(kept.folder.glob("[!.]*")) == []
    kept.close()
    assert not folder_of(uri).exists()


def test_what_is_left_when_it_closes_stays(uri: str) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0))
    kept.close()
    with taken(kept.folder) as is_left:
        assert is_left
        assert [e.run_key for e in offline_folder.read(kept.folder)] == [spec(0).run_key]


def test_what_this_very_process_is_about_to_store_is_left_to_it(uri: str) -> None:
    undelivered = Undelivered(uri)
    undelivered.put(entry(0))
    redeliver(uri)
    assert keys(uri) == set()
    undelivered.close()
    redeliver(uri)
    assert keys(uri) == {spec(0).run_key}


def test_a_damaged_line_stays_and_is_named(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0))
    (damaged := kept.folder / "damaged.jsonl").write_text("{}\n")
    kept.close()
    for said in (f"store {uri}: 1 result of an earlier command delivered\n", ""):
        redeliver(uri)
        reason = f"{damaged}, line 1: no trial: not a JSON object with a format"
        assert capsys.readouterr().err == f"{said}warning: {reason}; left in {kept.folder}\n"
        assert keys(uri) == {spec(0).run_key}
        assert damaged.read_text() == "{}\n"


def test_an_empty_folder_of_a_killed_command_is_removed(uri: str) -> None:
    (folder_of(uri) / "host-1-2").mkdir(parents=True)
    redeliver(uri)
    assert not folder_of(uri).exists()


def test_a_disk_that_takes_nothing_is_said_once(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder_of(uri).write_text("a file in the way")
    kept = Undelivered(uri)
    kept.put(entry(0))
    kept.put(entry(1))
    assert not kept.has(entry(0))
    kept.remove(entry(0))
    kept.close()
    lost = "what is not in the store yet would be lost with this process"
    assert capsys.readouterr().err == f"warning: {kept.folder}: cannot be written: Not a directory; {lost}\n"
    assert folder_of(uri).read_text() == "a file in the way"


def test_the_folder_of_a_server_is_the_users_and_names_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folders = {folder_of(f"postgresql://ann:secret@{host}/mlflow") for host in ("one", "two", "one")}
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {tmp_path / "bench" / "undelivered"}
    assert "secret" not in str(folders)


@pytest.mark.parametrize("machine", ["here", "elsewhere"])
def test_without_locks_the_owner_that_a_folder_names_decides(
    uri: str, monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    """As over NFS without its lock service: every lock is refused."""
    process = started(uri, KILLED)
    assert process.stdout is not None and process.stdout.readline() == "3 done\n"
    monkeypatch.setattr("fcntl.flock", refuse)
    (lock,) = folder_of(uri).glob(f"*/{LOCK}")
    owner = Owner.of(lock.read_text())
    assert owner is not None and owner.process == process.pid
    lock.write_text(replace(owner, machine=owner.machine if machine == "here" else "elsewhere").tag())
    redeliver(uri)
    assert keys(uri) == set()
    process.kill()
    process.communicate()
    old = time.time() - EXPIRY_SECONDS - 60
    lock.write_text(replace(owner, machine=owner.machine if machine == "here" else "elsewhere", alive=old).tag())
    os.utime(lock, (old, old))
    redeliver(uri)
    assert keys(uri) == {spec(seed).run_key for seed in range(3)} and not folder_of(uri).exists()


def refuse(*given: object) -> None:
    raise OSError(9, "Bad file descriptor")


def test_a_network_that_a_kill_left_without_its_line_is_removed(uri: str) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0))
    kept.close()
    next(kept.folder.glob("*.jsonl")).unlink()
    redeliver(uri)
    assert not folder_of(uri).exists()


def test_a_folder_that_somebody_removed_is_made_again(uri: str) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0))
    shutil.rmtree(folder_of(uri))
    kept.put(entry(1))
    assert [e.run_key for e in offline_folder.read(kept.folder)] == [spec(1).run_key]


def test_a_folder_that_cannot_be_read_is_one_line(
    uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0))
    kept.close()

    def denied(*given: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("bench.storage.delivery.redeliver.taken", denied)
        redeliver(uri)
    assert capsys.readouterr().err == f"warning: {kept.folder}: cannot be delivered: Permission denied\n"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", denied)
        redeliver(uri)
    said = "cannot be read, nor what earlier commands may have left there: Permission denied"
    assert capsys.readouterr().err == f"warning: {folder_of(uri)}: {said}\n"


def test_two_entries_of_one_trial_are_two(uri: str) -> None:
    kept = Undelivered(uri)
    kept.put(entry(0, names.FAILED))
    kept.put(replace(entry(0), result=replace(entry(0).result, artefact=b"")))
    kept.remove(entry(0))
    assert [e.result.outcome for e in offline_folder.read(kept.folder)] == [names.FAILED]
    kept.close()
    assert folder_of(uri).exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TrackingServer]:
    with tracking_server(tmp_path) as server:
        yield server


STORED_THEN_KILLED = """
import sys
from stored_entries import entry, spec
from bench.storage.recorder import Recorder
with Recorder(sys.argv[1], "sweep", [spec(seed).run_key for seed in range(5)], {}, "bench run") as recorder:
    for line in sys.stdin:
        recorder.put(entry(int(line)))
        print("done", flush=True)
"""


@pytest.mark.slow
def test_a_server_that_is_gone_and_then_a_killed_command_lose_nothing(
    server: TrackingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    start, uri = server.start, server.uri
    first = start()
    process = started(uri, STORED_THEN_KILLED)
    assert process.stdin is not None and process.stdout is not None

    def finish(seed: int) -> None:
        process.stdin.write(f"{seed}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    finish(0)
    while keys(uri) != {spec(0).run_key}:
        time.sleep(0.1)
    kill(first)
    for seed in (1, 2, 3, 4):
        finish(seed)
    process.kill()
    process.communicate()
    start()
    redeliver(uri)
    assert keys(uri) == {spec(seed).run_key for seed in range(5)}
    assert not folder_of(uri).exists()
