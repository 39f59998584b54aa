"""`bench speed limits`: at which live fraction a layer's sparse step is faster than its dense one, on this machine.

It proposes LIMITS of `bench.trial.step_kind` for a new kind of machine. They are committed by hand: no trial depends on
a timing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from statistics import median
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from bench.engine.steps.csr_pattern import conv_pattern, linear_pattern, output_size
from bench.engine.steps.frozen_layers import FrozenConv, FrozenLinear
from bench.engine.steps.sparse_layers import FirstLayer, SparseLayer
from bench.methods.types import Background
from bench.speed.machine import machine
from bench.trial.step_kind import LIMITS, Kind

BATCH = 100
BACKGROUNDS: tuple[Background, ...] = ("prune", "freeze")
FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
Run = Callable[[], object]
Layer = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class Case:
    """A layer as it stands in a network: its input, and what follows it."""

    layer_kind: Kind
    make: Callable[[], Layer]
    shape: tuple[int, ...]  # of one input
    after: Callable[[Tensor], Tensor]

    def input(self) -> Tensor:
        """A batch, with the channels last, whose gradient is wanted unless it holds the images."""
        x = torch.randn(BATCH, *self.shape)
        x = x.to(memory_format=torch.channels_last) if self.layer_kind == "conv" else x
        return x.requires_grad_(self.layer_kind != "first")


CASES = {
    "first 784-300": Case("first", lambda: nn.Linear(784, 300), (784,), torch.relu),
    "linear 300-100": Case("linear", lambda: nn.Linear(300, 100), (300,), torch.relu),
    "linear 800-500": Case("linear", lambda: nn.Linear(800, 500), (800,), torch.relu),
    "conv 20-50, 5x5": Case("conv", lambda: nn.Conv2d(20, 50, 5), (20, 12, 12), lambda y: max_pool2d(y, 2)),
}


def measure(rounds: int) -> dict[str, Any]:
    """Dense time divided by sparse time of each layer, and the limits that follow, all as JSON values."""
    torch.set_num_threads(1)
    rows, proposed = [], dict.fromkeys(LIMITS, 1.0)
    for name, case in CASES.items():
        ratios = [ratio(case, fraction, rounds) for fraction in FRACTIONS]
        for background in BACKGROUNDS:
            gains = [r[background] for r in ratios]
            wins = takewhile(lambda pair: pair[1] > 1, zip(FRACTIONS, gains, strict=True))
            limit = max((fraction for fraction, _ in wins), default=0.0)
            rows.append({"layer": name, "background": background, "ratios": gains, "limit": limit})
            proposed[case.layer_kind, background] = min(proposed[case.layer_kind, background], limit)
    limits = [
        {
            "kind": layer_kind,
            "background": background,
            "limit": limit,
            "committed": float(LIMITS[layer_kind, background]),
        }
        for (layer_kind, background), limit in proposed.items()
    ]
    return {"machine": machine(), "rounds": rounds, "live": list(FRACTIONS), "rows": rows, "limits": limits}


def as_table(result: Mapping[str, Any]) -> str:
    """The ratios as a table, and the limits in lines."""
    headers = ["layer", "background", *(f"live {f:g}" for f in result["live"]), "wins up to"]
    rows = [
        [r["layer"], r["background"], *(f"{ratio:.2f}" for ratio in r["ratios"]), f"{r['limit']:g}"]
        for r in result["rows"]
    ]
    lines = [
        f"{r['kind']}, {r['background']}: {r['limit']:g} (committed: {r['committed']:g})" for r in result["limits"]
    ]
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    return "\n\n".join([table, "\n".join(lines)])


def ratio(case: Case, fraction: float, rounds: int) -> dict[Background, float]:
    """Background -> median time of the dense step divided by that of the sparse one, interleaved."""
    layer = case.make()
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(0)) < fraction
    index = mask.view(-1).nonzero().view(-1)
    values = nn.Parameter(layer.weight.detach().view(-1).index_select(0, index))
    x = case.input()
    runs: dict[str, Run] = {"dense": _dense(case, layer, x, index)}
    for background in BACKGROUNDS:
        sparse = _sparse(case, layer, mask, index, values, x, background)
        runs[background] = _backward(case, sparse, x, [values, layer.bias])
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    middle = {name: median(times[rounds // 10 :]) for name, times in seconds.items()}
    return {background: middle["dense"] / middle[background] for background in BACKGROUNDS}


def _dense(case: Case, layer: Layer, x: Tensor, index: Tensor) -> Run:
    """Forward and backward, and what the optimizer of live entries adds to it."""
    backward = _backward(case, layer, x, [layer.weight, layer.bias])
    flat = layer.weight.detach().view(-1)

    def run() -> None:
        live = backward()[-2].reshape(-1).index_select(0, index)
        flat.index_copy_(0, index, flat.index_select(0, index).add_(live, alpha=-1e-9))

    return run


def _backward(case: Case, layer: nn.Module, x: Tensor, parameters: list[Tensor | None]) -> Callable[[], list[Tensor]]:
    leaves = [t for t in ([x] if x.requires_grad else []) + parameters if t is not None]

    def run() -> list[Tensor]:
        y = case.after(layer(x))
        return list(torch.autograd.grad(y, leaves, torch.ones_like(y)))

    return run


def _sparse(
    case: Case, layer: Layer, mask: Tensor, index: Tensor, values: nn.Parameter, x: Tensor, background: Background
) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        pattern = conv_pattern(mask, layer, x.shape[1:], x.dtype)
        if background == "freeze":
            return FrozenConv(pattern, values, layer, index)
        return SparseLayer(pattern, values, layer.bias, (len(mask), *output_size(layer, x.shape[1:])))
    if case.layer_kind == "first":
        used = mask.any(0).nonzero().view(-1)
        first = FirstLayer(linear_pattern(mask[:, used], x.dtype), values, layer.bias, (len(mask),))
        first.given = (
            x.index_select(1, used),
            x @ layer.weight.detach().t() if background == "freeze" else None,
        )
        return first
    pattern = linear_pattern(mask, x.dtype)
    if background == "freeze":
        return FrozenLinear(pattern, values, layer.bias, layer.weight, index)
    return SparseLayer(pattern, values, layer.bias, (len(mask),))
