"""Trials whose filters are frozen in the middle of the training, down to a budget."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from small_members import after_epochs, data, member_of, result_of
from small_trials import spec
from torch import Tensor

from bench import names
from bench.artefact.artefact import read
from bench.channels.filters import costs_of, total_of
from bench.engine.measures.cost import counts
from bench.engine.member import Epoch, Member
from bench.engine.setup.checksums import logits_checksum
from bench.engine.train import train, train_epochs
from bench.execution.checked_sweep import check_selection
from bench.methods.budgets.filter_gate import FilterGate
from bench.models.channels.filters import filters_of
from bench.storage.checkpoint import Checkpoints
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

DATA = data()
SHAPE = (1, 28, 28)
CLOCKS = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "nesterov": {"nesterov": True, "weight_decay": 1e-2},
    "adamw": {"optimizer": "adamw", "lr": 1e-2, "weight_decay": 1e-2},
    "start": {"decay_to": "start", "weight_decay": 1e-2},
}


def freezing(rate: str = "0.6", *, method: FilterGate | None = None, epochs: int = 4, **fields: Any) -> TrialSpec:
    one = spec("budget-gate-freeze", rate, model="conv-bn", epochs=epochs, **fields)
    return replace(one, method=method or FilterGate(backward=0.5))


def parameters(member: Member) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in member.trial.model.named_parameters()}


@pytest.mark.parametrize("norm", ["trained", "frozen"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_closed_filters_are_at_their_start_bit_for_bit(norm: Any, optimizer: str) -> None:
    member = member_of(freezing(method=FilterGate(backward=0.5, norm=norm), **OPTIMIZERS[optimizer]))
    start, closed = parameters(member), 0
    for epoch in after_epochs(member):
        if epoch < 2:
            continue
        now, masks = parameters(member), member.trial.masks
        for name, layer in filters_of(member.trial.model, SHAPE).items():
            live = masks[name].flatten(1).any(1)
            assert torch.equal(live, masks[name].flatten(1).all(1))  # whole
            closed += int((~live).sum())
            others = layer.others if norm == "frozen" else ()
            assert all(torch.equal(now[each][~live], start[each][~live]) for each in (name, *others))
    assert closed and bool(member.trial.fixed) is (norm == "frozen")


@pytest.mark.parametrize(("rate", "backward"), [("0.6", 1.0), ("0.3", 0.4), ("0.8", 0.2)])
def test_the_budgets_are_kept_and_no_closed_filter_fits(rate: str, backward: float) -> None:
    s = freezing(rate, method=FilterGate(backward=backward))
    result = result_of(s)
    stored = read(result.artefact)
    assert logits_checksum(stored.model, 0, SHAPE) == stored.header.sha256.logits
    filters = filters_of(stored.model, SHAPE)
    costs, full = costs_of(filters, False), total_of(costs_of(filters, False))
    live = [bool(row.all()) for name in filters for row in stored.masks[name]]
    used = total_of([cost for cost, is_live in zip(costs, live, strict=True) if is_live])
    limits = (1 - Fraction(rate)) * full.parameters, Fraction(str(backward)) * full.macs
    assert used.parameters <= limits[0] and used.macs <= limits[1]
    for cost, is_live in zip(costs, live, strict=True):
        assert is_live or used.parameters + cost.parameters > limits[0] or used.macs + cost.macs > limits[1]
    assert result.metrics[names.LIVE_WEIGHTS] == used.parameters
    dense = counts(stored.model, {}, "freeze", SHAPE)[names.BACKWARD_MACS]
    assert result.metrics[names.BACKWARD_MACS] == dense - full.macs + used.macs  # live rows alone have a gradient
    share = max(used.parameters / int(limits[0]), used.macs / int(limits[1]))
    assert (names.BUDGET_SLACK in result.tags) is (share < 0.99)


@pytest.mark.parametrize("step", ["proximal", "none"])
def test_with_weights_of_0_at_the_start_the_frozen_trial_is_the_pruned_one_bit_for_bit(step: Any) -> None:
    ends = []
    for background in ("freeze", "prune"):
        member = member_of(freezing(method=FilterGate(backward=0.5, step=step, background=background)))
        zeros = {name: torch.zeros_like(value) for name, value in member.trial.initial.items()}
        member.trial = replace(member.trial, initial=zeros)
        assert [*after_epochs(member)] == [0, 1, 2, 3, 4]
        ends.append((parameters(member), member.trial.masks))
    (frozen, masks), (pruned, same) = ends
    assert all(torch.equal(masks[name], same[name]) for name in masks)
    assert all(torch.equal(frozen[name], pruned[name]) for name in frozen)
    assert not all(bool(mask.all()) for mask in masks.values())


def test_with_room_for_all_filters_it_is_the_dense_trial_bit_for_bit() -> None:
    dense = spec("dense", "0", model="conv-bn", epochs=4)
    one, other = member_of(replace(dense, method=FilterGate())), member_of(dense)
    assert [*after_epochs(one)] == [*after_epochs(other)]
    ours, theirs = parameters(one), parameters(other)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_descent_leaves_fewer_filters_moved_and_the_commit_less_to_close() -> None:
    """Under pressure the counts come down to the targets before the commit; without a step all filters have moved."""
    moved = {}
    for step in ("proximal", "none"):
        member = member_of(freezing("0.6", method=FilterGate(step=step), epochs=4, batch_size=20))
        for epoch in after_epochs(member):
            if epoch == 1:
                weights, start = dict(member.trial.model.named_parameters()), member.trial.initial
                rows = [(weights[n] - start[n]).flatten(1).norm(dim=1) > 0 for n in member.trial.masks]
                moved[step] = int(sum(int(of.sum()) for of in rows))
                break
    assert moved["proximal"] < moved["none"] == 186


FLOOR = "must be at least 64 of the network's 3,726,208, its floor: that of the cheapest filter"


def test_a_budget_below_the_cheapest_filter_is_refused_before_the_sweep_and_before_the_training() -> None:
    tiny = freezing("0.7", method=FilterGate(backward=1e-6))
    of_both = f"a budget of 3 multiply-accumulates of the weights' gradient: {FLOOR}"
    sweep = Sweep(
        methods={"mine": tiny.method}, rates=[tiny.rate], seeds=[0], dense=False, classes=10,
        protocol={
            "dataset": "digits", "data_hash": "0", "model": "conv-bn", "precision": "float32", "pack": "auto",
            "step": "auto",
        },
    )  # fmt: skip
    with pytest.raises(ValueError) as error:
        check_selection(sweep)
    assert str(error.value) == f"mine with model 'conv-bn' at rate 0.7: {of_both}"
    (result,) = train([tiny], DATA, "cpu")
    assert (result.outcome, result.epochs) == (names.FAILED, []) and of_both in result.reason


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_stopped_it_goes_on_bit_for_bit(stop: int, tmp_path: Path) -> None:
    s = freezing(optimizer="adam", lr=1e-2)
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
