"""What a method keeps of a trial is what a checkpoint gives back, or the trial fails by the name of the key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from small_trials import images, spec
from torch.utils.hooks import RemovableHandle

from bench import names
from bench.engine.member import Epoch
from bench.engine.setup.kept_state import WORDS, check_state, on_device
from bench.engine.train import train, train_epochs
from bench.methods import Background, Masks, Method
from bench.methods.changing.revision import Revision
from bench.methods.changing.shaping import ShapedNetwork
from bench.storage.checkpoint import Checkpoints
from bench.trial.spec import TrialSpec

CPU = torch.device("cpu")
DATA = images()


@dataclass(frozen=True, kw_only=True)
class Keeps(Method):
    """Keeps a value from the first step on."""

    criterion: str = "random"
    background: Background = "prune"
    value: ClassVar[Any] = None

    def moments(self, epochs: int) -> tuple[int, ...]:
        return (epochs - 1,)

    def attach(self, at: ShapedNetwork) -> Sequence[RemovableHandle]:
        return ()

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        at.state["best"] = type(self).value

    def revise(self, at: Revision) -> Masks:
        return at.masks


def keeping(value: Any) -> TrialSpec:
    Keeps.value = value
    return replace(spec("rigl", epochs=3), method=Keeps())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Fraction(1, 3), "Fraction"),
        (np.float64(0.5), "float64"),
        (np.zeros(2), "ndarray"),
        ({"a"}, "set"),
        ([1, {"b": (Fraction(1, 3),)}], "Fraction"),
        ({Fraction(1, 3): 1}, "Fraction"),
        (torch.nn.Linear(1, 1), "Linear"),
    ],
)
def test_what_no_checkpoint_keeps_fails_by_the_name_of_its_key(value: Any, kind: str) -> None:
    (result,) = train([keeping(value)], DATA, "cpu")
    assert result.outcome == names.FAILED and len(result.epochs) == 1
    assert f"state 'best' of Keeps: {kind}; must be {WORDS}" in result.reason


def test_all_else_comes_back_as_it_was(tmp_path: Path) -> None:
    value = {"a": [1, 0.5, math.inf, None, True, b"x", (torch.arange(3.0), "é")], "b": {}}
    s, checkpoints = keeping(value), Checkpoints(str(tmp_path), seconds=0.0)
    events = train_epochs([s], DATA, "cpu", checkpoints)
    assert any(isinstance(event, Epoch) and event.epoch == 2 for event in events)  # the first epoch is in a checkpoint
    events.close()
    saved = checkpoints.read(s.run_key)
    assert saved is not None and str(saved.state["best"]) == str(value)
    (result,) = train([s], DATA, "cpu", checkpoints=checkpoints)
    assert result.outcome == names.DONE and result.tags[names.RESUMED]


def test_a_tensor_is_where_the_network_is() -> None:
    elsewhere = {"best": [torch.zeros(2, device="meta")]}
    with pytest.raises(ValueError) as error:
        check_state(Keeps(), elsewhere, CPU)
    assert str(error.value) == "state 'best' of Keeps: a tensor on meta; must be on cpu, as the network is"
    moved = on_device({"best": {"a": (torch.zeros(2), [torch.ones(1)], 3)}}, "meta")
    check_state(Keeps(), moved, torch.device("meta"))
    assert type(moved["best"]["a"]) is tuple and moved["best"]["a"][2] == 3


def test_a_figure_of_numpy_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric from outside may give one: a checkpoint that no reader takes would begin the trial anew."""
    from bench.metrics import METRICS, Metric

    row = Metric(name="of_numpy", when="start", words="A figure of NumPy", function=f"{__name__}:of_numpy")
    monkeypatch.setitem(METRICS, "of_numpy", row)
    s, checkpoints = spec("rigl", epochs=3), Checkpoints(str(tmp_path), seconds=0.0)
    events = train_epochs([s], DATA, "cpu", checkpoints)
    assert any(isinstance(event, Epoch) and event.epoch == 2 for event in events)
    events.close()
    saved = checkpoints.read(s.run_key)
    assert saved is not None and (saved.metrics["of_numpy"], type(saved.metrics["of_numpy"])) == (0.5, float)


def of_numpy(moment: Any) -> dict[str, float]:
    return {"of_numpy": np.float64(0.5)}
