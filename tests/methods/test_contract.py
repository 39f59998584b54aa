"""One table: every method × tiny networks × rates keeps the contract of `select`."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, Mlp, NormRelu, batches, square_batches
from torch import nn
from torch.nn.functional import cross_entropy

from bench.methods import METHODS, NTKSAP, PX, GraSP, IterativeSNIP, LastLayer, Masks, Method, only_rate
from bench.methods.counts import live_count
from bench.methods.criteria import snip
from bench.methods.last_layer import rate_of_last_layer
from bench.methods.maskable import head_of, maskable
from bench.methods.rounds.iterative import schedule
from bench.methods.scopes import check_live, global_scope

SELECTING = [name for name, method in METHODS.items() if not method.closes_channels]
GENERATOR = np.random.RandomState(0)
RATES = ["0", "0.5", "0.99", "1"]
NETWORKS = {"mlp": (Mlp, batches), "conv-norm": (ConvNorm, square_batches), "norm-relu": (NormRelu, square_batches)}


def network(name: str) -> tuple[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(0)
    make, data = NETWORKS[name]
    return make().double(), data()


def select(method: Method, name: str, rate: str, seed: int = 3) -> tuple[nn.Module, Masks]:
    model, data = network(name)
    method = short(method)
    first, generator = method.start_rate(Fraction(rate)), np.random.RandomState(seed)
    return model, method.select(model, data, cross_entropy, first, generator, **read(method, model))


def short(method: Method) -> Method:
    """A method whose rounds are many and slow, with three of them."""
    return replace(method, rounds=3) if isinstance(method, NTKSAP | PX) else method


def own_rate(method: Method, model: nn.Module) -> Fraction | None:
    """The rate of a method that has a single one."""
    if isinstance(method, LastLayer):
        weights = sum(w.numel() for w in maskable(model).values())
        return Fraction(rate_of_last_layer(head_of(model)[1].weight.numel(), weights))
    only = only_rate(method)
    return None if only is None else Fraction(only)


def read(method: Method, model: nn.Module) -> dict[str, Any]:
    """What a method that reads a trained network is given: here a dense one at other weights."""
    if not method.reads_parent:
        return {}
    trained = {name: w.detach().flip(0) * 2 for name, w in maskable(model).items()}
    return {"trained": trained, "live": {name: torch.ones_like(w, dtype=torch.bool) for name, w in trained.items()}}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", SELECTING)
def test_exact_count_shapes_and_replay(method: str, name: str, rate: str) -> None:
    if (only := own_rate(METHODS[method], network(name)[0])) is not None and Fraction(rate) != only:
        with pytest.raises(ValueError, match=f"{method} at rate"):
            select(METHODS[method], name, rate)
        return
    if method.startswith("channel-snip") and name == "mlp":
        with pytest.raises(ValueError, match=r"layer fc1 \(Linear\): has no BatchNorm directly behind it"):
            select(METHODS[method], name, rate)
        return
    if METHODS[method].criterion == "px" and name == "conv-norm":
        with pytest.raises(ValueError, match=r"layer model \(ConvNorm\): calls tanh; must be ReLU or linear"):
            select(METHODS[method], name, rate)
        return
    model, masks = select(METHODS[method], name, rate)
    weights = maskable(model)
    assert list(masks) == list(weights)
    assert all(masks[n].shape == w.shape and masks[n].dtype == torch.bool for n, w in weights.items())
    first = METHODS[method].start_rate(Fraction(rate))
    check_live(masks, first, METHODS[method].scope)
    if METHODS[method].scope != "filter":
        total = sum(w.numel() for w in weights.values())
        assert sum(int(m.sum()) for m in masks.values()) == live_count(first, total)
    again = select(METHODS[method], name, rate)[1]
    assert all(torch.equal(masks[n], again[n]) for n in masks)


@pytest.mark.parametrize("scope", ["uniform", "er", "erk"])
@pytest.mark.parametrize("rate", RATES)
def test_layerwise_scopes_keep_the_exact_total(scope: str, rate: str) -> None:
    model, masks = select(Method(criterion="random", scope=scope, background="prune"), "mlp", rate)
    total = sum(w.numel() for w in maskable(model).values())
    assert sum(int(m.sum()) for m in masks.values()) == live_count(Fraction(rate), total)


@pytest.mark.parametrize("method", SELECTING)
@pytest.mark.parametrize("training", [True, False])
def test_selection_leaves_no_trace(method: str, training: bool) -> None:
    model, data = network("norm-relu")
    model.train(training)
    for p in model.parameters():
        p.grad = torch.full_like(p, 7.0)
    before = copy.deepcopy(model.state_dict())
    only = own_rate(METHODS[method], model)
    rate = Fraction(1, 2) if only is None else only
    state = np.random.get_state()[1].tolist()
    chosen = short(METHODS[method])
    rate = chosen.start_rate(rate)
    chosen.select(model, data, cross_entropy, rate, np.random.RandomState(0), **read(chosen, model))
    assert np.random.get_state()[1].tolist() == state
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is not None and bool((p.grad == 7).all()) and p.requires_grad for p in model.parameters())
    assert all(m.training is training for m in model.modules())


def test_freeze_and_prune_of_a_criterion_share_the_mask() -> None:
    for one, other in (("freeze", "snip"), ("grasp", "grasp-freeze"), ("random-freeze", "random-prune")):
        a, b = select(METHODS[one], "mlp", "0.7")[1], select(METHODS[other], "mlp", "0.7")[1]
        assert all(torch.equal(a[n], b[n]) for n in a)
        assert METHODS[one].background != METHODS[other].background


def test_iterative_snip_of_one_round_is_snip() -> None:
    one, plain = select(IterativeSNIP(rounds=1), "mlp", "0.7")[1], select(METHODS["snip"], "mlp", "0.7")[1]
    assert all(torch.equal(one[n], plain[n]) for n in one)


def test_iterative_snip_scores_the_net_pruned_so_far() -> None:
    model, masks = select(IterativeSNIP(rounds=2), "mlp", "0.9")
    weights, data = maskable(model), batches()
    total = sum(w.numel() for w in weights.values())
    first = global_scope(
        snip(model, data, cross_entropy, GENERATOR), 1 - Fraction(schedule(Fraction("0.9"), total, 2)[0], total)
    )
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in maskable(pruned).items():
            weight[~first[name]] = 0
    again = snip(pruned, data, cross_entropy, GENERATOR)
    expected = global_scope({n: s.masked_fill(~first[n], -1) for n, s in again.items()}, Fraction("0.9"))
    assert all(torch.equal(masks[n], expected[n]) for n in masks)
    assert all(bool((first[n] | ~masks[n]).all()) for n in masks)
    once = select(METHODS["snip"], "mlp", "0.9")[1]
    assert any(not torch.equal(masks[n], once[n]) for n in masks)


def test_a_removed_weight_loses_to_a_live_one_without_saliency() -> None:
    # The inputs of fc1's last six columns are 0, so their saliency is: in the second round the scores of the removed
    # weights are 0 too, and only their being removed keeps them out.
    model, data = network("mlp")
    dark = [(torch.cat([x.flatten(1)[:, :6], torch.zeros(len(x), 6, dtype=x.dtype)], 1).view_as(x), y) for x, y in data]
    masks = IterativeSNIP(rounds=4).select(model, dark, cross_entropy, Fraction("0.2"), GENERATOR)
    total = 12 * 10 + 10 * 3
    rounds = schedule(Fraction("0.2"), total, 4)
    live = IterativeSNIP(rounds=1).select(model, dark, cross_entropy, 1 - Fraction(rounds[0], total), GENERATOR)
    for name, mask in masks.items():
        assert bool((live[name] | ~mask).all())


@pytest.mark.parametrize("fields", [{"criterion": "magnitude"}, {"scope": "uniform"}, {"rounds": 0}])
def test_iterative_snip_refuses_what_it_would_ignore(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        IterativeSNIP(**fields)


def test_iterative_snip_may_leave_nothing_live() -> None:
    masks = select(IterativeSNIP(rounds=3), "mlp", "0.999")[1]
    assert not any(m.any() for m in masks.values())


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_grasp_needs_a_temperature(temperature: float) -> None:
    with pytest.raises(ValueError, match=r"temperature .*: must be temperature > 0"):
        GraSP(temperature=temperature)


def test_random_masks_depend_only_on_the_generator() -> None:
    a, b = (select(METHODS["random-prune"], "mlp", "0.5", seed)[1] for seed in (1, 2))
    assert any(not torch.equal(a[n], b[n]) for n in a)


def test_aliases_have_the_record_of_what_they_name() -> None:
    for alias, name in (("snip-freeze", "freeze"), ("snip-prune", "snip"), ("grasp-prune", "grasp")):
        assert METHODS[alias].record() == METHODS[name].record()
    first: dict[str, str] = {}
    for name, method in METHODS.items():
        first.setdefault(str(sorted(method.record().items())), name)
    assert len(first) == 74  # different methods; the other names are aliases
