"""The one rule, weight = where(mask, trained, background), held by construction.

The optimizer never sees a dead weight: it works on one compact vector of live values per weight tensor, filled from
the gradient by index and written back by index. No optimizer, decay, momentum or precision can move what it never
touches, and its state is as small as the live weights. A tensor that is live throughout is handed over as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.spec import TrialSpec
from methods.maskable import background, maskable


def apply_background(model: nn.Module, masks: Mapping[str, Tensor], name: str) -> None:
    """Set every maskable weight to where(mask, initial, background), in place."""
    with torch.no_grad():
        for key, weight in maskable(model).items():
            weight.copy_(torch.where(masks[key], weight, background(name, weight)))


def dead_checksum(model: nn.Module, masks: Mapping[str, Tensor]) -> str:
    """SHA-256 of the dead weights' values, in the model's order: training must not change it."""
    digest = hashlib.sha256()
    for key, weight in maskable(model).items():
        digest.update(weight.detach()[~masks[key]].cpu().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Part:
    """The live entries of one weight tensor: `values` [k] stands in for `weight` at the flat positions `index` [k]."""

    weight: Tensor
    flat: Tensor
    index: Tensor
    values: nn.Parameter


class LiveOptimizer:
    """An optimizer of torch over the live entries only; weight decay on live weights, none on the other parameters."""

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor], spec: TrialSpec) -> None:
        weights = maskable(model)
        self.parts = [_part(w, masks[name]) for name, w in weights.items() if not masks[name].all()]
        whole = [w for name, w in weights.items() if masks[name].all()]
        ids = {id(w) for w in weights.values()}
        self.parameters = list(model.parameters())
        others = [p for p in self.parameters if id(p) not in ids]
        self.parts = [part for part in self.parts if part.index.numel()]
        decayed = [*whole, *(part.values for part in self.parts)]
        groups = [
            {"params": decayed, "weight_decay": spec.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizer = OPTIMIZERS[spec.optimizer](spec, [g for g in groups if g["params"]])

    def step(self, lr: float) -> None:
        """One update from the `.grad` that the last backward pass left; leaves no `.grad` behind."""
        for part in self.parts:
            assert part.weight.grad is not None
            part.values.grad = part.weight.grad.view(-1).index_select(0, part.index)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        for part in self.parts:
            part.flat.index_copy_(0, part.index, part.values.detach())
        for parameter in self.parameters:
            parameter.grad = None

    def state_bytes(self) -> int:
        """Memory the live values, their indices and the optimizer's state take, beyond the model itself."""
        state = (t for s in self.optimizer.state.values() for t in s.values() if isinstance(t, Tensor))
        own = (t for part in self.parts for t in (part.index, part.values))
        return sum(t.numel() * t.element_size() for t in (*state, *own))


def _part(weight: Tensor, mask: Tensor) -> Part:
    flat = weight.detach().view(-1)
    index = mask.view(-1).nonzero().view(-1)
    return Part(weight, flat, index, nn.Parameter(flat.index_select(0, index)))


def _sgd(spec: TrialSpec, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=spec.lr, momentum=spec.momentum, nesterov=spec.nesterov, fused=True)


def _adam(spec: TrialSpec, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=spec.lr, betas=(spec.momentum, 0.999), eps=1e-8, fused=True)


def _adamw(spec: TrialSpec, groups: list[dict[str, object]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=spec.lr, betas=(spec.momentum, 0.999), eps=1e-8, fused=True)


OPTIMIZERS = {"sgd": _sgd, "adam": _adam, "adamw": _adamw}
