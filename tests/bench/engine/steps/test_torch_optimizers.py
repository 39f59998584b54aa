"""A class of torch.optim as an optimizer: torch's own numbers, dead weights unmoved, bit for bit after a stop."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from small_trials import images, spec
from torch import nn

from bench import names
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.engine.steps.updates import update_rule
from bench.engine.train import train, train_epochs
from bench.storage.checkpoint import Checkpoints
from bench.trial.optimizers import UPDATES, OptimizerRow
from bench.trial.outside import rows as outside
from bench.trial.outside.rows import add, outside_row
from bench.trial.outside.sources import SOURCES
from bench.trial.result import TrialResult

DATA = images()
CLASSES = {
    "sgd": torch.optim.SGD,
    "sgd-momentum": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "rmsprop": partial(torch.optim.RMSprop, momentum=0.5, centered=True),
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "asgd": torch.optim.ASGD,
}


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    """The optimizers of CLASSES as "torch-…", in the table for a test's duration."""
    before = dict(outside._rows), dict(SOURCES)
    add([outside_row("OPTIMIZERS", f"torch-{name}", rule, "test") for name, rule in CLASSES.items()], "test")
    yield
    add([], "test")
    assert (outside._rows, SOURCES) == before


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_live_moves_as_torch_moves_it_and_nothing_else_does(name: str) -> None:
    """The reference: torch's class over one vector of the live values of each weight, and over the biases."""
    model, reference = network(), network()
    masks = {f"{layer}.weight": torch.rand(model[layer].weight.shape) < 0.5 for layer in (0, 2)}
    ours = LiveOptimizer(model, masks, spec(optimizer=f"torch-{name}", lr=0.05, weight_decay=0.01))
    weights = [(reference[int(key[0])].weight, mask) for key, mask in masks.items()]
    values = [weight.detach()[mask].clone() for weight, mask in weights]
    biases = [reference[0].bias, reference[2].bias]
    theirs = [CLASSES[name](values, lr=0.05, weight_decay=0.01), CLASSES[name](biases, lr=0.05, weight_decay=0.0)]
    dead = [model[int(key[0])].weight.detach()[~mask].clone() for key, mask in masks.items()]
    for step in range(8):
        x, lr = torch.randn(4, 6), 0.05 / (step + 1)
        for net in (model, reference):
            net.zero_grad()
            net(x).square().mean().backward()
        ours.step(lr)
        for optimizer in theirs:
            optimizer.param_groups[0]["lr"] = lr
        for (weight, mask), value in zip(weights, values, strict=True):
            value.grad = weight.grad[mask]
        for optimizer in theirs:
            optimizer.step()
        with torch.no_grad():
            for (weight, mask), value in zip(weights, values, strict=True):
                weight[mask] = value
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True))
    after = [model[int(key[0])].weight.detach()[~mask] for key, mask in masks.items()]
    assert all(map(torch.equal, dead, after))


def result_of(events: Iterator[Any]) -> TrialResult:
    (result,) = [event for event in events if isinstance(event, TrialResult)]
    return result


@pytest.mark.parametrize(
    ("name", "step"), [("nadam", "dense"), ("asgd", "dense"), ("adagrad", "dense"), ("sgd-momentum", "sparse")]
)
def test_a_stopped_trial_goes_on_bit_for_bit(name: str, step: str, tmp_path: Path) -> None:
    asked = spec("freeze", "0.9", optimizer=f"torch-{name}", lr=0.01, epochs=3, step=step)
    whole = result_of(train_epochs([asked], DATA, "cpu"))
    assert (whole.outcome, whole.reason) == ("done", "")
    checkpoints = Checkpoints(str(tmp_path), seconds=0.0)
    events = train_epochs([asked], DATA, "cpu", checkpoints)
    while next(events).epoch < 2:  # the checkpoint is of the epoch before
        pass
    events.close()
    again = result_of(train_epochs([asked], DATA, "cpu", checkpoints))
    assert again.tags[names.RESUMED] == "1"
    assert again.tags[names.WEIGHTS_SHA256] == whole.tags[names.WEIGHTS_SHA256]


