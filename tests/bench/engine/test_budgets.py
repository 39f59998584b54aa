"""Methods that close channels in the middle of the training, down to a budget."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from small_members import after_epochs, data, member_of, result_of
from small_trials import spec
from torch import Tensor, nn

from bench import models, names
from bench.artefact.artefact import read
from bench.channels.budgets import budget_of, floor_of
from bench.channels.counts import counts
from bench.datasets import load
from bench.engine.member import Epoch, Member
from bench.engine.setup.checksums import logits_checksum
from bench.engine.train import Training, train, train_epochs
from bench.methods import METHODS
from bench.methods.budgets.budget_gate import BudgetGate
from bench.methods.changing.revision import Revision
from bench.models.channels.finding import channels_of
from bench.storage.checkpoint import Checkpoints
from bench.trial.spec import TrialSpec

DATA = data()
SHAPE = (1, 28, 28)
CHANNELS = channels_of(models.build("conv-bn", 10), SHAPE)
# Of a budget that is a share of all parameters.
CLOSING = [name for name, method in METHODS.items() if method.closes_channels and not method.own_widths]
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


@pytest.mark.parametrize("name", CLOSING)
@pytest.mark.parametrize(("rate", "macs"), [("0.6", 1.0), ("0.3", 0.4), ("0.7", 0.3)])
def test_the_budgets_are_kept_and_one_of_them_binds(name: str, rate: str, macs: float) -> None:
    result = result_of(closing(name, rate, macs))
    budget = budget_of(CHANNELS, Fraction(rate), Fraction(str(macs)))
    parameters, forward = result.metrics[names.STORED_PARAMETERS], result.metrics[names.FORWARD_MACS]
    assert parameters <= budget.parameters and forward <= budget.macs
    filled = max(parameters / budget.parameters, forward / budget.macs)
    assert filled >= 0.9 and (names.BUDGET_SLACK in result.tags) is (filled < 0.99)  # its channels are coarse
    assert result.tags[names.SHRUNK].startswith(f"{parameters:.0f} parameters and {forward:.0f} multiply-accumulates")
    stored = read(result.artefact)
    assert logits_checksum(stored.model, 0, SHAPE) == stored.header.sha256.logits
    assert stored.selection is not None
    widths = stored.selection.widths
    if name != "uniform-width":  # which scales all groups at once
        for group, width in widths.items():
            more = counts(CHANNELS, {**widths, group: width + 1})
            assert width == CHANNELS.widths[group] or not budget.allows(more)


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


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_closed_stays_so_and_what_opens_again_begins_anew(optimizer: str) -> None:
    """At a small scale, without a shift, and without the optimizer's state: of its scale, shift, rows and columns."""
    s = closing(epochs=4, **OPTIMIZERS[optimizer])
    s = replace(s, method=replace(s.method, reach=0.02))  # closes far more than need be
    member = member_of(s)
    training, orders = Training([member]), []
    for event in training.events():
        if isinstance(event, Epoch) and event.epoch in (1, 2):
            orders.append([*member.trial.state["closed"]])
            model = member.trial.model
            if event.epoch == 2:
                break
            for name, index in orders[0]:
                norm = CHANNELS.groups[name].norms[0]
                assert [model.get_parameter(f"{norm}.{leaf}")[index].item() for leaf in ("weight", "bias")] == [0, 0]
    assert member.trial.selection is not None
    assert orders[0] and orders[1][: len(orders[0])] == orders[0]
    reopened = [(name, index) for name, index in orders[1] if member.trial.selection.open[name][index]]
    assert reopened
    state = whole_states(training, member)
    for name, index in reopened:
        group = CHANNELS.groups[name]
        scale, shift = (model.get_parameter(f"{group.norms[0]}.{leaf}")[index].item() for leaf in ("weight", "bias"))
        assert (scale, shift) == (pytest.approx(1e-2, rel=1e-6), 0.0)
        for tensor in (f"{group.norms[0]}.weight", f"{group.norms[0]}.bias", f"{group.writers[0]}.weight"):
            assert not any(moment[index].any() for moment in state[tensor])
        assert not any(moment[:, index].any() for moment in state[f"{group.readers[0]}.weight"])
    assert all(moment.any() for moments in state.values() for moment in moments)  # of the others it is kept


def whole_states(training: Training, member: Member) -> dict[str, list[Tensor]]:
    """The optimizer's state of each parameter, in its shape, 0 where it is dead."""
    (states,), masks = training._trainer.states(), {**member.trial.masks, **member.trial.fixed}
    whole: dict[str, list[Tensor]] = {}
    for name, parameter in member.trial.model.named_parameters():
        live = masks.get(name, torch.ones_like(parameter, dtype=torch.bool))
        moments = [moment for moment in states[name] if moment.ndim]
        whole[name] = [torch.zeros_like(parameter).masked_scatter_(live, moment) for moment in moments]
    return whole


def revision(model: nn.Module, rate: str, closed: list[list[Any]]) -> Revision:
    return Revision(
        model=model, initial={}, masks={}, rate=Fraction(rate), epoch=1, epochs=2, lr=0.1,
        generator=np.random.RandomState(0), gradients=dict, state={"closed": closed}, channels=CHANNELS,
    )  # fmt: skip


