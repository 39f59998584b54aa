"""One table: every method × tiny networks × rates keeps the contract of `select`."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, Mlp, batches, square_batches
from torch import nn
from torch.nn.functional import cross_entropy

from methods import METHODS, Masks, Method
from methods.counts import live_count
from methods.maskable import maskable

RATES = ["0", "0.5", "0.99"]
NETWORKS = {"mlp": (Mlp, batches), "conv-norm": (ConvNorm, square_batches)}


def network(name: str) -> tuple[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(0)
    make, data = NETWORKS[name]
    return make().double(), data()


def select(method: Method, name: str, rate: str, seed: int = 3) -> tuple[nn.Module, Masks]:
    model, data = network(name)
    return model, method.select(model, data, cross_entropy, Fraction(rate), np.random.RandomState(seed))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_exact_count_shapes_and_replay(method: str, name: str, rate: str) -> None:
    if method == "dense" and rate != "0":
        with pytest.raises(ValueError, match="dense at rate"):
            select(METHODS[method], name, rate)
        return
    model, masks = select(METHODS[method], name, rate)
    weights = maskable(model)
    assert list(masks) == list(weights)
    assert all(masks[n].shape == w.shape and masks[n].dtype == torch.bool for n, w in weights.items())
    total = sum(w.numel() for w in weights.values())
    assert sum(int(m.sum()) for m in masks.values()) == live_count(Fraction(rate), total)
    again = select(METHODS[method], name, rate)[1]
    assert all(torch.equal(masks[n], again[n]) for n in masks)


@pytest.mark.parametrize("scope", ["uniform", "erk"])
@pytest.mark.parametrize("rate", RATES)
def test_layerwise_scopes_keep_the_exact_total(scope: str, rate: str) -> None:
    model, masks = select(Method(criterion="random", scope=scope, background="prune"), "mlp", rate)
    total = sum(w.numel() for w in maskable(model).values())
    assert sum(int(m.sum()) for m in masks.values()) == live_count(Fraction(rate), total)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [True, False])
def test_selection_leaves_no_trace(method: str, training: bool) -> None:
    model, data = network("conv-norm")
    model.train(training)
    for p in model.parameters():
        p.grad = torch.full_like(p, 7.0)
    before = copy.deepcopy(model.state_dict())
    with torch.random.fork_rng():
        rate = Fraction(0 if method == "dense" else "0.5")
        METHODS[method].select(model, data, cross_entropy, rate, np.random.RandomState(0))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is not None and bool((p.grad == 7).all()) and p.requires_grad for p in model.parameters())
    assert all(m.training is training for m in model.modules())


def test_freeze_and_prune_of_a_criterion_share_the_mask() -> None:
    for one, other in (("freeze", "snip"), ("grasp", "grasp-freeze"), ("random-freeze", "random-prune")):
        a, b = select(METHODS[one], "mlp", "0.7")[1], select(METHODS[other], "mlp", "0.7")[1]
        assert all(torch.equal(a[n], b[n]) for n in a)
        assert METHODS[one].background != METHODS[other].background


def test_random_masks_depend_on_the_generator_alone() -> None:
    a, b = (select(METHODS["random-prune"], "mlp", "0.5", seed)[1] for seed in (1, 2))
    assert any(not torch.equal(a[n], b[n]) for n in a)


def test_aliases_have_the_record_of_what_they_name() -> None:
    for alias, name in (("snip-freeze", "freeze"), ("snip-prune", "snip"), ("grasp-prune", "grasp")):
        assert METHODS[alias].record() == METHODS[name].record()
    first: dict[str, str] = {}
    for name, method in METHODS.items():
        first.setdefault(str(sorted(method.record().items())), name)
    assert len(first) == 11  # eleven different methods, the other names are aliases
