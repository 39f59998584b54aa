"""A field of the protocol is one row: tried by adding one to a copy of the source, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_trials import spec

import bench
from bench.execution.protocol_values import with_defaults
from bench.trial.protocol import CLAUSES, ROWS

ROW = """    dither: float = row(
        0.0, later=True, owner="schedule", search="dither", range=Range("0 <= {} < 1", lambda v: 0 <= v < 1),
        flag="--dither", help="Noise on the images.", words=lambda v: f"dither {v:g}", plain=(0,),
    )
"""
BEFORE = "    weight_decay: float"
CODE = """
import json
from decimal import Decimal
from bench.cli.cli import main
from bench.cli.protocol_options import read_protocol
from bench.results.tables.protocol import protocol
from bench.results.tables.published import COMPARED
from bench.methods import METHODS
from bench.trial.search import read_search
from bench.trial.spec import TrialSpec

trial = {"dataset": "small", "data_hash": "0", "model": "lenet-300-100", "seed": 0, "epochs": 1}
trial |= {"method": METHODS["freeze"], "rate": Decimal("0.9")}
smooth = TrialSpec(**trial, dither=0.25)
main(["run", "--help"])
print("--dither of 2:", main(["run", "--dither", "2"]))
told = {
    "keys": [TrialSpec(**trial).run_key, smooth.run_key],
    "records": ["dither" in s.record() for s in (TrialSpec(**trial), smooth)],
    "read": [read_protocol(given)["dither"] for given in ({}, {"dither": 0.25})],
    "words": [protocol({"weight_decay": 0.1, "dither": value}) for value in (0.25, 0)],
    "compared": COMPARED,
    "search": read_search("dither=0.01:0.1", 1, [1000], vars(smooth)).label,
}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, dict[str, Any]]:
    """What a copy of the source with the further row prints on stdout and stderr, and the last line of stdout."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(bench.__file__).parent, folder / "bench", ignore=shutil.ignore_patterns("*.pyc", "reports"))
    file = folder / "bench" / "trial" / "protocol.py"
    source = file.read_text("utf-8")
    assert source.count(BEFORE) == 1
    file.write_text(source.replace(BEFORE, ROW + BEFORE), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr, json.loads(done.stdout.splitlines()[-1])


def test_a_row_is_an_option(answers: tuple[str, str, dict[str, Any]]) -> None:
    out, err, results = answers
    (line,) = [line for line in out.splitlines() if line.startswith("  --dither")]
    assert " ".join(line.split()) == "--dither FLOAT Noise on the images. [default: 0.0]"
    assert results["read"] == [0.0, 0.25]
    assert err == "error: dither 2.0: must be 0 <= dither < 1\n"
    assert "--dither of 2: 2\n" in out


def test_a_row_is_part_of_the_key_unless_it_came_later(answers: tuple[str, str, dict[str, Any]]) -> None:
    results = answers[2]
    assert results["keys"][0] == spec("freeze", "0.9").run_key != results["keys"][1]
    assert results["records"] == [False, True]


def test_a_row_is_stated_in_the_tables(answers: tuple[str, str, dict[str, Any]]) -> None:
    results = answers[2]
    with_words, plain = results["words"]
    assert with_words == "Protocol: dither 0.25, weight decay 0.1 on live weights only."
    assert plain == "Protocol: weight decay 0.1 on live weights only."
    position = results["compared"].index("dither")
    assert results["compared"][position + 1] == "weight_decay"


def test_a_row_can_be_searched(answers: tuple[str, str, dict[str, Any]]) -> None:
    assert answers[2]["search"] == "dither=0.01:0.1 budget=1 seeds=1000"


def test_what_a_row_names_is_there() -> None:
    for name, row in ROWS.items():
        assert row.clause in CLAUSES, name
        assert row.owner == "" or row.owner in ROWS, name
        row.check(name, row.default)


def test_what_has_no_default_of_its_own_gets_one_from_the_others() -> None:
    values = with_defaults({})
    assert [name for name, row in ROWS.items() if row.unset] == ["lr", "warmup_epochs"]
    assert (values["lr"], values["warmup_epochs"]) == (0.1, 1.0)
