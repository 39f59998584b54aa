"""Random masks: with another criterion's layer densities, and in the scopes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, NormRelu, square_batches
from torch.nn.functional import cross_entropy

from bench.methods import METHODS, Masks, Method, RandomLike
from bench.methods.criteria import random
from bench.methods.matched import LIKE


def select(method: Method, seed: int = 3) -> Masks:
    torch.manual_seed(0)
    make = NormRelu if "px" in (method.criterion, method.parameters().get("like")) else ConvNorm  # px needs ReLU
    model, rate = make().double().eval(), method.start_rate(Fraction("0.6"))
    return method.select(model, square_batches(), cross_entropy, rate, np.random.RandomState(seed))


@pytest.mark.parametrize("like", LIKE)
def test_as_many_live_weights_in_every_layer(like: str) -> None:
    drawn, liked = select(RandomLike(like=like)), select(LIKE[like])
    assert [int(m.sum()) for m in drawn.values()] == [int(m.sum()) for m in liked.values()]
    assert any(not torch.equal(drawn[n], liked[n]) for n in liked)
    again, other = select(RandomLike(like=like)), select(RandomLike(like=like), seed=4)
    assert all(torch.equal(drawn[n], again[n]) for n in drawn)
    assert any(not torch.equal(drawn[n], other[n]) for n in drawn)


def test_within_a_layer_the_draw_is_the_plain_random_one() -> None:
    scores = random(ConvNorm().double(), [], cross_entropy, np.random.RandomState(3))
    for name, mask in select(RandomLike(like="snip")).items():
        assert 0 < int(mask.sum()) < mask.numel()
        assert scores[name][mask].min() > scores[name][~mask].max()


def test_layer_densities_of_the_scopes() -> None:
    # 36 and 48 weights, 34 live. Uniform: 14.57 and 19.43. ER: 36 · 5/4 = 45 to 19, so the convolution is full at
    # ε = 0.53: 23.9 and 10.1. ERK: 4 + 1 + 3 + 3 = 11 to 19: 12.5 and 21.5, of equal remainders the earlier's.
    counts = {
        s: [int(m.sum()) for m in select(METHODS[f"random-{s}-prune"]).values()] for s in ("uniform", "er", "erk")
    }
    assert counts == {"uniform": [15, 19], "er": [24, 10], "erk": [12, 22]}


@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if name.endswith("-freeze") and not method.ends_at_budget]
)
def test_freeze_and_prune_differ_only_by_the_background(name: str) -> None:
    one, other = METHODS[name], METHODS[name.removesuffix("freeze") + "prune"]
    assert (one.background, other.background) == ("freeze", "prune")
    assert {**one.record(), "background": "prune"} == other.record()
    a, b = select(one), select(other)
    assert all(torch.equal(a[n], b[n]) for n in a)


def test_unknown_names_and_other_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="like 'fisher': must be one of snip, grasp, synflow"):
        RandomLike(like="fisher")
    with pytest.raises(ValueError, match="scope 'erk' of RandomLike: must be 'global'"):
        RandomLike(scope="erk")
