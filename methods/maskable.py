"""Which parameters are maskable: the one rule, shared by every method and every count."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


def maskable(model: nn.Module) -> dict[str, Tensor]:
    """The weights of Conv and Linear layers by parameter name, in the model's order; never biases or BatchNorm.

    A weight shared by two layers appears once, under its first name in `model.named_parameters()`.

    Raises: ValueError if a layer computes its weight from other tensors.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    weights: dict[str, Tensor] = {}
    for prefix, module in model.named_modules():
        if isinstance(module, _ConvNd | nn.Linear):
            if id(module.weight) not in names:
                raise ValueError(f"layer {prefix or 'model'} ({type(module).__name__}): its weight is no parameter")
            weights.setdefault(names[id(module.weight)], module.weight)
    return weights
