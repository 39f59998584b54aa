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

NO_MASKS: Mapping[str, Tensor] = MappingProxyType({})


def dead_checksum(model: nn.Module, masks: Mapping[str, Tensor], fixed: Mapping[str, Tensor] = NO_MASKS) -> str:
    """SHA-256 of the dead values of weights and, by `fixed`, of other parameters: training must not change it."""
    digest = hashlib.sha256()
    parameters = dict(model.named_parameters())
    for key, mask in [*((key, masks[key]) for key in maskable(model)), *fixed.items()]:
        digest.update(parameters[key].detach()[~mask].cpu().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class LiveWeights:
    """The live entries of one tensor: `values` [k] stands in for `weight` at the flat positions `index` [k]."""

    weight: Tensor
    flat: Tensor
    index: Tensor
    values: Tensor


class LiveOptimizer:
    """An optimizer of torch over the live weights only; weight decay on live weights, none on the other parameters.

    Args: compact: the live values, by weight name, of the layers that compute with them and leave the gradient in them.
          fixed: masks of other parameters, of which only the live entries are trained; the rest are live as a whole.
    """

    def __init__(
        self,
        model: nn.Module,
        masks: Mapping[str, Tensor],
        spec: TrialSpec,
        compact: Mapping[str, nn.Parameter] = MappingProxyType({}),
        fixed: Mapping[str, Tensor] = NO_MASKS,
    ) -> None:
        weights = maskable(model)
        dense = {name: w for name, w in weights.items() if name not in compact}
        fully_live = {name: w for name, w in dense.items() if masks[name].all()}
        fully_live |= {name: values for name, values in compact.items() if values.numel()}
        partly_live = _partly_live({name: w for name, w in dense.items() if name not in fully_live}, masks)
        ids = {id(w) for w in weights.values()}
        others = {name: p for name, p in model.named_parameters() if id(p) not in ids}
        partly_fixed = _partly_live({name: others.pop(name) for name in fixed}, fixed)
        self.names = ([*fully_live, *partly_live], [*others, *partly_fixed])
        self.fully_live, self.partly_live = [*fully_live.values()], [*partly_live.values()]
        self.others, self.partly_fixed = [*others.values()], [*partly_fixed.values()]
        self.compact = list(compact.values())
        self.parameters = [*model.parameters(), *self.compact]
        update = update_rule(spec.optimizer)
        decayed = Displacement if spec.decay_to == "start" else update
        self.decayed = decayed(spec, [*self.fully_live, *(live.values for live in self.partly_live)], spec.weight_decay)
        self.undecayed = update(spec, [*self.others, *(live.values for live in self.partly_fixed)], 0.0)

    @torch.no_grad()
    def step(self, lr: float | Tensor) -> None:
        """One update from the `.grad` that the last backward pass left; leaves no `.grad` behind."""
        self.decayed.step([*map(_gradient, self.fully_live), *map(_live_gradient, self.partly_live)], lr)
        self.undecayed.step([*map(_gradient, self.others), *map(_live_gradient, self.partly_fixed)], lr)
        for partial in (*self.partly_live, *self.partly_fixed):
            partial.flat.index_copy_(0, partial.index, partial.values)
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def take_in(self) -> None:
        """Go on from the present values of the parameters, whose live entries were changed by other code."""
        for partial in (*self.partly_live, *self.partly_fixed):
            torch.index_select(partial.flat, 0, partial.index, out=partial.values)
        if isinstance(self.decayed, Displacement):
            self.decayed.take_in()

    def rule_state(self) -> dict[str, list[Tensor]]:
        """The same as `state` without what weight decay towards the start knows of it."""
        rules = (self.decayed.rule if isinstance(self.decayed, Displacement) else self.decayed, self.undecayed)
        return {
            name: rule.state_of(i)
            for names, rule in zip(self.names, rules, strict=True)
            for i, name in enumerate(names)
        }

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
        partial = (t for live in (*self.partly_live, *self.partly_fixed) for t in (live.index, live.values))
        return sum(t.nbytes for t in (*self.decayed.state, *self.undecayed.state, *partial, *self.compact))


def _gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None, "a parameter that the loss does not depend on"
    return tensor.grad


def _live_gradient(partial: LiveWeights) -> Tensor:
    return _gradient(partial.weight).view(-1).index_select(0, partial.index)


def _partly_live(parameters: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, LiveWeights]:
    """The live entries of each tensor that has some."""
    live = {name: _live_weights(p, masks[name]) for name, p in parameters.items()}
    return {name: of_tensor for name, of_tensor in live.items() if of_tensor.index.numel()}


def _live_weights(weight: Tensor, mask: Tensor) -> LiveWeights:
    flat = weight.detach().view(-1)
    index = mask.view(-1).nonzero().view(-1)
    return LiveWeights(weight, flat, index, flat.index_select(0, index))
