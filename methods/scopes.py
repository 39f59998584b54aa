"""The scopes: (scores, rate) -> masks. Every scope keeps exactly `live_count(rate, N)` weights live.

Ties are broken by the flat index in the model's order, the earlier weight kept.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod

import torch
from torch import Tensor

from bench.methods.counts import apportion, live_count
from bench.methods.types import Masks, Scope, Scores


def global_scope(scores: Scores, rate: Fraction) -> Masks:
    """The k highest scores over all layers together."""
    check(scores)
    flat = torch.cat([s.detach().reshape(-1) for s in scores.values()])
    mask = top(flat, live_count(rate, flat.numel()))
    pieces = torch.split(mask, [s.numel() for s in scores.values()])
    return {name: piece.view(scores[name].shape) for name, piece in zip(scores, pieces, strict=True)}


def uniform_scope(scores: Scores, rate: Fraction) -> Masks:
    """The same density in every layer, up to the rounding that keeps the total exact."""
    return _layerwise(scores, rate, dict.fromkeys(scores, 1 - rate))


def er_scope(scores: Scores, rate: Fraction) -> Masks:
    """Erdős–Rényi: layer density ∝ (n_out + n_in) / (n_out · n_in), capped at 1; kernels do not count.

    As `erk_scope` in all else (Mocanu et al. 2018, arXiv:1707.04780).
    """
    return _erdos_renyi(scores, rate, 2)


def erk_scope(scores: Scores, rate: Fraction) -> Masks:
    """Erdős–Rényi-Kernel: layer density ∝ (sum of dimensions) / (product of dimensions), capped at 1.

    d_l = ε · (n_out + n_in + k_h + k_w) / (n_out · n_in · k_h · k_w), ε such that the total is exact; a layer that
    would pass 1 is dense and ε is solved again for the others (Evci et al. 2020, arXiv:1911.11134).

    Departs from the paper: exact fractions and an exact total, by largest remainder.
    """
    return _erdos_renyi(scores, rate, None)


def _erdos_renyi(scores: Scores, rate: Fraction, dimensions: int | None) -> Masks:
    """Density by the first `dimensions` of each weight's shape, or by all of them."""
    shapes = {name: tuple(s.shape)[:dimensions] for name, s in scores.items()}
    raw = {name: Fraction(sum(shape), prod(shape)) for name, shape in shapes.items()}
    target = Fraction(live_count(rate, sum(s.numel() for s in scores.values())))
    dense: set[str] = set()
    while True:
        rest = [name for name in scores if name not in dense]
        epsilon = (target - sum(scores[n].numel() for n in dense)) / sum(
            (raw[n] * scores[n].numel() for n in rest), Fraction(0)
        )
        over = {n for n in rest if epsilon * raw[n] > 1}
        if not over:
            break
        dense |= over
    return _layerwise(scores, rate, {n: Fraction(1) if n in dense else epsilon * raw[n] for n in scores})


SCOPES: dict[Scope, Callable[[Scores, Fraction], Masks]] = {
    "global": global_scope,
    "uniform": uniform_scope,
    "er": er_scope,
    "erk": erk_scope,
}


def _layerwise(scores: Scores, rate: Fraction, density: dict[str, Fraction]) -> Masks:
    check(scores)
    sizes = [s.numel() for s in scores.values()]
    shares = [density[name] * s.numel() for name, s in scores.items()]
    counts = apportion(live_count(rate, sum(sizes)), shares, sizes)
    return {
        name: top(s.detach().reshape(-1), k).view(s.shape) for (name, s), k in zip(scores.items(), counts, strict=True)
    }


def top(scores: Tensor, k: int) -> Tensor:
    """Mask of the k highest of a flat score vector; of equal scores the earlier are kept.

    The k-th value by selection, then the ties: O(N), where a stable sort would cost ten times as much.
    """
    if k == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = scores.kthvalue(scores.numel() - k + 1).values
    mask = scores > threshold
    ties = (scores == threshold).nonzero().view(-1)
    mask[ties[: k - int(mask.sum())]] = True
    return mask


def check(scores: Scores) -> None:
    """Raise ValueError if a score is NaN or infinite, naming the layer."""
    for name, s in scores.items():
        bad = int((~torch.isfinite(s)).sum())
        if bad:
            raise ValueError(f"scores of {name}: {bad} of {s.numel()} are NaN or infinite; scores must be finite")
