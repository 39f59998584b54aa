"""The scopes: (scores, rate) -> masks. Every scope but `filter` keeps exactly `live_count(rate, N)` weights live.

Ties are broken by the flat index in the model's order, the earlier weight kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import prod
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import Parameter

from bench.methods.counts import apportion, live_count
from bench.methods.filters import check_filters, whole_filters
from bench.methods.types import Masks, Scope, Scores

FLOATING = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
WHOLE = {torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.int8, torch.int16, torch.int32, torch.int64}


def global_scope(scores: Scores, rate: Fraction) -> Masks:
    """The k highest scores over all layers together."""
    scores = comparable(scores)
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


def filter_scope(scores: Scores, rate: Fraction) -> Masks:
    """Whole filters, those of the highest mean score over all layers, as far as they fit; see `filters`."""
    return whole_filters(comparable(scores), live_count(rate, sum(s.numel() for s in scores.values())))


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


SCOPES: Mapping[Scope, Callable[[Scores, Fraction], Masks]] = MappingProxyType(
    {"global": global_scope, "uniform": uniform_scope, "er": er_scope, "erk": erk_scope, "filter": filter_scope}
)


def check_live(masks: Masks, rate: Fraction, scope: Scope) -> None:
    """Raise ValueError if these are not as many live weights as a method of this scope has at the rate."""
    expected = live_count(rate, sum(mask.numel() for mask in masks.values()))
    if scope == "filter":
        check_filters(masks, expected)
        return
    live = sum(int(mask.sum()) for mask in masks.values())
    if live != expected:
        raise ValueError(f"masks of {live} live weights at rate {float(rate)}: must be exactly {expected}")


def _layerwise(scores: Scores, rate: Fraction, density: dict[str, Fraction]) -> Masks:
    scores = comparable(scores)
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
    scores = _ordered(scores)
    threshold = scores.kthvalue(scores.numel() - k + 1).values
    mask = scores > threshold
    ties = (scores == threshold).nonzero().view(-1)
    mask[ties[: k - int(mask.sum())]] = True
    return mask


def among_flat(candidates: Tensor, scores: Tensor, k: int) -> Tensor:
    """Mask of the k highest of the flat scores at the candidates, a flat mask; of equal scores the earlier are kept."""
    mask, index = torch.zeros_like(candidates), candidates.nonzero().view(-1)
    mask[index[top(scores[index], k)]] = True
    return mask


def scored(scores: object, weights: Mapping[str, Tensor]) -> Scores:
    """What a criterion returned, in the order of the weights and on their device.

    Raises: ValueError if it is not a score for each of the weights.
    """
    if not isinstance(scores, Mapping):
        raise ValueError(f"scores are a {type(scores).__name__}: must be a dict of name -> tensor")
    for name, weight in weights.items():
        if name not in scores:
            raise ValueError(f"scores of {name}: none; must be of shape {tuple(weight.shape)}")
        check(name, scores[name])
        if scores[name].shape != weight.shape:
            given = tuple(scores[name].shape)
            raise ValueError(f"scores of {name}: of shape {given}; must be of shape {tuple(weight.shape)}")
    if extra := [str(name) for name in scores if name not in weights]:
        raise ValueError(f"scores of {', '.join(extra)}: the model has no such maskable weights")
    return {name: scores[name].detach().to(weight.device) for name, weight in weights.items()}


def comparable(scores: Scores) -> Scores:
    """The scores of all layers in one type that holds each of them exactly, on one device.

    Raises: ValueError if one is no finite real number, or if there is no such type.
    """
    for name, s in scores.items():
        check(name, s)
        if bad := int((~torch.isfinite(s)).sum()) * s.is_floating_point():
            raise ValueError(f"scores of {name}: {bad} of {s.numel()} are NaN or infinite; scores must be finite")
    types = {s.dtype for s in scores.values()}
    if len(types) == 1 and types <= {torch.float32, torch.float64}:
        exact = types.pop()
    elif types <= WHOLE:
        exact = torch.int64
    elif types <= FLOATING:
        exact = torch.float64 if torch.float64 in types else torch.float32
    else:
        exact = torch.float64
        for name, s in scores.items():
            if s.dtype == torch.int64 and s.numel() and max(-int(s.min()), int(s.max())) > 2**53:
                raise ValueError(f"scores of {name}: whole numbers beyond 2^53 beside others; must be of one type")
    device = next(iter(scores.values())).device if scores else None
    return {name: s.detach().to(device, exact) for name, s in scores.items()}


def inverted(scores: Scores) -> Scores:
    """Scores in the reverse order. Of whole numbers -1 - s, which none is too low for."""
    return {name: s.neg() if s.is_floating_point() else ~s for name, s in comparable(scores).items()}


def check(name: str, score: object) -> None:
    """Raise ValueError if the scores of a layer are not real numbers in a dense tensor."""
    if not isinstance(score, Tensor) or score.is_nested:
        raise ValueError(f"scores of {name}: {type(score).__name__}; must be a tensor")
    plain = type(score) in (Tensor, Parameter) and score.layout == torch.strided and score.device.type != "meta"
    if not plain or score.dtype not in FLOATING | WHOLE:
        shown = f"{score.dtype}, {score.layout}, {score.device}".replace("torch.", "")
        raise ValueError(f"scores of {name}: {shown}; must be real numbers in a dense tensor")


def _ordered(scores: Tensor) -> Tensor:
    """The scores; if denormal numbers count as 0, whole numbers of the same order, which tell them apart."""
    smallest = torch.tensor(5e-324, dtype=torch.float64, device="cpu")
    if not scores.is_floating_point() or bool(smallest > 0):
        return scores
    bits = scores.contiguous().view(torch.int64 if scores.dtype == torch.float64 else torch.int32)
    return torch.where(bits < 0, -(bits & torch.iinfo(bits.dtype).max), bits)
