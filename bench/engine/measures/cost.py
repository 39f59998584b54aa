"""What a network costs: stored parameters, live weights per layer, multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench import names
from bench.engine.measures.moment import Moment
from bench.methods.maskable import maskable


def positions(model: nn.Module, image_shape: tuple[int, ...]) -> dict[str, int]:
    """Weight name -> how often each of its elements is used per image (1 in a Linear layer, H × W of a Conv's output).

    In the order in which the layers run, seen by passing one image of zeros through the network.
    """
    uses: dict[str, int] = {}
    by_id = {id(w): name for name, w in maskable(model).items()}

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        name = by_id.get(id(getattr(module, "weight", None)))
        if name is not None:
            channels = output.shape[-1] if isinstance(module, nn.Linear) else output.shape[1]
            uses[name] = uses.get(name, 0) + output.numel() // channels

    handles = [module.register_forward_hook(hook) for module in model.modules()]
    training = model.training
    try:
        weight = next(model.parameters())
        with torch.no_grad():
            model.eval()(torch.zeros(1, *image_shape, dtype=weight.dtype, device=weight.device))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return uses


def costs(moment: Moment) -> dict[str, float]:
    """The counts of a trial."""
    trial = moment.trial
    return counts(trial.model, trial.masks, moment.spec.method.background, trial.train.image_shape)


def counts(
    model: nn.Module, masks: Mapping[str, Tensor], background: str, image_shape: tuple[int, ...]
) -> dict[str, float]:
    """The counts of one trial, names as in `bench.names`.

    Multiply-accumulates per image count non-zero weights only. Forward: every weight of a frozen network, the live ones
    of a pruned one. Backward: the weight gradient at the live weights, plus the input gradient of every layer but the
    first, again over all weights of a frozen network and the live ones of a pruned one.
    """
    weights = maskable(model)
    size = {name: w.numel() for name, w in weights.items()}
    live = {name: int(masks[name].sum()) for name in weights}
    used = live if background == "prune" else size
    uses = positions(model, image_shape)
    first = next(iter(uses))
    total = sum(p.numel() for p in model.parameters())
    stored = total - sum(size.values()) + sum(live.values())
    return {
        names.TOTAL_PARAMETERS: total,
        names.MASKABLE_WEIGHTS: sum(size.values()),
        names.LIVE_WEIGHTS: sum(live.values()),
        names.STORED_PARAMETERS: stored,
        names.COMPRESSION: total / stored,
        names.LAYERS: len(size),
        names.COLLAPSED_LAYERS: sum(k == 0 for k in live.values()),
        names.FORWARD_MACS: sum(used[n] * uses[n] for n in uses),
        names.BACKWARD_MACS: sum((live[n] + used[n] * (n != first)) * uses[n] for n in uses),
    }