def test_of_closed_channels_that_which_was_closed_last_opens_first() -> None:
    model, closed = models.build("conv-bn", 10), [["convs.3", 5], ["convs.3", 2], ["convs.0", 1]]
    with torch.no_grad():
        for name, index in closed:
            model.get_parameter(f"norms.{name[-1]}.weight")[index] = 9.0  # noise, which ranks nothing
    full = counts(CHANNELS, CHANNELS.widths).parameters
    spared: dict[str, list[tuple[str, int]]] = {"0": [], "0.001": [("convs.3", 5)]}
    for rate, still in spared.items():
        plan = BudgetGate()._plan(revision(model, rate, closed))
        assert [(n, i) for n, flags in plan.open.items() for i, is_open in enumerate(flags) if not is_open] == still
        assert plan.counts.parameters <= (1 - float(rate)) * full
        assert list(plan.reopened) == [tuple(channel) for channel in reversed(closed) if tuple(channel) not in still]


def test_an_open_channel_of_a_scale_that_closes_gates_begins_anew_too() -> None:
    """So that the gradient passes its ReLU; but a network that is left whole is not touched."""
    model = models.build("conv-bn", 10)
    with torch.no_grad():
        for index, (scale, shift) in enumerate([(0.0, -0.3), (-9e-4, 0.3), (2e-3, -0.3)]):
            model.get_parameter("norms.0.weight")[index] = scale
            model.get_parameter("norms.0.bias")[index] = shift
        model.get_parameter("norms.3.weight")[7] = -1.0
    assert BudgetGate().reset(revision(model, "0", []), {}) == {}
    closed = [["convs.3", 7]]  # whose closing is all that the budget asks for
    values = BudgetGate().reset(revision(model, "0.005", closed), {})
    assert set(values) == {"norms.0.weight", "norms.0.bias"}
    assert values["norms.0.weight"][:4].tolist() == pytest.approx([1e-2, 1e-2, 2e-3, 1.0])
    assert values["norms.0.bias"][:4].tolist() == pytest.approx([0.0, 0.3, -0.3, 0.0])


def test_what_the_commit_leaves_as_it_is_keeps_its_bits_in_more_precision() -> None:
    s = closing(rate="0.001", macs=1.0, precision="float64", criterion_precision="float32", epochs=2)
    member = member_of(replace(s, method=replace(s.method, reach=1e9)))
    training = Training([member])
    training._train(0)
    before = {name: p.detach().clone() for name, p in member.trial.model.named_parameters()}
    member.epochs.append({})
    member.trial.state["closed"] += [["convs.3", 5], ["convs.3", 2], ["convs.0", 1]]  # the last two open again
    assert member.revise()
    masks, kept, anew = {**member.trial.masks, **member.trial.fixed}, 0, 0
    for name, now in member.trial.model.named_parameters():
        alive = masks.get(name, torch.ones_like(now, dtype=torch.bool))
        changed = alive & (now != before[name])
        if name.startswith("norms.") and name.endswith("weight"):
            kept, anew = kept + int((alive & ~changed).sum()), anew + int(changed.sum())
            assert now[changed].tolist() == [pytest.approx(1e-2, rel=1e-6)] * int(changed.sum())
        else:
            assert not now[changed].any() and (name.startswith("norms.") or not changed.any())
    assert (kept, anew) == (173, 2)


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


@pytest.mark.parametrize("name", CLOSING)
def test_a_budget_below_the_floor_fails_by_name(name: str) -> None:
    method, floor = METHODS[name], floor_of(CHANNELS)
    with pytest.raises(ValueError, match=f"parameters: must be at least {floor.parameters:,} of the network's"):
        method.open_channels(CHANNELS, Fraction("0.9999"), np.random.RandomState(0))


def test_a_network_without_batchnorm_is_refused_by_its_layer() -> None:
    channels = channels_of(models.build("lenet-5-caffe", 10), SHAPE)
    with pytest.raises(ValueError, match="layer conv1: must have a BatchNorm behind it"):
        BudgetGate().open_channels(channels, Fraction("0.5"), np.random.RandomState(0))


def test_a_real_training_on_digits_keeps_both_budgets_and_fills_one() -> None:
    data, method = load("digits"), BudgetGate(macs=0.4)
    s = TrialSpec(
        method=method, rate=Decimal("0.7"), dataset="digits", data_hash=data.content_hash, model="conv-bn", seed=0,
        epochs=8, batch_size=50,
    )  # fmt: skip
    (result,) = train([s], data, "cpu")
    assert result.outcome == names.DONE, result.reason
    budget = method.budget(CHANNELS, Fraction("0.7"))
    assert budget is not None
    shares = [
        result.metrics[names.STORED_PARAMETERS] / budget.parameters, result.metrics[names.FORWARD_MACS] / budget.macs
    ]  # fmt: skip
    assert 0.9 <= max(shares) <= 1
    assert result.metrics[names.TEST_ACCURACY] > 0.8
