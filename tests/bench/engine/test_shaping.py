"""What methods do at every step, in a network that is not finite any more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from small_trials import images, spec

from bench import names
from bench.engine.outcome import Diverged
from bench.engine.setup.prepare import prepare
from bench.engine.shaping import diverged_if_not_finite, shapes
from bench.engine.train import train
from bench.methods import METHODS, SparseTraining
from bench.methods.changing.shaping import ShapedNetwork

DATA = images()


@dataclass(frozen=True, kw_only=True)
class Failing(SparseTraining):
    """Raises whatever the network holds."""

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        raise KeyError("mistaken")


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if shapes(method)])
def test_a_rate_that_no_network_bears_ends_every_such_method_as_diverged(name: str) -> None:
    (result,) = train([spec(name, "0.6", model="conv-bn", epochs=2, lr=1e30)], DATA, "cpu")
    assert result.outcome == names.DIVERGED, result.reason


def test_a_mistake_in_a_finite_network_is_a_failure() -> None:
    one = spec("rigl", "0.6", epochs=4)
    (result,) = train([replace(one, method=Failing())], DATA, "cpu")
    assert result.outcome == names.FAILED and result.reason.startswith("KeyError: 'mistaken'")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"best": float("inf"), "scores": {"fc1": torch.zeros(2)}}, ""),
        ({"scores": [torch.tensor([0.0, float("nan")])]}, "state 'scores' NaN or infinite now; KeyError: 'mistaken'"),
    ],
)
def test_of_the_state_the_tensors_are_looked_at(state: dict[str, object], said: str) -> None:
    trial = replace(prepare(spec("snip"), DATA, "cpu"), state=state)
    expected = Diverged if said else KeyError
    with pytest.raises(expected) as error, diverged_if_not_finite(trial, "now"):
        raise KeyError("mistaken")
    assert str(error.value) == (said or "'mistaken'")
