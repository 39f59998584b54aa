"""What is said of a sweep at its end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from small_trials import spec

from bench import names
from bench.execution.outcomes import remarks
from bench.methods import METHODS
from bench.trial.result import TrialResult
from bench.trial.sweep import Sweep

SWEEP = Sweep(
    methods={"budget-gate": METHODS["budget-gate"]},
    rates=[Decimal("0.7")],
    seeds=[0],
    dense=False,
    classes=10,
    protocol={},
)


def result(slack: str) -> TrialResult:
    tags = {names.BUDGET_SLACK: slack} if slack else {}
    return TrialResult(
        run_key="", outcome=names.DONE, reason="", metrics={}, epochs=[], layers=[], tags=tags, artefact=b"",
        started=0.0, ended=1.0,
    )  # fmt: skip


def test_what_fills_no_budget_is_said_once_for_each_method_and_rate() -> None:
    one = spec("budget-gate", "0.7", model="conv-bn")
    slacks = ["", "0.0110: 98.90% of 10 parameters", "0.0310: 96.90% of 10 parameters"]
    results = {replace(one, seed=seed): result(slack) for seed, slack in enumerate(slacks)}
    results[replace(one, rate=Decimal("0.5"))] = result("0.0120: 98.80% of 20 parameters")
    assert remarks(SWEEP, results) == [
        "budget-gate 0.7 fills neither budget to 99%: 2 trials, 0.0310 of both left at most",
        "budget-gate 0.5 fills neither budget to 99%: 1 trial, 0.0120 of both left at most",
    ]
    assert remarks(SWEEP, {one: result("")}) == []
