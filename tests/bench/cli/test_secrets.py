"""A password in the store's address and a key in that of the checkpoints are in nothing that is printed or kept."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest
from command_line import bench, called
from postgresql import PASSWORD, Server
from small_store import empty

SECRET = "sEcret"
SWEEP = ["--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local", "--name", "x"]
SHOWING = [
    ["table", "--full"], ["list", "trials", "--format", "csv"], ["report", "-o", "page.html"], ["report", "-o", "a.md"],
    ["power"], ["export", "0123", "-o", "a.frz"], ["narrow"], ["--debug", "table", "--rates", "0.1"],
]  # fmt: skip


def storage(folder: Path) -> str:
    return f"file://{folder}/checkpoints?secret_key={SECRET}&X-Amz-Signature={SECRET}"


def check_nothing_secret(folder: Path, done: list[subprocess.CompletedProcess[str]], rows: list[str]) -> None:
    """In no output, no file of the folder, no row of the store."""
    printed = "".join(process.stdout + process.stderr for process in done)
    assert SECRET not in printed
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert len(kept) > 3 and [path for path in kept if SECRET.encode() in path.read_bytes()] == []
    assert not [row for row in rows if SECRET in row]


def test_of_a_sweep_offline_and_of_its_import(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty())
    run = ["run", *SWEEP, "--storage", storage(tmp_path)]
    done = [called(tmp_path, *run, "--offline", "kept"), called(tmp_path, "import", "kept")]
    assert [process.returncode for process in done] == [0, 0], done
    done += [called(tmp_path, *command) for command in [*SHOWING, [*run, "--print-config"], [*run, "--dry-run"]]]
    check_nothing_secret(tmp_path, done, [])
    stored = b"--storage 'file:" + f"//{tmp_path}/checkpoints?secret_key=***&X-Amz-Signature=***'".encode()
    assert stored in (tmp_path / "mlflow.db").read_bytes()
    assert f'# storage = "file://{tmp_path}/checkpoints?secret_key=***' in done[-2].stdout


@pytest.mark.slow
def test_of_a_sweep_in_postgresql_with_other_trackers_and_a_server_that_goes(
    tmp_path: Path, database: str, server: Server
) -> None:
    trackers = "mlflow,csv,wandb" if importlib.util.find_spec("wandb") else "mlflow,csv"
    environment = {"MLFLOW_TRACKING_URI": database, "WANDB_MODE": "offline", "XDG_STATE_HOME": str(tmp_path / "state")}
    run = ["run", *SWEEP, "--storage", storage(tmp_path), "--tracking", trackers]
    done = [bench(tmp_path, *run, **environment)]
    assert done[0].returncode == 0, done
    done += [called(tmp_path, *command, **environment) for command in SHOWING]
    wrong = {**environment, "MLFLOW_TRACKING_URI": database.replace("/bench_", "/none_")}
    done += [called(tmp_path, *command, **wrong) for command in (run, ["--debug", "table"])]
    assert [process.returncode for process in done[-2:]] == [2, 2]
    check_nothing_secret(tmp_path, done, server.rows(database))
    assert PASSWORD.startswith(SECRET)
