"""One step of training on two images: what a network puts out, which parameters get a gradient, what runs when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.messages import one_line
from bench.models.structure.layers import names_of, title, weights_of
from bench.models.structure.weight_use import Use, WeightUse, uses_of

IMAGES = 2


@dataclass(frozen=True, kw_only=True)
class OnePass:
    """What a pass shows."""

    ran: list[str]  # modules, in the order in which they run; one that runs twice is there twice
    uses: Mapping[str, Use]  # parameter -> its use for one image


def one_pass(model: nn.Module, image_shape: tuple[int, ...], classes: int) -> OnePass:
    """Run the model forwards and backwards, on its device; it is not the same afterwards.

    Raises: ValueError if it cannot be applied to such images, its output is not [images, classes], a parameter gets no
            gradient, or a weight enters by something else than a product.
    """
    ran: list[str] = []
    for name, module in model.named_modules():
        module.register_forward_pre_hook(lambda module, _, name=name: ran.append(name))
    device = next(model.parameters()).device
    x = torch.zeros(IMAGES, *image_shape, device=device)
    with WeightUse(model) as seen:
        output = applied(model.train(), x)
    check_output(output, classes)
    cross_entropy(output, torch.zeros(IMAGES, dtype=torch.int64, device=device)).backward()  # type: ignore[no-untyped-call]
    _check_gradients(model)
    _check_products(model, seen.uses)
    in_order = ran.copy()
    model.zero_grad()
    return OnePass(ran=in_order, uses=uses_of(model, image_shape))


def applied(model: nn.Module, x: Tensor) -> Any:
    """The output. Raises ValueError, in one line, if the model raises."""
    try:
        return model(x)
    except Exception as error:
        raise ValueError(f"cannot be applied to images {tuple(x.shape[1:])}: {one_line(error)}") from error


def check_output(output: Any, classes: int) -> None:
    """Raise ValueError if the output is not the logits of each image and class."""
    must = f"must be one tensor of logits [images, {classes}], in training too"
    if not isinstance(output, Tensor):
        raise ValueError(f"its output is a {type(output).__name__}: {must}")
    if output.shape != (IMAGES, classes) or not output.is_floating_point():
        shown = str(output.dtype).removeprefix("torch.")
        raise ValueError(f"its output for {IMAGES} images is {shown} {tuple(output.shape)}: {must}")


def _check_gradients(model: nn.Module) -> None:
    if without := [name for name, p in model.named_parameters() if p.grad is None]:
        more = f" (and {len(without) - 1} more)" if len(without) > 1 else ""
        raise ValueError(f"parameter {without[0]}{more}: gets no gradient; the logits must depend on every parameter")


def _check_products(model: nn.Module, uses: Mapping[str, Use]) -> None:
    """Raise ValueError if a weight is changed before it is used: a dead one would not be what it is said to be."""
    names = names_of(model)
    layers = {names[id(m.weight)]: title(n, m) for n, m in reversed([*model.named_modules()]) if _has_weight(m, names)}
    for name in weights_of(model):
        if (use := uses.get(name, Use())).other:
            raise ValueError(f"{layers[name]}: its weight enters {use.other}; must enter products only, as it is")


def _has_weight(module: nn.Module, names: Mapping[int, str]) -> bool:
    return id(getattr(module, "weight", None)) in names
