"""What a sweep shows while it runs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal

import pytest
from rich.console import Console

from bench import names
from bench.execution.listeners import tell
from bench.execution.progress.candidates import Candidates
from bench.execution.progress.layout import Latest, State, counts, rendered
from bench.execution.progress.trials import Progress
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
    return Progress([spec(seed) for seed in range(trials)], lambda method: "freeze", "starting Ray…", console, clock)


def lines(progress: Progress) -> list[str]:
    assert isinstance(progress.screen.console.file, io.StringIO)
    return progress.screen.console.file.getvalue().splitlines()


def test_counts_accuracy_and_time_left(clock: Clock) -> None:
    progress = shown(clock, 4)
    clock.now = 100.0
    assert progress.screen.line() == "0/4 done"
    progress.started(spec(0))
    progress.started(spec(1))
    progress.started(spec(1))  # again, after a lost worker
    assert progress.screen.line() == "0/4 done, 2 running"
    clock.now = 200.0  # the imports of the workers, which are no pace either
    progress.epoch(spec(0), 0, {names.VALIDATION_ACCURACY: 0.1})
    assert progress.screen.line() == "0/4 done, 2 running | freeze 0.9 seed 0: 10.00% validation at epoch 0"
    clock.now = 205.0
    progress.epoch(spec(0), 5, {names.VALIDATION_ACCURACY: 0.5})
    line = "0/4 done, 2 running | freeze 0.9 seed 0: 50.00% validation at epoch 5 | 0:00:35 left"
    assert progress.screen.line() == line
    clock.now = 210.0
    progress.epoch(spec(0), 10, {})
    progress.finished(spec(0), result(spec(0)))
    assert progress.screen.line() == "1/4 done, 1 running | freeze 0.9 seed 0: 97.22% test | 0:00:30 left"


def test_epochs_before_a_checkpoint_are_no_pace(clock: Clock) -> None:
    """Two trials resume after 7 of 10 epochs, one begins: 13 epochs are left, a second each."""
    progress = shown(clock, 3)
    for seed, first in ((0, 8), (1, 8), (2, 0)):
        progress.started(spec(seed))
        progress.epoch(spec(seed), first, {})
    assert progress.screen.pace.done == 16
    clock.now = 3.0
    for seed, epoch in ((0, 9), (2, 1)):
        progress.epoch(spec(seed), epoch, {})
    assert progress.screen.pace.seconds_left() == 3.0 / 3 * (30 - 18)  # 3 epochs in 3 s, that of seed 1 included


def test_the_trials_of_a_pack_are_counted_one_by_one(clock: Clock) -> None:
    """A pack reports its trials in one burst, and is trained again as a whole if its worker is lost."""
    progress = shown(clock, 4)
    for seed in range(4):
        progress.started(spec(seed))
    for epoch in (0, 1, 2):
        clock.now = 10.0 * epoch
        for seed in range(4):
            progress.epoch(spec(seed), epoch, {})
    assert progress.screen.pace.seconds_left() == 20.0 / 8 * 32
    progress.finished(spec(0), result(spec(0)))
    for seed in range(1, 4):
        progress.started(spec(seed))
    progress.epoch(spec(0), 1, {})  # trained again, though it has ended
    assert progress.screen.pace.done == 10
    assert progress.screen.state().running == 3


def test_nothing_jumps_while_numbers_grow() -> None:
    """Counts and time keep their columns from the first trial to the last, whatever stands behind them."""
    grown = [
        State(
            ended=0, planned=120, running=0, bad="", seconds_left=None, latest=Latest(head="starting Ray…"), share=0.0
        ),
        State(ended=7, planned=120, running=2, bad="", seconds_left=65, latest=Latest(tail=LONG), share=0.1),
        State(ended=12, planned=120, running=16, bad="1 failed", seconds_left=4e4, latest=Latest(head=LONG), share=0.2),
        State(ended=120, planned=120, running=0, bad="", seconds_left=0, latest=Latest(), share=1.0),
    ]
    assert [counts(state) for state in grown] == [
        "  0/120 done,   0 running,   -:--:-- left",
        "  7/120 done,   2 running,   0:01:05 left",
        " 12/120 done,  16 running,  11:06:40 left",
        "120/120 done,   0 running,   0:00:00 left",
    ]
    for width in (40, 60, 80, 120, 200):
        for state in grown:
            lines = on(width, state)
            assert lines[0].startswith(counts(state)[: width - 4])
            assert all(len(line) <= width - 3 for line in lines)


LONG = "a-criterion-with-a-very-long-name-of-its-own-and-scope=erk-freeze:temperature=200"


def on(width: int, state: State) -> list[str]:
    """What a terminal of so many columns shows."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(rendered(state, width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_long_name_is_cut_and_not_what_it_reached() -> None:
    latest = Latest(head=LONG, tail=" 0.995 seed 12: 97.22% test")
    state = State(ended=12, planned=120, running=2, bad="1 failed", seconds_left=65, latest=latest, share=0.5)
    first, second = on(80, state)
    assert first.startswith(" 12/120 done,   2 running,   0:01:05 left  ━━━━━━━━━━━━━━━━━")
    assert second == "1 failed  a-criterion-with-a-very-long-name-of-it… 0.995 seed 12: 97.22% test"
    whole = "1 failed  a-criterion-with-a-very-long-name-of-its-own-and-scope… 0.995 seed 12: 97.22% test"
    (only,) = on(200, state)
    assert only.startswith(" 12/120 done,   2 running,   0:01:05 left  ━━━━━━━━━━━━━━━━━")
    assert only.endswith(whole)


