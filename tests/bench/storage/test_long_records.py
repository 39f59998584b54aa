"""What is parsed later is kept whole, however long: a spec, a command, a choice; and a damaged choice costs itself."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_store import empty

from bench import names
from bench.canonical import canonical_json
from bench.methods import Method
from bench.results.frame.collect import UNREADABLE, collect, commands
from bench.storage.choices import candidates, choices, store_choice
from bench.storage.client.writing import PARAM_LENGTH
from bench.storage.mlflow_store import NAME_LENGTH, Store
from bench.storage.recorder import Recorder
from bench.storage.stored_trials import finished
from bench.tags import CUT, PIECE, split, whole
from bench.trial.result import TrialResult, Tried
from bench.trial.search import Search
from bench.trial.spec import TrialSpec

SEARCH = Search(bounds=(("lr", 0.01, 1.0),), protocol_values=(0.1,), budget=2, seeds=(1000,), grace=1)
COMMAND = f"python -m bench run --milestones {','.join(['0.25'] * 4000)}"


def spec(milestones: int, seed: int = 0) -> TrialSpec:
    """Whose record has about 20 characters for each milestone."""
    method = Method(criterion="random", background="freeze")
    fractions = tuple((number + 1) / (milestones + 1) for number in range(milestones))
    common = TrialSpec(dataset="digits", data_hash="0", model="m", method=method, rate=Decimal("0.9"), seed=seed)
    return replace(common, schedule="step", milestones=fractions) if milestones else common


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty())
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def tags_of(uri: str, tag: str) -> list[tuple[str, str]]:
    """(key, value) of this tag and its numbered ones, in the database itself."""
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
        query = "SELECT key, value FROM tags WHERE key = ? OR key LIKE ? ORDER BY key"
        return connection.execute(query, (tag, f"{tag}.%")).fetchall()


@given(st.integers(0, 3 * PIECE + 1), st.sampled_from(["x", "é"]))
def test_a_value_of_any_length_comes_back(length: int, letter: str) -> None:
    pieces = split({"bench.spec": letter * length, "bench.method": "snip"})
    assert whole(pieces, "bench.spec") == letter * length
    assert max(map(len, pieces.values())) <= PIECE
    assert len(pieces) == 1 + max(1, -(-length // PIECE))


def test_a_value_that_one_tag_takes_is_one_tag() -> None:
    assert split({"a": "x" * PIECE, "b": ""}) == {"a": "x" * PIECE, "b": ""}
    # As earlier versions wrote it, up to their own limit.
    assert whole({"a": "x" * 7000, "a.1": "of a sweep called 1"}, "a") == "x" * 7000


@pytest.mark.parametrize("milestones", [0, 1699])
def test_a_spec_of_any_length_is_a_row_of_the_table(uri: str, milestones: int) -> None:
    trial = spec(milestones)
    result = TrialResult(run_key=trial.run_key, outcome=names.DIVERGED, reason="why " * 3000, started=1.0, ended=2.0)
    with Recorder(uri, "s", [trial.run_key], {}, COMMAND, lambda method: "random-freeze" * 30) as recorder:
        recorder.finished(trial, result)
    frame = collect(uri)
    assert frame.attrs[UNREADABLE] == []
    (row,) = frame.to_dict("records")
    assert json.loads(row["spec.milestones"]) == [*trial.milestones]
    assert (row["run_key"], row["reason"], row["method"]) == (trial.run_key, "why " * 3000, "random-freeze" * 30)
    stored = tags_of(uri, names.SPEC)
    assert "".join(value for _, value in stored) == canonical_json(trial.record())
    assert [key for key, _ in stored] == [names.SPEC, *(f"{names.SPEC}.{n}" for n in range(1, len(stored)))]
    assert (len(stored) == 1) == (milestones == 0)
    assert [(command.text, command.trials) for command in commands(uri)] == [(COMMAND, 1)]
    assert [*finished(uri, [trial.run_key])] == [trial.run_key]


def test_what_is_for_reading_only_is_shortened_visibly(uri: str) -> None:
    trial = spec(1699)
    with Recorder(uri, "s", [trial.run_key], {}, "c", lambda method: "m" * 300) as recorder:
        recorder.finished(trial, TrialResult(run_key=trial.run_key, outcome=names.DONE, started=1.0, ended=2.0))
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
        ((shown,),) = connection.execute("SELECT value FROM params WHERE key = 'milestones'").fetchall()
        runs = {name for (name,) in connection.execute("SELECT name FROM runs")}
    assert shown == f"{str([*trial.milestones])[: PARAM_LENGTH - 1]}…"
    assert runs == {"s", f"{'m' * (NAME_LENGTH - 1)}…"}


def test_a_method_with_more_parameters_than_a_call_takes(uri: str) -> None:
    store = Store(uri)
    run = store.create(store.experiment("s"), "r", {}, 1.0).id
    store.log(run, {f"p{number}": "1" for number in range(250)}, [("m", 1.0, number, number) for number in range(1500)])
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT count(*) FROM params").fetchall() == [(250,)]
        assert connection.execute("SELECT count(*) FROM metrics").fetchall() == [(1500,)]


def test_a_command_that_an_earlier_version_cut_says_so(uri: str) -> None:
    store = Store(uri)
    tags = {names.KIND: names.SWEEP, names.COMMAND: "c"}
    run = store.create(store.experiment("s"), "s", tags, 1.0).id
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE tags SET value = ? WHERE key = ?", (COMMAND[:CUT], names.COMMAND))
    store.log(run, {"trials": "many"}, ())
    (command,) = commands(uri)
    assert (command.text, command.trials) == (f"{COMMAND[:CUT]}…  # cut by an earlier version", 0)


def tried(accuracy: float) -> Tried:
    return Tried(values={"lr": accuracy}, validation_accuracy=[0.1, accuracy])


def choose(uri: str, cell: TrialSpec) -> None:
    best = tried(0.5)
    assert store_choice(uri, "s", COMMAND, "random-freeze", replace(cell, tuning=SEARCH), [tried(0.25), best], best)


def test_a_choice_of_any_length(uri: str) -> None:
    choose(uri, spec(1699))
    (choice,) = choices(uri)
    assert choice.record["milestones"] == [*spec(1699).milestones] and choice.values == {"lr": 0.5}
    assert choice.cell == replace(spec(1699), tuning=SEARCH).cell_key and choice.search == SEARCH
    assert [(row["lr"], row["chosen"]) for row in candidates(uri)] == [(0.25, ""), (0.5, "yes")]
    assert [command.text for command in commands(uri)] == [COMMAND]


DAMAGE = {
    "cut": (lambda text: text[:CUT], "its choice is damaged, or was cut by an earlier version (JSONDecodeError: "),
    "list": (lambda text: f"[{text}]", "its choice is damaged, or was cut by an earlier version (TypeError: "),
    "no search": (lambda text: text.replace('"tuning"', '"other"'), "its choice is damaged, or was cut by an earlier "),
    "another cell": (lambda text: text.replace('"model":"m"', '"model":"n"'), "its choice is damaged: the key, the "),
    "another field": (lambda text: text.replace('"values":{"lr"', '"values":{"gamma"'), "its choice is damaged: the "),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_choice_costs_itself(uri: str, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    choose(uri, spec(0))
    change, said = DAMAGE[damage]
    choose(uri, spec(600))
    store = Store(uri)
    (long,) = (run for run, value in store.tagged(names.CHOSEN, "FINISHED") if len(value) > CUT)
    value = store.tags(long)[names.CHOSEN]
    assert not [name for name in store.tags(long) if name.startswith(f"{names.CHOSEN}.")]
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as connection:
        connection.execute("DELETE FROM tags WHERE run_uuid = ? AND key LIKE ?", (long, f"{names.CHOSEN}.%"))
        changed = (change(value), long, names.CHOSEN)
        connection.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", changed)
    assert [choice.cell for choice in choices(uri)] == [replace(spec(0), tuning=SEARCH).cell_key]
    assert capsys.readouterr().err.startswith(f"warning: 1 choice of the store left out, run {long}: {said}")
    assert len(candidates(uri)) == 2
    assert capsys.readouterr().err.startswith(f"warning: 1 choice of the store left out, run {long}: {said}")


@pytest.mark.parametrize("content", [None, "[{]", "{}", "[1]"])
def test_candidates_that_cannot_be_read_cost_their_own_rows(
    uri: str, content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for milestones in (0, 1):
        choose(uri, spec(milestones))
    file = sorted(tmp_path.glob(f"mlruns/**/{names.CANDIDATES_FILE}"))[0]
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    rows = candidates(uri)
    assert [(row["lr"], row["chosen"]) for row in rows] == [(0.25, ""), (0.5, "yes")]
    run = file.parts[-3]
    expected = f"warning: 1 choice of the store left out, run {run}: its candidates.json cannot be read ("
    assert capsys.readouterr().err.startswith(expected)
