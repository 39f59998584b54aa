"""The one rule, weight = where(mask, trained, background), held by construction.

The optimizer never sees a dead weight: it works on one compact vector of live values per weight tensor, filled from
the gradient by index and written back by index. No optimizer, decay, momentum or precision can move what it never
touches, and its state is as small as the live weights. A tensor without dead weights is passed on as it is; so is a
compact vector that the network itself computes with (`bench.engine.steps.sparse_network`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from bench.engine.steps.displacement import Displacement, restore
from bench.engine.steps.updates import update_rule
from bench.methods.maskable import maskable
from bench.trial.spec import TrialSpec


def dead_checksum(model: nn.Module, masks: Mapping[str, Tensor]) -> str:
    """SHA-256 of the dead weights' values, in the model's order: training must not change it."""
    digest = hashlib.sha256()
    for key, weight in maskable(model).items():
        digest.update(weight.detach()[~masks[key]].cpu().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class LiveWeights:
    """The live weights of one tensor: `values` [k] stands in for `weight` at the flat positions `index` [k]."""

    weight: Tensor
    flat: Tensor
    index: Tensor
    values: Tensor


class LiveOptimizer:
    """An optimizer of torch over the live weights only; weight decay on live weights, none on the other parameters.

    Args: compact: the live values, by weight name, of the layers that compute with them and leave the gradient in them.
    """

    def __init__(
        self,
        model: nn.Module,
        masks: Mapping[str, Tensor],
        spec: TrialSpec,
        compact: Mapping[str, nn.Parameter] = MappingProxyType({}),
    ) -> None:
        weights = maskable(model)
        dense = {name: w for name, w in weights.items() if name not in compact}
        fully_live = {name: w for name, w in dense.items() if masks[name].all()}
        fully_live |= {name: values for name, values in compact.items() if values.numel()}
        partly_live = {name: _live_weights(w, masks[name]) for name, w in dense.items() if name not in fully_live}
        partly_live = {name: live for name, live in partly_live.items() if live.index.numel()}
        ids = {id(w) for w in weights.values()}
        others = {name: p for name, p in model.named_parameters() if id(p) not in ids}
        self.names = ([*fully_live, *partly_live], [*others])
        self.fully_live, self.partly_live = [*fully_live.values()], [*partly_live.values()]
        self.others = [*others.values()]
        self.compact = list(compact.values())
        self.parameters = [*model.parameters(), *self.compact]
        update = update_rule(spec.optimizer)
        decayed = Displacement if spec.decay_to == "start" else update
        self.decayed = decayed(spec, [*self.fully_live, *(live.values for live in self.partly_live)], spec.weight_decay)
        self.undecayed = update(spec, self.others, 0.0)

    @torch.no_grad()
    def step(self, lr: float | Tensor) -> None:
        """One update from the `.grad` that the last backward pass left; leaves no `.grad` behind."""
        live = [_gradient(partial.weight).view(-1).index_select(0, partial.index) for partial in self.partly_live]
        self.decayed.step([*map(_gradient, self.fully_live), *live], lr)
        self.undecayed.step([*map(_gradient, self.others)], lr)
        for partial in self.partly_live:
            partial.flat.index_copy_(0, partial.index, partial.values)
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, list[Tensor]]:
        """Parameter name -> the update's state of its live values, in flat order; only of parameters with state."""
        updates = (self.decayed, self.undecayed)
        return {
            name: update.state_of(i)
            for names, update in zip(self.names, updates, strict=True)
            for i, name in enumerate(names)
        }

    def resume(self, states: Mapping[str, Sequence[Tensor]]) -> None:
        """Go on with the state that `state` gave, of a trial that was stopped."""
        for names, update in zip(self.names, (self.decayed, self.undecayed), strict=True):
            for index, name in enumerate(names):
                restore(update, index, states[name])

    def state_bytes(self) -> int:
        """Memory of the live values, their indices and the optimizer's state, in addition to the model."""
        partial = (t for live in self.partly_live for t in (live.index, live.values))
        return sum(t.nbytes for t in (*self.decayed.state, *self.undecayed.state, *partial, *self.compact))


def _gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None, "a parameter that the loss does not depend on"
    return tensor.grad


def _live_weights(weight: Tensor, mask: Tensor) -> LiveWeights:
    flat = weight.detach().view(-1)
    index = mask.view(-1).nonzero().view(-1)
    return LiveWeights(weight, flat, index, flat.index_select(0, index))
