"""`plan` as it is called, and the looks of `table` and `report` at it, in a real store."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest
from command_line import called
from small_store import Store

from bench.canonical import canonical_json, key_of
from bench.cli.arguments import read_sweep
from bench.cli.cli import cli
from bench.cli.options import request_of
from bench.cli.plan.record import read_looks
from bench.cli.requests.plan import PlanRequest
from bench.results.frame.plans import Record, plans
from bench.storage.mlflow_store import Store as MlflowStore
from bench.trial.spec import TrialSpec

WORDS = ("--methods", "freeze,snip", "--rates", "0.9", "--model", "lenet-300-100", "--no-dense", "--name", "p")
FOUR = (*WORDS, "--seeds", "4", "--looks", "2,4")
NOISE = {"snip": 0.02, "freeze": 0.03}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mlflow.db")


def said(store: Store, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return called(folder, *arguments, MLFLOW_TRACKING_URI=store.uri)


def specs(*words: str) -> list[TrialSpec]:
    context = cli.commands["plan"].make_context("plan", list(words))
    return read_sweep(request_of(PlanRequest, context)).trials()


def add(store: Store, seeds: int, *words: str, started: int = 2**42) -> None:
    """Finished trials of a plan, as the benchmark stores them."""
    for spec in specs(*(words or FOUR)):
        if spec.seed < seeds:
            name = "freeze" if spec.method.background == "freeze" else "snip"
            accuracy = 0.9 + NOISE[name] * (1 + spec.seed % 3)
            store.add(spec.record(), name, accuracy, started=started)


def test_a_plan_is_stored_once_with_its_hash(store: Store, tmp_path: Path) -> None:
    made = said(store, tmp_path, "plan", *FOUR)
    assert made.returncode == 0 and "plan p stored: 1 comparison, looks at 2 and 4 seeds; SHA-256 " in made.stderr
    (plan,) = plans(store.uri)
    record = plan.record
    assert (record.looks, record.seeds, record.spending, record.test) == ((2, 4), (0, 1, 2, 3), "obrien-fleming", "t")
    assert (record.margin, record.alpha, record.name) == (0.005, 0.05, "p")
    (compared,) = record.comparisons
    keys = {(spec.method.background, spec.group_key) for spec in specs(*FOUR)}
    assert {("freeze", compared.frozen_key), ("prune", compared.pruned_key)} == keys == {
        (background, key) for background, key in keys if key in record.cells
    }  # fmt: skip
    assert plan.sha256 == key_of(record.as_json()) and plan.sha256 in made.stderr and plan.time > 1.7e9
    again = said(store, tmp_path, "plan", *FOUR)
    assert again.returncode == 0 and "plan p is in the store already" in again.stderr
    assert [stored.run for stored in plans(store.uri)] == [plan.run]


def test_a_margin_in_errors_is_planned_and_followed(store: Store, tmp_path: Path) -> None:
    assert said(store, tmp_path, "plan", *FOUR, "--margin", "10%").returncode == 0
    (plan,) = plans(store.uri)
    assert (plan.record.margin, plan.record.of_errors) == (0.1, True) and plan.sha256 == key_of(plan.record.as_json())
    assert "10%" in said(store, tmp_path, "list", "plans").stdout
    add(store, 4)
    shown = said(store, tmp_path, "table").stdout
    assert "As planned" in shown and "Equivalence margin: ±10% of the errors" in shown
    shown = said(store, tmp_path, "table", "--margin", "0.5").stdout
    assert "margin 0.5 points, not the planned 10% of the errors" in shown
    for page, margin in (("as-planned.md", ()), ("other.md", ("--margin", "20%"))):
        assert said(store, tmp_path, "report", "-o", page, *margin).returncode == 0
    assert "Equivalence margin: ±10% of the errors" in (tmp_path / "as-planned.md").read_text()
    assert "margin 20% of the errors, not the planned 10% of the errors" in (tmp_path / "other.md").read_text()


@pytest.mark.parametrize("margin", ["0%", "100%", "100", "inf", "nan", "half"])
def test_a_margin_that_is_none_is_refused(store: Store, tmp_path: Path, margin: str) -> None:
    made = said(store, tmp_path, "plan", *FOUR, "--margin", margin)
    assert made.returncode == 2 and "margin" in made.stderr.splitlines()[-1]


@pytest.mark.parametrize("margins", [("10", "10%"), ("10%", "10")])
def test_another_kind_of_margin_is_another_plan(store: Store, tmp_path: Path, margins: tuple[str, str]) -> None:
    first, second = (said(store, tmp_path, "plan", *FOUR, "--margin", margin) for margin in margins)
    assert first.returncode == 0 and second.returncode == 2
    assert "the store has another of that name, which differs in of_errors" in second.stderr


def test_plans_of_values_tuned_for_each_cell_are_of_one_question() -> None:
    tuning = {"search": {"lr": [0.01, 1.0]}, "budget": 8, "seeds": [1000]}
    one = record({"dataset": "digits", "epochs": 2, "tuning": tuning, "lr": 0.1})
    other = record({"dataset": "digits", "epochs": 2, "tuning": tuning})
    assert one.question == other.question != record({"dataset": "digits", "epochs": 3, "tuning": tuning}).question
    assert "of_errors" not in one.as_json()  # plans of earlier versions keep their hash


def record(shared: dict[str, object]) -> Record:
    return Record(
        name="p", shared=shared, cells={}, comparisons=(), seeds=(0, 1), looks=(2,), spending="pocock", alpha=0.05,
        test="t", margin=0.005,
    )  # fmt: skip


def test_what_is_neither_frozen_nor_pruned_is_in_no_comparison(store: Store, tmp_path: Path) -> None:
    between = "freeze,freeze:scale=0.25,freeze:fade=linear,snip"
    made = said(store, tmp_path, "plan", *FOUR, "--methods", between)
    assert made.returncode == 0 and "plan p stored: 1 comparison," in made.stderr
    (plan,) = plans(store.uri)
    assert [(c.frozen, c.pruned) for c in plan.record.comparisons] == [("freeze", "snip")]


def test_another_plan_in_its_place_is_refused(store: Store, tmp_path: Path) -> None:
    assert said(store, tmp_path, "plan", *FOUR).returncode == 0
    other = said(store, tmp_path, "plan", *WORDS, "--seeds", "4", "--spending", "pocock")
    assert other.returncode == 2
    line = "error: plan p: the store has another of that name, which differs in looks, spending"
    assert line in other.stderr
    renamed = said(store, tmp_path, "plan", *FOUR[:-6], "--name", "q", "--seeds", "5")
    assert renamed.returncode == 2
    assert "plan q: the store has plan p of this data set, network and protocol; must be one" in renamed.stderr
    assert len(plans(store.uri)) == 1


def test_a_plan_after_its_trials_is_refused(store: Store, tmp_path: Path) -> None:
    add(store, 2)
    late = said(store, tmp_path, "plan", *FOUR)
    assert late.returncode == 2 and plans(store.uri) == []
    assert "error: plan p: 4 of its 8 trials are finished; must be made before the first one" in late.stderr
    # Whoever has the plan may ask for it again: a plan that is there is no late one.
    other = said(store, tmp_path, "plan", *FOUR, "--lr", "0.05")
    assert other.returncode == 0 and len(plans(store.uri)) == 1


def test_looks_are_counted_once_each(store: Store, tmp_path: Path) -> None:
    assert said(store, tmp_path, "plan", *FOUR).returncode == 0
    add(store, 2)
    first = said(store, tmp_path, "table")
    assert "plan p: a look at 2 of 4 seeds; its comparisons are marked at level 0.00305" in first.stderr
    assert "Look 1, at 2 of 4 seeds: level 0.00305" in first.stdout and "As planned." in first.stdout
    assert "those of plan p, whatever is shown" in first.stdout
    assert said(store, tmp_path, "table", "--format", "csv").returncode == 0
    (plan,) = plans(store.uri)
    (look,) = plan.looks.values()
    assert (look.seeds, look.trials) == (2, 4) and look.command.endswith("bench table")
    add(store, 3, *WORDS, "--seeds", "2:2")
    report = said(store, tmp_path, "report", "-o", str(tmp_path / "r.md"))
    assert report.returncode == 0 and [seen.seeds for seen in plans(store.uri)[0].looks.values()] == [2, 3]
    page = (tmp_path / "r.md").read_text()
    assert "- Not as planned (p): looked at 3 seeds, not only at 2 and 4." in page
    assert "Nothing was planned" not in page
    listed = said(store, tmp_path, "list", "plans", "--format", "csv").stdout.splitlines()
    assert listed[1].split(",")[-2:] == ["2 3", plan.sha256[:12]]


def test_what_shows_nothing_of_how_the_plans_trials_ended_is_no_look(store: Store, tmp_path: Path) -> None:
    assert said(store, tmp_path, "plan", *FOUR).returncode == 0
    add(store, 2)
    for spec in specs("--methods", "grasp,freeze", "--rates", "0.95", *WORDS[4:], "--seeds", "2"):
        name = "freeze" if spec.method.background == "freeze" else "grasp"
        store.add(spec.record(), name, 0.5 + spec.seed / 10, started=2**42)
    others = [
        ("table", "--part", "storage"),
        ("table", "--part", "compute", "--format", "json"),
        ("table", "--methods", "grasp"),
        ("table", "--rates", "0.95", "--format", "csv"),
        ("plot", "accuracy", "--methods", "grasp", "-o", str(tmp_path / "p.svg")),
    ]
    for command in others:
        shown = said(store, tmp_path, *command)
        assert shown.returncode == 0 and "look" not in shown.stderr, (command, shown.stderr)
    assert "None of its trials is shown, so this is no look" in said(store, tmp_path, *others[2]).stdout
    assert not plans(store.uri)[0].looks
    assert "a look at 2 of 4 seeds" in said(store, tmp_path, "table", "--part", "accuracy").stderr
    assert [look.at for look in plans(store.uri)[0].looks.values()] == [(0, 1)]


def test_a_look_at_other_seeds_than_an_earlier_one_is_not_judged(store: Store, tmp_path: Path) -> None:
    two_rates = [word if word != "0.9" else "0.9,0.95" for word in FOUR]
    assert said(store, tmp_path, "plan", *two_rates).returncode == 0
    add(store, 3)
    assert "a look at 3 of 4 seeds; its comparisons are marked" in said(store, tmp_path, "table").stderr
    add(store, 2, *[word if word != "0.9" else "0.95" for word in FOUR])  # the second comparison, at two seeds
    table = said(store, tmp_path, "table")
    words = "an earlier look at the plan was at seeds that are not in this one, and looks must be nested"
    assert f"a look at 2 of 4 seeds; its comparisons are not judged: {words}" in table.stderr
    assert f"Look 2, at 2 of 4 seeds. Not as planned: {words}. Nothing is judged." in table.stdout
    assert table.stdout.count("not judged") >= 2 and "↑" not in table.stdout


def test_the_end_of_a_plan_is_no_look(store: Store, tmp_path: Path) -> None:
    assert said(store, tmp_path, "plan", *FOUR).returncode == 0
    add(store, 4)
    table = said(store, tmp_path, "table")
    assert "All seeds are there: level 0.04899. As planned." in table.stdout and "look" not in table.stderr
    assert not plans(store.uri)[0].looks


def test_a_store_that_cannot_be_written_is_read(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(store, tmp_path, "plan", *FOUR).returncode == 0
    add(store, 2)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("CREATE TRIGGER closed BEFORE INSERT ON tags BEGIN SELECT RAISE(FAIL, 'read only'); END")
    table = said(store, tmp_path, "table")
    assert table.returncode == 0 and "Look 1, at 2 of 4 seeds" in table.stdout
    assert "warning: the look at plan p is not recorded: store sqlite:///" in table.stderr
    assert "read only" in table.stderr and not plans(store.uri)[0].looks


def test_a_damaged_plan_is_named_and_left_out(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(store, tmp_path, "plan", *FOUR).returncode == 0
    (plan,) = plans(store.uri)
    changed = {**plan.record.as_json(), "alpha": 0.5}
    MlflowStore(store.uri).tag(plan.run, "bench.plan", canonical_json(changed))
    assert plans(store.uri) == []
    assert "its plan is not the one that was stored: the SHA-256 is another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--looks", "5,3", "--seeds", "5"], "looks 5,3: must be 2 or more, and rising"),
        (["--looks", "1,5", "--seeds", "5"], "looks 1,5: must be 2 or more, and rising"),
        (["--looks", "2,4", "--seeds", "5"], "looks 2,4: the last must be the number of seeds, 5"),
        (["--looks", "half", "--seeds", "5"], "looks 'half': must be numbers of seeds, as 5,10"),
        (["--seeds", "1:1"], "seeds: 1 of a plan; must be 2 or more, since one has no test"),
        (["--alpha", "1.5"], "alpha 1.5: must be above 0 and below 1"),
        (["--margin", "0"], "margin 0: must be above 0"),
        (["--methods", "snip"], "methods snip: must have a frozen and a pruned one that choose the same weights"),
        (["--spending", "haybittle"], "'haybittle' is not one of"),
    ],
)
def test_what_is_no_plan_is_refused_before_anything_is_written(
    tmp_path: Path, words: list[str], complaint: str
) -> None:
    refused = called(tmp_path, "plan", *WORDS, *words)
    assert refused.returncode == 2 and complaint in refused.stderr and not (tmp_path / "mlflow.db").exists()


def test_looks_of_a_plan_without_any_are_one_at_the_end() -> None:
    assert read_looks(None, 7) == (7,)


def test_no_plan_to_list(store: Store, tmp_path: Path) -> None:
    listed = said(store, tmp_path, "list", "plans")
    assert listed.returncode == 2 and "no plan in the store sqlite:///" in listed.stderr