def test_the_key_says_the_class_and_its_arguments() -> None:
    keys = {spec(optimizer=f"torch-{name}", lr=0.1).sources for name in CLASSES}
    assert len(keys) == len(CLASSES)
    add([outside_row("OPTIMIZERS", "other", partial(torch.optim.SGD, nesterov=True, momentum=0.9), "test")], "test")
    again = outside_row("OPTIMIZERS", "other", partial(torch.optim.SGD, momentum=0.8), "test")
    assert again.source != SOURCES["optimizer", "other"]


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam", "Adafactor", "Muon", "Rprop"])
def test_classes_that_need_more_than_live_values_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^torch\.optim\.{name}: must "):
        outside_row("OPTIMIZERS", "mine", getattr(torch.optim, name), "test")


def test_a_batched_step_is_refused_unless_the_row_says_so() -> None:
    assert not UPDATES["torch-adam"].batched
    with pytest.raises(
        ValueError, match=r"pack vmap with torch-adam: must be single; its row does not say batched=True"
    ):
        spec(optimizer="torch-adam", pack="vmap", lr=0.1)


def moved(name: str, start: torch.Tensor) -> torch.Tensor:
    """How far the rule without decay moves a tensor in six steps of given gradients."""
    generator, tensor = torch.Generator().manual_seed(0), start.clone()
    rule = update_rule(f"torch-{name}")(spec(optimizer=f"torch-{name}", lr=0.05), [tensor], 0.0)
    for _ in range(6):
        rule.step([torch.randn(len(start), generator=generator, dtype=torch.float64)], 0.05)
    return tensor - start


@pytest.mark.parametrize("name", CLASSES)
def test_decay_towards_the_start_is_of_rules_that_read_a_weight_only_to_decay_it(name: str) -> None:
    start = torch.linspace(-2, 2, 7, dtype=torch.float64)
    reads_weights = bool((moved(name, start) - moved(name, torch.zeros_like(start))).abs().max() > 1e-9)
    assert UPDATES[f"torch-{name}"].displaceable is not reads_weights
    fields = {"optimizer": f"torch-{name}", "lr": 0.1, "decay_to": "start"}
    if not reads_weights:
        assert spec(**fields).decay_to == "start"
        return
    with pytest.raises(ValueError, match=f"^decay_to start with torch-{name}: must be zero; its row does not say dis"):
        spec(**fields)


class Trust(torch.optim.SGD):
    """A class of a user, whose step may look at the weights."""


def test_a_rule_of_a_user_decays_towards_the_start_only_if_its_row_says_so() -> None:
    assert not outside_row("OPTIMIZERS", "mine", Trust, "test").row.displaceable
    row = OptimizerRow(words="mine", rule=Trust, displaceable=True)
    assert outside_row("OPTIMIZERS", "mine", row, "test").row is row
    assert [name for name in ("sgd", "adam", "adamw") if UPDATES[name].displaceable] == ["sgd", "adam", "adamw"]


class Raising(torch.optim.SGD):
    """Its second step raises what it is told to."""

    error: BaseException = RuntimeError("no")

    def step(self, closure: Any = None) -> Any:
        if any("momentum_buffer" in state for state in self.state.values()):
            raise self.error
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no"), "RuntimeError: no ("),
        (SystemExit(3), "Ended: SystemExit with 3: it must not end the process ("),
    ],
)
def test_its_error_is_its_trials(error: BaseException, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Raising, "error", error)
    monkeypatch.setitem(UPDATES, "raising", outside_row("OPTIMIZERS", "raising", Raising, "test").row)
    (result,) = train([spec(optimizer="raising", lr=0.1, epochs=1)], DATA, "cpu")
    assert result.outcome == "failed" and result.reason.startswith(said)
