"""The criteria as mask functions of PEFT's SHiRA: which weights of a layer an adapter trains.

SHiRA asks for r · (inputs + outputs) weights of each layer, as many numbers as LoRA of rank r trains. PEFT itself is
not imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.messages import nearest
from bench.methods.criteria import resolve
from bench.methods.maskable import maskable
from bench.methods.scopes import comparable, scored, top
from bench.methods.types import Batches, Criterion, Loss
from bench.trial.streams import stream

LAYER_ALONE = ("magnitude", "small-magnitude", "scale-free-magnitude")  # can score a layer without its network
DATA_FREE = (*LAYER_ALONE, "random", "channel-random")

MaskFunction = Callable[..., Tensor]  # called with a layer and r


def mask_fn(
    criterion: str | Criterion,
    *,
    model: nn.Module | None = None,
    batches: Batches = (),
    loss: Loss = cross_entropy,
    seed: int = 0,
    **fields: Any,
) -> MaskFunction:
    """A function for `ShiraConfig.mask_fn`: of each layer the weights that the criterion scores highest.

    Args:    criterion: a row of CRITERIA in `bench.methods.criteria`, or a function with `snip`'s signature.
             model: the network, before PEFT adapts it and in the mode that the criterion is to see; its scores are
             computed here, once. None = each layer is scored by itself, which a criterion of LAYER_ALONE can do.
             batches: (x, y) pairs, x what the network takes; its output is the logits, or has them as `logits`.
             loss: (logits, y) -> scalar mean loss. seed: of what the criterion draws. fields: the criterion's own.
             Scores of `random` are drawn when a layer is asked for, from a stream of its own: seed and name say which.
    Returns: (layer, r) -> mask of the layer's weight in its shape, type and device, with r · (inputs + outputs) ones.
             Of equal scores the earlier are kept.
    Raises:  ValueError in one line if the criterion or a field is unknown, if data are lacking, or given in vain.
    """
    score = partial(resolve(criterion), **_checked(criterion, fields))
    _check_data(criterion, model, batches)
    if model is None:
        return partial(_mask, lambda layer: score(layer, (), loss, np.random.RandomState(seed))["weight"])
    names = {id(w): (name, w) for name, w in maskable(model).items()}
    if criterion == "random":
        return partial(_mask, lambda layer: score(layer, (), loss, stream(seed, _name(names, layer)))["weight"])
    network = _Logits(model)
    scores = score(network, batches, loss, np.random.RandomState(seed))
    scores = {name.removeprefix("model."): s for name, s in scored(scores, maskable(network)).items()}
    return partial(_mask, lambda layer: scores[_name(names, layer)])


class _Logits(nn.Module):
    """A network whose output may be an object with logits, as those of Hugging Face's transformers have it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = model.training

    def forward(self, x: Tensor) -> Tensor:
        output = self.model(x)
        logits: Tensor = getattr(output, "logits", output)
        return logits


def _checked(criterion: str | Criterion, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, if the criterion has them."""
    parameters = signature(resolve(criterion)).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY]
    for name in fields:
        if name not in known:
            raise ValueError(f"criterion {criterion!r}: {nearest('field', name, known)}")
    return fields


def _check_data(criterion: str | Criterion, model: nn.Module | None, batches: Batches) -> None:
    if criterion in DATA_FREE:
        if batches:
            raise ValueError(f"criterion {criterion!r} sees no data: batches must be left out")
        if model is None and criterion not in LAYER_ALONE:
            raise ValueError(f"criterion {criterion!r} draws for each layer of a network: must have model=")
    elif model is None or not batches:
        must = f"must have model= and batches=, or be one of {', '.join(DATA_FREE)}"
        raise ValueError(f"criterion {criterion!r} is computed on a network with data: {must}")


def _name(names: dict[int, tuple[str, Tensor]], layer: nn.Linear) -> str:
    """The name of a layer's weight in its network."""
    if id(layer.weight) not in names:
        raise ValueError(f"layer {layer}: must be one of the network that was scored")
    return names[id(layer.weight)][0]


def _mask(
    score: Callable[[nn.Linear], Tensor], base_layer: nn.Module, r: int, *, random_seed: int | None = None, **_: Any
) -> Tensor:
    """The mask of one layer; PEFT gives more arguments than a mask depends on."""
    if random_seed is not None:
        raise ValueError(f"random_seed {random_seed}: must be left out of ShiraConfig; it is the seed of mask_fn")
    if not isinstance(base_layer, nn.Linear):
        raise ValueError(f"layer {type(base_layer).__name__}: must be Linear")
    weight = base_layer.weight
    count = r * (base_layer.in_features + base_layer.out_features)
    if not 0 < count <= weight.numel():
        raise ValueError(f"r {r}: {count} of the {weight.numel()} weights of {base_layer}: must be 1 of them to all")
    with torch.no_grad():
        scores = comparable({"weight": score(base_layer)})["weight"]
        return top(scores.reshape(-1), count).view(weight.shape).to(weight.device, weight.dtype)
