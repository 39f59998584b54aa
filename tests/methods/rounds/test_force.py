"""FORCE: a removed weight may return, while iterative SNIP's masks are nested."""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import Mlp, batches
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.methods import FORCE, METHODS, Masks
from bench.methods.maskable import maskable
from bench.methods.rounds.iterative import schedule
from bench.methods.rounds.loop import in_rounds
from bench.methods.scopes import global_scope

RATE = Fraction("0.9")


def network() -> Mlp:
    torch.manual_seed(0)
    return Mlp().double()


def chosen(method: FORCE) -> Masks:
    return method.select(network(), batches(), cross_entropy, RATE, np.random.RandomState(0))


def by_hand(rounds: int) -> list[Masks]:
    """The masks after each round: the gradient of a pruned copy times the weights as they were."""
    model, ((x, y),) = network(), batches((12,))
    initial = {n: w.detach().clone() for n, w in maskable(model).items()}
    total, masks = sum(w.numel() for w in initial.values()), []
    for count in schedule(RATE, total, rounds):
        model.zero_grad()
        cross_entropy(model(x), y).backward()
        scores = {n: (initial[n] * w.grad).abs() for n, w in maskable(model).items()}
        masks.append(global_scope(scores, 1 - Fraction(count, total)))
        for n, w in maskable(model).items():
            w.data = initial[n] * masks[-1][n]
    return masks


def test_it_scores_initial_weights_by_the_gradient_of_the_masked_net() -> None:
    model, data = network(), batches((12,))
    masks = FORCE(rounds=5).select(model, data, cross_entropy, RATE, np.random.RandomState(0))
    steps = by_hand(5)
    assert all(torch.equal(masks[n], steps[-1][n]) for n in masks)
    returned = [int((after[n] & ~before[n]).sum()) for before, after in pairwise(steps) for n in masks]
    assert sum(returned) > 0


def test_one_round_is_snip() -> None:
    one = chosen(FORCE(rounds=1))
    plain = METHODS["snip"].select(network(), batches(), cross_entropy, RATE, np.random.RandomState(0))
    nested = METHODS["iter-snip"].select(network(), batches(), cross_entropy, RATE, np.random.RandomState(0))
    assert all(torch.equal(one[n], plain[n]) for n in one)
    many = chosen(FORCE())
    assert any(not torch.equal(many[n], nested[n]) for n in many)


@pytest.mark.parametrize(
    ("revive", "last"), [(False, [False, True, False, False]), (True, [True, False, False, False])]
)
def test_what_is_removed_returns_only_where_it_may(revive: bool, last: list[int]) -> None:
    """Of 4 weights 2 stay, then 1; the first is removed, and then has the highest score."""
    weights, seen = {"w": torch.tensor([1.0, 2.0, 3.0, 4.0])}, []

    def score(masked: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(copy.deepcopy(masked["w"]).tolist())
        return {"w": torch.tensor([[1.0, 9.0, 5.0, 0.0], [7.0, 2.0, 1.0, 6.0]][len(seen) - 1])}

    masks = in_rounds(weights, [2, 1], score, revive=revive)
    assert seen == [[1, 2, 3, 4], [0, 2, 3, 0]]
    assert masks["w"].int().tolist() == last


@pytest.mark.parametrize("fields", [{"criterion": "snip"}, {"scope": "erk"}, {"rounds": 0}])
def test_it_refuses_what_it_would_ignore(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        FORCE(**fields)
