"""Methods that close channels in the middle of the training, down to a budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from small_trials import images, spec
from torch import Tensor

from bench import models, names
from bench.artefact.artefact import read
from bench.channels.budgets import budget_of, floor_of
from bench.channels.counts import counts, marginal_costs
from bench.engine.member import Epoch, Member
from bench.engine.setup.checksums import logits_checksum
from bench.engine.setup.prepare import prepare, residents
from bench.engine.train import Training, train, train_epochs
from bench.methods import METHODS
from bench.methods.budgets.budget_gate import BudgetGate, _close
from bench.methods.budgets.slimming import NetworkSlimming
from bench.methods.changing.shaping import ShapedNetwork
from bench.models.channels.finding import channels_of
from bench.storage.checkpoint import Checkpoints
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

DATA = images()
SHAPE = (1, 28, 28)
CHANNELS = channels_of(models.build("conv-bn", 10), SHAPE)
CLOSING = [name for name, method in METHODS.items() if method.closes_channels]
IN_TRAINING = [name for name in CLOSING if METHODS[name].changes_masks]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"weight_decay": 1e-2},
    "nesterov": {"nesterov": True, "weight_decay": 1e-2},
    "adam": {"optimizer": "adam", "lr": 1e-2, "weight_decay": 1e-2},
    "adamw": {"optimizer": "adamw", "lr": 1e-2, "weight_decay": 1e-2},
    "bfloat16": {"precision": "bfloat16"},
}
CLOCKS = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}


def closing(
    name: str = "budget-gate", rate: str = "0.6", macs: float = 0.5, epochs: int = 4, **fields: Any
) -> TrialSpec:
    one = spec(name, rate, model="conv-bn", epochs=epochs, **fields)
    return replace(one, method=replace(one.method, macs=macs))


def result_of(s: TrialSpec) -> TrialResult:
    (result,) = train([s], DATA, "cpu")
    assert result.outcome == names.DONE, result.reason
    return result


def member_of(s: TrialSpec) -> Member:
    member = Member(s)
    member.begin(prepare(s, DATA, "cpu", residents(s, DATA, "cpu")))
    return member


def after_epochs(member: Member) -> Iterator[int]:
    for event in Training([member]).events():
        if isinstance(event, Epoch):
            yield event.epoch


@pytest.mark.parametrize("name", CLOSING)
@pytest.mark.parametrize(("rate", "macs"), [("0.6", 1.0), ("0.3", 0.4), ("0.7", 0.3)])
def test_the_budgets_are_kept_and_one_of_them_binds(name: str, rate: str, macs: float) -> None:
    result = result_of(closing(name, rate, macs))
    budget = budget_of(CHANNELS, Fraction(rate), Fraction(str(macs)))
    parameters, forward = result.metrics[names.STORED_PARAMETERS], result.metrics[names.FORWARD_MACS]
    assert parameters <= budget.parameters and forward <= budget.macs
    assert max(parameters / budget.parameters, forward / budget.macs) >= (0.9 if name == "uniform-width" else 0.97)
    assert result.tags[names.SHRUNK].startswith(f"{parameters:.0f} parameters and {forward:.0f} multiply-accumulates")
    stored = read(result.artefact)
    assert logits_checksum(stored.model, 0, SHAPE) == stored.header.sha256.logits


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", IN_TRAINING)
def test_closed_channels_are_0_in_every_parameter_after_the_commit(name: str, optimizer: str) -> None:
    member = member_of(closing(name, **OPTIMIZERS[optimizer]))
    for epoch in after_epochs(member):
        selection, model = member.trial.selection, member.trial.model
        assert (selection is None) is (epoch < 2)
        if selection is None:
            continue
        for group, flags in selection.open.items():
            closed = ~torch.tensor(flags)
            writer, norm = selection.channels.groups[group].writers[0], selection.channels.groups[group].norms[0]
            for tensor in (f"{writer}.weight", f"{norm}.weight", f"{norm}.bias"):
                assert not model.get_parameter(tensor)[closed].any()
            for reader in selection.channels.groups[group].readers:
                assert not model.get_parameter(f"{reader}.weight")[:, closed].any()
    assert not any(module._forward_hooks for module in member.trial.model.modules())


def test_no_gate_closes_if_nothing_need_be() -> None:
    """With room for the whole network a gated trial is the dense one bit for bit."""
    dense = spec("dense", "0", model="conv-bn", epochs=4)
    one, other = member_of(replace(dense, method=BudgetGate())), member_of(dense)
    assert [*after_epochs(one)] == [*after_epochs(other)] == [0, 1, 2, 3, 4]
    ours, theirs = (member.trial.model.state_dict() for member in (one, other))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_channel_that_is_opened_again_begins_with_a_small_scale_and_no_shift() -> None:
    s = closing(epochs=3)
    s = replace(s, method=replace(s.method, reach=0.02))  # closes far more than need be
    member = member_of(s)
    for epoch in after_epochs(member):
        if epoch == 1:
            before = {name: flags.clone() for name, flags in member.trial.state["closed"].items()}
        if epoch == 2:
            break
    assert member.trial.selection is not None
    closed = member.trial.state["closed"]
    reopened = [
        (name, index)
        for name, flags in member.trial.selection.open.items()
        for index, is_open in enumerate(flags)
        if is_open and bool(closed[name][index])
    ]
    assert reopened and all(bool((closed[name] | ~before[name]).all()) for name in closed)  # what closes stays closed
    for name, index in reopened:
        norm = CHANNELS.groups[name].norms[0]
        scale, shift = (member.trial.model.get_parameter(f"{norm}.{leaf}")[index].item() for leaf in ("weight", "bias"))
        assert (scale, shift) == (pytest.approx(1e-2, rel=1e-6), 0.0)


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("name", IN_TRAINING)
def test_stopped_in_the_phase_at_the_commit_and_after_it_goes_on_bit_for_bit(
    name: str, stop: int, tmp_path: Any
) -> None:
    s = closing(name, optimizer="adam", lr=1e-2)
    whole = result_of(s)
    checkpoints = Checkpoints(str(tmp_path), seconds=0.0)
    for event in train_epochs([s], DATA, "cpu", checkpoints):
        if isinstance(event, Epoch) and event.epoch == stop + 1:
            break  # its checkpoint is that of the epoch before
    (resumed,) = train([s], DATA, "cpu", checkpoints=checkpoints)
    assert resumed.tags[names.RESUMED] == str(stop)
    assert resumed.epochs == whole.epochs and resumed.artefact == whole.artefact
    assert {n: v for n, v in resumed.metrics.items() if n not in CLOCKS} == {
        n: v for n, v in whole.metrics.items() if n not in CLOCKS
    }


def shaped(rate: str = "0.5", steps: int = 100, epochs: int = 10) -> ShapedNetwork:
    model = models.build("conv-bn", 10)
    return ShapedNetwork(model=model, channels=CHANNELS, state={}, rate=Fraction(rate), epochs=epochs, steps=steps)


def test_the_pressure_of_a_step_by_hand() -> None:
    """Whole network, parameters alone, target half of them at the end: one step at half of the ramp."""
    at, method = shaped(), BudgetGate(ramp=1.0)
    method.attach(at)
    method.shape(at, 25, 0.1)  # of the 50 steps of the phase
    full, each = counts(CHANNELS, CHANNELS.widths), marginal_costs(CHANNELS, CHANNELS.widths)
    target = full.parameters - (full.parameters - full.parameters // 2) * 0.5
    assert full.parameters / target - 1 > 0.05  # full pressure
    mean = sum(CHANNELS.widths[name] * each[name].parameters for name in each) / sum(CHANNELS.widths.values())
    for name, group in CHANNELS.groups.items():
        scale = at.model.get_parameter(f"{group.norms[0]}.weight")
        expected = 1 - each[name].parameters / mean / (0.3 * 50)
        assert torch.allclose(scale, torch.full_like(scale, expected), atol=1e-6)


def test_without_pressure_nothing_moves() -> None:
    at = shaped(rate="0")
    method = BudgetGate()
    method.attach(at)
    method.shape(at, 50, 0.1)
    assert all(bool((at.model.get_parameter(f"{g.norms[0]}.weight") == 1).all()) for g in CHANNELS.groups.values())


def test_a_gate_closes_the_whole_output() -> None:
    at, method = shaped(), BudgetGate()
    method.attach(at)
    norm, name = at.model.get_submodule("norms.0"), next(iter(CHANNELS.groups))
    x = torch.randn(2, 16, 3, 3)
    whole = norm(x)
    at.state["closed"][name][3] = True
    gated = norm(x)
    assert not gated[:, 3].any() and torch.equal(gated[:, 4:], norm(x)[:, 4:])
    at.model.eval()
    assert not norm(x)[:, 3].any() and whole.shape == gated.shape


@pytest.mark.parametrize(
    ("scale", "closed", "least", "after"),
    [
        ([0.5, 1e-3, 2e-3, 0.0], [0, 0, 0, 0], 1, [0, 1, 0, 1]),
        ([0.5, 1e-4, 0.0, 0.0], [1, 0, 0, 0], 1, [1, 0, 1, 1]),
        ([0.0, 0.0, 0.0, 0.0], [0, 0, 0, 0], 2, [1, 1, 0, 0]),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 0], 1, [0, 1, 0, 0]),
    ],
)
def test_what_a_step_closes(scale: list[float], closed: list[int], least: int, after: list[int]) -> None:
    flags = torch.tensor(closed, dtype=torch.bool)
    _close(flags, torch.tensor(scale), 1e-3, least)
    assert flags.tolist() == [bool(flag) for flag in after]


def test_slimming_takes_the_proximal_step_of_its_penalty() -> None:
    at, method = shaped(), NetworkSlimming(strength=0.5)
    with torch.no_grad():
        first: Tensor = at.model.get_parameter("norms.0.weight")
        first[:3] = torch.tensor([-1.0, 0.02, -0.02])
    method.shape(at, 1, 0.1)
    assert first[:4].tolist() == pytest.approx([-0.95, 0.0, 0.0, 0.95])


@pytest.mark.parametrize("name", CLOSING)
def test_a_budget_below_the_floor_fails_by_name(name: str) -> None:
    method, floor = METHODS[name], floor_of(CHANNELS)
    with pytest.raises(ValueError, match=f"parameters: must be at least {floor.parameters:,} of the network's"):
        method.open_channels(CHANNELS, Fraction("0.9999"), np.random.RandomState(0))


def test_a_network_without_batchnorm_is_refused_by_its_layer() -> None:
    channels = channels_of(models.build("lenet-5-caffe", 10), SHAPE)
    with pytest.raises(ValueError, match="layer conv1: must have a BatchNorm behind it"):
        BudgetGate().open_channels(channels, Fraction("0.5"), np.random.RandomState(0))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"macs": 0}, "macs 0.0: must be 0 < macs <= 1"),
        ({"commit": 1.5}, "commit 1.5: must be 0 < commit <= 1"),
        ({"reach": 0}, "reach 0.0: must be above 0"),
        ({"least": 0}, "least 0: must be a whole number >= 1"),
        ({"threshold": 0.0}, "threshold 0.0: must be above 0"),
    ],
)
def test_fields(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BudgetGate(**fields)


def test_records_tell_the_methods_apart() -> None:
    assert len({str(METHODS[name].record()) for name in CLOSING}) == len(CLOSING)
    assert METHODS["budget-gate"].record()["changes_masks"] is True
    assert "changes_masks" not in METHODS["uniform-width"].record()
