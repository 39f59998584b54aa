"""A schedule is one row of SCHEDULES: command line, check, key, words and training follow."""

from __future__ import annotations

import pytest
from protocol_help import protocol_help
from small_trials import images, spec

from bench import names
from bench.cli.protocol_options import read_protocol
from bench.engine.steps.learning_rate import learning_rate
from bench.engine.train import train
from bench.results.tables.protocol import protocol
from bench.trial.field_row import FieldRow
from bench.trial.protocol import ROWS, Protocol
from bench.trial.schedules import SCHEDULES, ScheduleRow


def linear(protocol: Protocol, step: int, steps: int, warmup: int) -> float:
    return 1 - (step - warmup) / (steps - warmup)


def decay(protocol: Protocol, step: int, steps: int, warmup: int) -> float:
    return protocol.gamma**step


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, "linear", ScheduleRow(words="straight line to 0", factor=linear))
    monkeypatch.setitem(SCHEDULES, "decay", ScheduleRow(words="decay", factor=decay, fields=("gamma",)))


def test_a_field_of_its_own_has_no_default_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run with another schedule would be refused for what nobody gave."""
    field = FieldRow(default=2.0, later=True, owner="schedule", flag="--power", help="Exponent.")
    monkeypatch.setitem(ROWS, "power", field)
    monkeypatch.setitem(SCHEDULES, "poly", ScheduleRow(words="polynomial", factor=linear, fields=("power",)))
    assert "--power FLOAT Exponent." in protocol_help()
    assert "power" not in read_protocol({}) and read_protocol({"schedule": "poly", "power": 3.0})["power"] == 3.0
    with pytest.raises(ValueError, match=r"^power with schedule cosine: the schedule must be poly$"):
        read_protocol({"power": 3.0})


def test_the_command_line_has_it() -> None:
    shown = protocol_help()
    assert f"--schedule [{'|'.join(SCHEDULES)}] Change the learning rate over the steps by this schedule." in shown
    assert "|linear|decay]" in shown
    assert read_protocol({"schedule": "linear"})["schedule"] == "linear"
    assert read_protocol({"schedule": "decay", "gamma": 0.5})["gamma"] == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"schedule": "linear", "gamma": 0.1}, "gamma with schedule linear: the schedule must be step or decay"),
        (
            {"schedule": "decay", "milestones": "0.5"},
            "milestones with schedule decay: the schedule must be step",
        ),
        ({"gamma": 0.1}, "gamma with schedule cosine: the schedule must be step or decay"),
    ],
)
def test_a_field_of_other_schedules_is_an_error(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError) as error:
        read_protocol(given)
    assert str(error.value) == message


def test_the_spec_knows_it() -> None:
    assert len({spec(schedule=name).run_key for name in ("cosine", "constant", "linear", "decay")}) == 4
    with pytest.raises(ValueError, match=f"^unknown schedule 'line': must be one of {', '.join(SCHEDULES)}; did"):
        spec(schedule="line")
    with pytest.raises(ValueError, match="with schedule linear: the schedule must be step"):
        spec(schedule="linear", milestones=(0.5,))


def test_a_table_has_its_words_and_those_of_its_fields() -> None:
    assert protocol({"schedule": "linear", "gamma": 0.5}) == "Protocol: straight line to 0."
    assert protocol({"schedule": "decay", "gamma": 0.5}) == "Protocol: decay, learning rate × 0.5 at each."
    assert protocol({"schedule": "later"}) == "Protocol: later schedule."


def test_the_warm_up_comes_before_it() -> None:
    s = spec(lr=2.0, schedule="linear", epochs=6, warmup_epochs=2)
    assert [learning_rate(s, step, 6) for step in range(6)] == [1.0, 2.0, 2.0, 1.5, 1.0, 0.5]


def test_a_trial_trains_with_it() -> None:
    line, cosine = train([spec(schedule=name, lr=0.01) for name in ("linear", "cosine")], images(), "cpu")
    assert (line.outcome, cosine.outcome) == (names.DONE, names.DONE)
    assert line.tags[names.WEIGHTS_SHA256] != cosine.tags[names.WEIGHTS_SHA256]
