"""An error that nobody foresaw is one line and a folder; its traceback is shown to who asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import unforeseen
from small_store import empty

from bench.cli.cli import main

ADDRESS = "http://ann:sEcret77@127.0.0.1:9"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store without a trial, in the working folder, and a folder for reports; reading the store fails in our code."""

    def fails(rows: object) -> None:
        raise KeyError(f"rows of {ADDRESS}?sig=sEcret88")

    monkeypatch.setattr("bench.results.frame.collect.tidy", fails)
    monkeypatch.setattr("sys.argv", ["bench", "table", "--storage", "s3://bucket/x?token=sEcret99"])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "mlflow.db").write_bytes(empty())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state"


def test_one_line_and_a_report_without_anything_secret(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table"]) == 1
    out, err = capsys.readouterr()
    (folder,) = (state / "bench" / "bench-errors").iterdir()
    said = "error: KeyError: 'rows of http://ann:***@127.0.0.1:9?sig=***"
    assert out == "" and err.startswith(said) and err.endswith(f"; a full report is in {folder}\n")
    assert err.count("\n") == 1 == unforeseen(err)
    traceback, about = ((folder / name).read_text() for name in ("traceback.txt", "about.txt"))
    assert traceback.startswith("Traceback (most recent call last):\n") and "in fails\n" in traceback
    assert "command: bench table --storage 's3://bucket/x?token=***'\n" in about and "bench.python: 3." in about
    assert "sEcret" not in err + traceback + about


def test_the_traceback_is_shown_to_who_asks_for_it(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--debug", "table"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and lines[-1].startswith("error: KeyError: ")
    assert "sEcret" not in "\n".join(lines)
    assert main(["table"]) == 1  # of this command alone
    assert capsys.readouterr().err.count("\n") == 1


def test_an_error_that_is_foreseen_has_a_traceback_too(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--debug", "table", "--rates", "high"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and lines[-1].startswith("error: rates 'high'")


def test_a_report_that_cannot_be_written_costs_the_folder_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.write_text("no folder")
    monkeypatch.setattr("tempfile.tempdir", str(state))
    assert main(["table"]) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1 == unforeseen(line) and line.endswith(
        "; no report could be written, `--debug` shows the traceback\n"
    )
