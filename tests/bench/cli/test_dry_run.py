"""`run --dry-run`: tells what is missing and what it takes, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_trials import spec

from bench.cli.cli import main
from bench.cli.dry_run import Estimate, as_text, slots
from bench.execution.execution import Execution

SWEEP = ("run", "--rates", "0.9,0.99", "--seeds", "2", "--epochs", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_a_dry_run_trains_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in out.splitlines()[2:5]]
    assert [row[:4] for row in rows] == [
        ["dense", "dense", "0", "2"], ["sparse", "freeze", "0.9", "4"], ["sparse", "prune", "0.9", "4"],
    ]  # fmt: skip
    assert all(float(row[4]) > 0 for row in rows) and "of one worker" in out
    assert "10 trials: 0 done before, 10 to train" in err
    assert list(folder.iterdir()) == []


def test_what_is_done_is_not_estimated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, "--executor", "local", "--methods", "freeze"]) == 0
    before = (folder / "mlflow.db").read_bytes()
    assert main([*SWEEP, "--executor", "local", "--methods", "freeze", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "6 trials: 6 done before, 0 to train" in err
    assert main([*SWEEP, "--executor", "local", "--dry-run"]) == 0
    out, _ = capsys.readouterr()
    assert "prune" in out and "freeze" not in out and "with 1 at a time" in out
    assert (folder / "mlflow.db").read_bytes() == before


def test_the_sum_by_hand() -> None:
    fields = {"dataset": "digits", "background": "freeze", "rate": "0.9", "step_seconds": 0.001, "peak_bytes": 10**9}
    dense = [Estimate(step="dense", trials=3, trial_seconds=1200, **fields)]
    shown = as_text([*dense, Estimate(step="sparse", trials=4, trial_seconds=900, **fields)], 2, spec())
    assert "2.0 h of one worker; about 1.0 h with 2 at a time; 2,000 MB of the" in shown
    assert "| dense  | freeze       | 0.9           | 3        | 1.00      | 20.0 min | 1,000     |" in shown
    assert "at a time" not in as_text(dense, None, spec())
    other = Estimate(step="dense", trials=1, trial_seconds=1800, stands_in=True, **{**fields, "dataset": "mnist"})
    both = as_text([*dense, other], 1, spec())
    assert "| digits     | dense  |" in both and "| mnist      | dense  |" in both and "1.5 h of one worker" in both
    assert "timed from drawn weights with a random mask of their rate" in both and "random mask" not in shown
    assert "together in a batched step they take less time" in as_text(dense, None, spec(pack="vmap"))


def test_what_is_trained_first_is_estimated_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--methods", "lth,freeze", "--rates", "0.3", "--seeds", "2", "--epochs", "1", "--executor", "local")
    assert main(["run", *options, "--start", "pretrained:digits", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in out.splitlines()[2:5]]
    assert [row[:4] for row in rows] == [
        ["dense", "dense", "0", "4"], ["dense", "prune", "0.2", "4"], ["dense", "freeze", "0.3", "2"],
    ]  # fmt: skip
    assert "timed from drawn weights with a random mask of their rate" in out and "fail" not in out
    assert "= 6 trials, and first 4 trials of digits" in err
    assert "6 trials: 0 done before, 6 to train, and first 4 trials that they need" in err


def test_a_background_that_fades_is_estimated_by_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--methods",
        "freeze,freeze:fade=linear",
        "--rates",
        "0.9",
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--no-dense",
    )
    assert main(["run", *options, "--dry-run", "--executor", "local"]) == 0
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert [row[1:4] for row in rows[2:4]] == [["freeze", "0.9", "2"], ["freeze, fading", "0.9", "2"]]


def test_a_stopwatch_of_one_background_refuses_one_that_fades(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "step", "--methods", "freeze:fade=linear", "--rates", "0.9"]) == 2
    words = "method 'freeze:fade=linear' with speed: must be one whose background does not fade"
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", [("tune", "--seeds", "7:7"), ("speed", "scoring")])
def test_what_trains_nothing_first_refuses_methods_that_need_it(
    folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert main([*command, "--methods", "snip,lth", "--rates", "0.9"]) == 2
    words = f"method 'lth' with {command[0]}: must be one that needs no other training first"
    assert words in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_what_would_fail_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(
        "from bench.methods import Method\n"
        "def broken(model, batches, loss, generator):\n"
        "    raise RuntimeError('no scores')\n"
        "METHODS = {'mine': Method(criterion=broken, background='prune')}\n"
    )
    assert main([*SWEEP, "--methods", "freeze,mine", "--plugin", "mine.py", "--dry-run"]) == 0
    out, _ = capsys.readouterr()
    assert "4 trials, prune from rate 0.9, fail: RuntimeError: no scores" in out and "| freeze " in out


def test_a_machine_too_small_is_one_line() -> None:
    execution = Execution(executor="ray", gpus_per_trial=0, address=None, max_retries=0, storage=None)
    with pytest.raises(ValueError, match=r"a trial asks for 100000 CPU and 0 GPU: this machine has fewer"):
        slots(execution, spec(threads=100_000))
