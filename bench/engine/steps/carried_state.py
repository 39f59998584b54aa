"""The state of an optimizer when the masks change: what stays live keeps its state, what comes alive begins anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from bench.engine.steps.live_optimizer import LiveOptimizer


@torch.no_grad()
def carry_over(
    optimizer: LiveOptimizer,
    state: Mapping[str, Sequence[Tensor]],
    before: Mapping[str, Tensor],
    now: Mapping[str, Tensor],
) -> None:
    """Give a new optimizer the state of what was live before and still is.

    A number that a whole tensor shares, as Adam's of its steps, goes on.

    Args:   state: `LiveOptimizer.state` under the masks `before`; a parameter without a mask is live as a whole.
    Raises: ValueError if the optimizer makes state at its first step: nothing could be copied into it.
    """
    for name, tensors in optimizer.state().items():
        if name in state and len(tensors) != len(state[name]):
            made = f"{len(tensors)} tensors of state before its first step, {len(state[name])} after it"
            raise ValueError(f"the optimizer has {made}: must be as many, if the masks change while training")
        for tensor, old in zip(tensors, state.get(name, ()), strict=name in state):
            if tensor.ndim == 0 or (name not in before and name not in now):
                tensor.copy_(old)
            else:
                whole = torch.ones_like(before[name] if name in before else now[name])
                _carry(tensor.view(-1), old.view(-1), before.get(name, whole), now.get(name, whole))


@torch.no_grad()
def forget(optimizer: LiveOptimizer, restarted: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> None:
    """Set the optimizer's state of these entries to 0, as that of what comes alive is; where they start is kept.

    Args: restarted: of some parameters, True = such an entry. now: the masks in force.
    """
    for name, tensors in optimizer.rule_state().items():
        if name in restarted:
            entries = restarted[name].view(-1)
            entries = entries[now[name].view(-1)] if name in now else entries
            for tensor in tensors:
                if tensor.ndim:
                    tensor.view(-1).masked_fill_(entries, 0.0)


def _carry(tensor: Tensor, old: Tensor, before: Tensor, now: Tensor) -> None:
    """Copy what both masks have; both tensors are of live entries, in flat order."""
    was, stays = before.view(-1), now.view(-1)
    both = was & stays
    tensor[both[stays]] = old[both[was]]
