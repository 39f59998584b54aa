"""What a sweep shows while it runs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal

import pytest
from rich.console import Console

from bench import names
from bench.execution.listeners import tell
from bench.execution.progress import Progress
from bench.methods import Method
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


def spec(seed: int) -> TrialSpec:
    method = Method(criterion="random", background="freeze")
    return TrialSpec(
        dataset="digits", data_hash="0", model="m", method=method, rate=Decimal("0.90"), seed=seed, epochs=10
    )


def result(trial: TrialSpec, outcome: str = names.DONE, reason: str = "") -> TrialResult:
    metrics = {names.TEST_ACCURACY: 0.9722} if outcome == names.DONE else {}
    return TrialResult(run_key=trial.run_key, outcome=outcome, reason=reason, metrics=metrics)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown(clock: Clock, trials: int, terminal: bool = False) -> Progress:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    return Progress([spec(seed) for seed in range(trials)], lambda method: "freeze", console, clock)


def lines(progress: Progress) -> list[str]:
    assert isinstance(progress.console.file, io.StringIO)
    return progress.console.file.getvalue().splitlines()


def test_counts_accuracy_and_time_left(clock: Clock) -> None:
    progress = shown(clock, 4)
    clock.now = 100.0  # Ray's start, which is no pace
    assert progress.line() == "0/4 done"
    progress.started(spec(0))
    progress.started(spec(1))
    progress.started(spec(1))  # again, after a lost worker
    assert progress.line() == "0/4 done, 2 running"
    clock.now = 105.0
    progress.epoch(spec(0), 5, {names.VALIDATION_ACCURACY: 0.5})
    line = "0/4 done, 2 running | freeze 0.9 seed 0: 50.00% validation at epoch 5 | 0:00:35 left"
    assert progress.line() == line
    clock.now = 120.0
    progress.finished(spec(0), result(spec(0)))
    assert progress.line() == "1/4 done, 1 running | freeze 0.9 seed 0: 97.22% test | 0:01:00 left"


def test_failures_are_counted_and_named(clock: Clock) -> None:
    with shown(clock, 2) as progress:
        progress.finished(spec(0), result(spec(0), names.FAILED, "ValueError: [bold]no[/bold]"))
        progress.finished(spec(1), result(spec(1), names.DIVERGED, "loss is nan at epoch 3"))
    assert lines(progress)[0] == "failed: freeze 0.9 seed 0: ValueError: [bold]no[/bold]"
    assert "diverged: freeze 0.9 seed 1: loss is nan at epoch 3" in lines(progress)
    assert lines(progress)[-1] == "2/2 done, 1 failed, 1 diverged"


def test_plain_lines_are_rate_limited(clock: Clock) -> None:
    with shown(clock, 100) as progress:
        for seed in range(100):
            clock.now += 0.1
            progress.started(spec(seed))
            progress.finished(spec(seed), result(spec(seed)))
    assert 10 <= len(lines(progress)) <= 12
    assert lines(progress)[-1] == "100/100 done | freeze 0.9 seed 99: 97.22% test"
    assert not any("\x1b" in line for line in lines(progress))


def test_a_terminal_has_a_bar(clock: Clock) -> None:
    with shown(clock, 2, terminal=True) as progress:
        progress.started(spec(0))
        progress.finished(spec(0), result(spec(0)))
    assert "\x1b[" in "".join(lines(progress))
    assert "1/2 done" in lines(progress)[-1]


def test_nothing_planned_nothing_said(clock: Clock) -> None:
    with shown(clock, 0) as progress:
        pass
    assert lines(progress) == []


def test_tell_tells_all_in_order() -> None:
    heard: list[tuple[str, str]] = []

    class Ear:
        def __init__(self, name: str) -> None:
            self.name = name

        def started(self, spec: TrialSpec) -> None:
            heard.append((self.name, "started"))

        def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
            heard.append((self.name, "epoch"))

        def finished(self, spec: TrialSpec, result: TrialResult) -> None:
            heard.append((self.name, "finished"))

    both = tell(Ear("a"), Ear("b"))
    both.started(spec(0))
    both.epoch(spec(0), 1, {})
    both.finished(spec(0), result(spec(0)))
    assert heard == [(ear, event) for event in ("started", "epoch", "finished") for ear in "ab"]


def test_long_trials_show_their_epochs_now_and_then(clock: Clock) -> None:
    progress = shown(clock, 1)
    progress.started(spec(0))
    for second in range(0, 100, 10):
        clock.now = 1000.0 + second
        progress.epoch(spec(0), second // 10, {names.VALIDATION_ACCURACY: 0.5})
    assert [line.partition(" at ")[2].partition(" |")[0] for line in lines(progress)] == [
        "epoch 0", "epoch 3", "epoch 6", "epoch 9"
    ]  # fmt: skip
