"""A sweep with a base and levels of lottery tickets: offline, imported, in the table; and what a lost base costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import called

from bench import names

SWEEP = ("run", "--executor", "local", "--methods", "freeze,lth", "--rates", "0.3", "--seeds", "1", "--epochs", "1")
START = ("--start", "pretrained:digits")


def trials(folder: Path) -> list[dict[str, Any]]:
    """The stored trials of the offline folder."""
    lines = [line for file in sorted((folder / "kept").glob("*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("levels")
    done = called(path, *SWEEP, *START, "--offline", "kept", "--tracking", "csv")
    assert done.returncode == 0, done.stderr
    assert "3 trials: 0 done before, 3 to train, and first 2 trials that they need" in done.stderr
    return path


def test_levels_belong_to_the_sweep_of_what_is_needed(folder: Path) -> None:
    stored = {(t["spec"]["rate"], t["spec"]["method"]["select"], "start" in t["spec"]): t for t in trials(folder)}
    assert {(rate, method) for (rate, method, _), t in stored.items() if t["sweep"].endswith("-needs")} == {
        ("0", "Dense"), ("0.2", "LotteryTicket"),
    }  # fmt: skip
    level, ticket = (stored[rate, "LotteryTicket", True]["result"] for rate in ("0.2", "0.3"))
    assert ticket["tags"][names.PARENT_KEY] == level["run_key"]
    assert (
        ticket["tags"][names.BASE_KEY]
        == level["tags"][names.BASE_KEY]
        == stored["0", "Dense", False]["result"]["run_key"]
    )
    assert [t["metrics"][names.TRAINING_EPOCHS] for t in (level, ticket)] == [3, 4]


def test_they_are_imported_once_and_stand_in_the_table(folder: Path) -> None:
    first, again = (called(folder, "import", "kept") for _ in range(2))
    assert ": 5 stored, 0 linked, 0 there before" in first.stderr and "has all 5 trials of" in again.stderr
    table = called(folder, "table", "--name", "digits-lenet-300-100")
    assert "Not at initialisation" in table.stdout
    (row,) = [line for line in table.stdout.splitlines() if line.startswith("| lth ") and "×4" in line]
    assert row.split("|")[2].strip() == "0.3"
    listed = called(folder, "list", "trials").stdout.splitlines()
    assert "start" in listed[0].split()
    assert sum("pretrained on digits" in line for line in listed) == 4
    assert sum("scratch" in line for line in listed) == 1
    done = called(folder, *SWEEP, *START, "--name", "again")
    assert "3 trials: 3 done before, 0 to train;" in done.stderr


def test_a_lost_base_is_the_reason_of_all_that_waited_for_it(tmp_path: Path) -> None:
    command = (*SWEEP, *START, "--start-lr", "1e30", "--offline", "kept", "--tracking", "csv")
    done = called(tmp_path, *command)
    assert done.returncode == 1
    (base,) = [t for t in trials(tmp_path) if "start" not in t["spec"]]
    assert base["result"]["outcome"] == names.DIVERGED
    others = [t["result"] for t in trials(tmp_path) if "start" in t["spec"]]
    reason = f"needs digits dense seed 0 ({base['result']['run_key'][:12]}), diverged: {base['result']['reason']}"
    assert [(r["outcome"], r["reason"]) for r in others] == [(names.FAILED, reason)] * 4
    assert f"failed: {reason}: " in done.stderr
    again = called(tmp_path, *command)  # what failed is tried again, what diverged is not
    assert again.returncode == 1 and "3 trials: 0 done before, 3 to train, and first 1 trial" in again.stderr
    mended = called(tmp_path, *SWEEP, *START, "--start-lr", "0.1", "--offline", "kept", "--tracking", "csv")
    assert mended.returncode == 0, mended.stderr