def test_the_time_goes_down_between_two_epochs(clock: Clock) -> None:
    progress = shown(clock, 1)
    assert progress.screen.state().latest == Latest(head="starting Ray…")
    progress.started(spec(0))
    assert progress.screen.state().latest.head.startswith("preparing: imports")
    for epoch in (0, 1):
        clock.now = 10.0 * epoch
        progress.epoch(spec(0), epoch, {})
    clock.now = 15.0
    assert progress.screen.state().seconds_left == 85.0
    clock.now = 1e6
    assert progress.screen.state().seconds_left == 0.0


def test_an_interrupt_is_told_once_with_what_is_kept(clock: Clock) -> None:
    progress = shown(clock, 5)
    with pytest.raises(KeyboardInterrupt) as raised, progress:
        progress.finished(spec(0), result(spec(0)))
        progress.finished(spec(1), result(spec(1), names.FAILED, "no"))
        raise KeyboardInterrupt
    assert raised.value.__notes__ == ["1 trial kept, 4 left"]
    assert lines(progress)[-1].startswith("failed: ")  # no line of counts after it


def test_tune_shows_its_candidates(clock: Clock) -> None:
    console = Console(file=io.StringIO(), width=120)
    shown = Candidates([spec(0)], 3, lambda method: "freeze", "starting Ray…", console, clock)
    with pytest.raises(KeyboardInterrupt) as raised, shown:
        for number in range(2):
            shown.started(spec(0), number)
            shown.epoch(spec(0), number, 1, 0.25)
        clock.now = 10.0
        shown.epoch(spec(0), 1, 2, 0.5)
        shown.finished(spec(0), 0, names.DONE)
        line = shown.screen.line()
        assert line == "1/3 done, 1 running | freeze 0.90 candidate 2: 50.00% validation at epoch 2 | 0:01:30 at most"
        raise KeyboardInterrupt
    assert raised.value.__notes__ == ["0 cells chosen, 1 left"]


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


def test_a_dumb_terminal_has_plain_lines(clock: Clock) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, _environ={"TERM": "dumb"})
    with Progress([spec(0)], lambda method: "freeze", "starting Ray…", console, clock) as progress:
        progress.started(spec(0))
        progress.finished(spec(0), result(spec(0)))
    assert lines(progress) == ["1/1 done | freeze 0.9 seed 0: 97.22% test"] * 2


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
