"""The fields of methods that end at a budget: one method has one record."""

from __future__ import annotations

from typing import Any

import pytest

from bench.methods import METHODS, Method
from bench.methods.budgets.budget_gate import BudgetGate
from bench.methods.budgets.random_channels import RandomChannels
from bench.methods.budgets.slimming import NetworkSlimming
from bench.methods.budgets.uniform_width import UniformWidth

CLOSING = [name for name, method in METHODS.items() if method.closes_channels]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"macs": 0}, "macs 0.0: must be 0 < macs <= 1"),
        ({"macs": "0.5"}, "macs '0.5': must be a finite number"),
        ({"macs": float("nan")}, "macs nan: must be a finite number"),
        ({"macs": True}, "macs True: must be a finite number"),
        ({"commit": 1.5}, "commit 1.5: must be 0 < commit <= 1"),
        ({"reach": 0}, "reach 0.0: must be above 0"),
        ({"reach": float("inf")}, "reach inf: must be a finite number"),
        ({"ramp": float("nan")}, "ramp nan: must be a finite number"),
        ({"least": 0}, "least 0: must be a whole number >= 1"),
        ({"least": 1.5}, "least 1.5: must be a whole number"),
        ({"least": True}, "least True: must be a whole number"),
        ({"stream": 1}, "stream 1: must be true or false"),
        ({"threshold": 0.0}, "threshold 0.0: must be above 0"),
        ({"threshold": float("inf")}, "threshold inf: must be a finite number"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BudgetGate(**fields)


@pytest.mark.parametrize("method", [UniformWidth, RandomChannels])
@pytest.mark.parametrize("fields", [{"macs": float("inf")}, {"least": 2.0}, {"stream": 0}])
def test_the_baselines_refuse_the_same(method: type[Method], fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(fields))} .*: must be"):
        method(**fields)


def test_slimming_takes_no_field_that_it_does_not_read() -> None:
    with pytest.raises(TypeError, match="threshold"):
        NetworkSlimming(threshold=0.5)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"strength -1\.0: must be at least 0"):
        NetworkSlimming(strength=-1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BudgetGate(macs=1, threshold=1, reach=1), BudgetGate(threshold=1.0, reach=1.0)),
        (NetworkSlimming(strength=0), NetworkSlimming(strength=0.0)),
        (UniformWidth(macs=1), UniformWidth()),
    ],
)
def test_whole_numbers_and_floats_are_one_record(one: Method, other: Method) -> None:
    assert str(one.record()) == str(other.record())


def test_records_tell_the_methods_apart() -> None:
    assert len({str(METHODS[name].record()) for name in CLOSING}) == len(CLOSING)
    assert METHODS["budget-gate"].record()["changes_masks"] is True
    assert "changes_masks" not in METHODS["uniform-width"].record()
