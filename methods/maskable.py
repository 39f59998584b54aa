"""Which parameters are maskable: the one rule, shared by every method and every count."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


def maskable(model: nn.Module) -> dict[str, Tensor]:
    """The weights of Conv and Linear layers by parameter name, in the model's order; never biases or BatchNorm.

    A weight shared by two layers appears once, under its first name.
    """
    weights: dict[str, Tensor] = {}
    seen: set[int] = set()
    for prefix, module in model.named_modules():
        if isinstance(module, _ConvNd | nn.Linear) and id(module.weight) not in seen:
            seen.add(id(module.weight))
            weights[f"{prefix}.weight" if prefix else "weight"] = module.weight
    return weights
