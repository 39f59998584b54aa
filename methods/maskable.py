"""Which parameters are maskable: the one rule, shared by every method and every count; and the head that is not."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


class LiveHead(nn.Module):
    """A head that no method masks, since it is no Linear layer: all of its weights are live."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, features: Tensor) -> Tensor:
        """As the layer that it stands for."""
        return nn.functional.linear(features, self.weight, self.bias)


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


def head_of(model: nn.Module) -> tuple[str, nn.Linear]:
    """The name and the layer of the head, the last Linear layer in the model's order.

    Raises: ValueError if there is none.
    """
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError("the network has no Linear layer: it has no head that could be drawn again or trained whole")
    return layers[-1]


def with_head(model: nn.Module) -> dict[str, Tensor]:
    """The same, and the weight of a head that is hidden from masks."""
    heads = {f"{name}.weight": m.weight for name, m in model.named_modules() if isinstance(m, LiveHead)}
    return {**maskable(model), **heads}
