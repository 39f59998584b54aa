"""Lottery tickets: which levels there are, and which weights of a level live on in the next."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import Mlp
from torch import Tensor

from bench.methods import METHODS, LotteryTicket, Masks, Method
from bench.methods.counts import live_count
from bench.methods.maskable import maskable

TOTAL = 12 * 10 + 10 * 3


def levels(method: Method, rate: str) -> list[str]:
    """The rates of the trials before one, the nearest first."""
    rates, at = [], Decimal(rate)
    while at:
        method, at = method.parent(at)
        rates.append(format(at, "f"))
    return rates


@pytest.mark.parametrize(
    ("fields", "rate", "expected"),
    [
        ({}, "0.5", ["0.488", "0.36", "0.2", "0"]),
        ({}, "0.488", ["0.36", "0.2", "0"]),
        ({}, "0.2", ["0"]),
        ({}, "0.1", ["0"]),
        ({}, "0.8", ["0.790285", "0.737856", "0.67232", "0.5904", "0.488", "0.36", "0.2", "0"]),  # 0.7902848
        ({}, "0.790285", ["0.737856", "0.67232", "0.5904", "0.488", "0.36", "0.2", "0"]),
        ({"fraction": 0.5}, "0.9", ["0.875", "0.75", "0.5", "0"]),
        ({"fraction": 1}, "0.999999", ["0"]),
    ],
)
def test_the_levels_before_a_rate(fields: dict[str, Any], rate: str, expected: list[str]) -> None:
    assert levels(LotteryTicket(**fields), rate) == expected


def test_the_most_levels_there_can_be() -> None:
    rates = [Decimal(rate) for rate in levels(LotteryTicket(fraction=0.05), "0.999999")]
    assert len(rates) == 230 and rates == sorted(set(rates), reverse=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fraction": 0.04}, r"fraction 0.04: must be 0.05 <= fraction <= 1"),
        ({"fraction": 1.01}, r"fraction 1.01: must be"),
        ({"criterion": "snip"}, r"criterion 'snip' of LotteryTicket: must be trained-magnitude or trained-change"),
        ({"scope": "erk"}, r"scope 'erk' of LotteryTicket: must be 'global'"),
        ({"control": "invert"}, r"control invert of LotteryTicket: must be of a one-shot method"),
    ],
)
def test_fields_that_make_no_sense_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LotteryTicket(**fields)


def test_a_control_is_on_the_trial_and_not_on_its_levels() -> None:
    shuffled = LotteryTicket(control="shuffle", background="freeze")
    assert shuffled.parent(Decimal("0.9"))[0] == LotteryTicket(background="freeze")


def trained(model: Mlp, seed: int) -> dict[str, Tensor]:
    random = np.random.RandomState(seed)
    return {name: torch.from_numpy(random.randn(*w.shape)).float() for name, w in maskable(model).items()}


def chosen(method: Method, model: Mlp, rate: str, weights: dict[str, Tensor], live: Masks | None = None) -> Masks:
    live = live or {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    read = {"trained": weights, "live": live}
    return method.select(model, [], torch.nn.functional.cross_entropy, Fraction(rate), np.random.RandomState(0), **read)


def flat(tensors: dict[str, Tensor]) -> Tensor:
    return torch.cat([t.detach().flatten() for t in tensors.values()])


@pytest.mark.parametrize("method", ["lth", "lt-sft", "lth-oneshot", "lt-sft-oneshot"])
def test_exactly_the_highest_trained_scores_among_the_live_are_live(method: str) -> None:
    model, before = Mlp(), None
    for seed, rate in enumerate(("0.2", "0.36", "0.488", "0.9")):
        weights = trained(model, seed)
        masks = chosen(METHODS[method], model, rate, weights, before)
        scores = flat(weights) if method.startswith("lth") else flat(weights) - flat(maskable(model))
        eligible = torch.ones(TOTAL, dtype=torch.bool) if before is None else flat(before)
        order = scores.abs().masked_fill(~eligible, -1).argsort(descending=True, stable=True)
        assert order[: live_count(Fraction(rate), TOTAL)].sort().values.tolist() == flat(masks).nonzero()[:, 0].tolist()
        before = masks


def test_of_equal_scores_the_earlier_is_kept_and_a_dead_weight_never_returns() -> None:
    model = Mlp()
    weights = {name: torch.zeros_like(w) for name, w in maskable(model).items()}
    live = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    live["fc1.weight"][:2] = False  # 24 of them, whose scores are the highest
    weights["fc1.weight"][:2] = 9
    masks = chosen(METHODS["lth"], model, "0.8", weights, live)
    assert flat(masks).nonzero()[:, 0].tolist() == list(range(24, 54))


def test_without_a_trained_network_it_says_so() -> None:
    model = Mlp()
    with pytest.raises(ValueError, match="LotteryTicket: must be given the trained network of its parent"):
        METHODS["lth"].select(model, [], torch.nn.functional.cross_entropy, Fraction("0.5"), np.random.RandomState(0))


def test_methods_that_read_a_trained_network_are_told_by_their_record() -> None:
    reading = {name for name, method in METHODS.items() if method.reads_parent}
    assert reading == {"lth", "lt-sft", "lth-oneshot", "lt-sft-oneshot"}
    for name, method in METHODS.items():
        later = name in reading or method.changes_masks
        assert method.record().get("at_initialisation", True) is method.at_initialisation is not later
    with pytest.raises(NotImplementedError):
        METHODS["snip"].parent(Decimal("0.5"))
