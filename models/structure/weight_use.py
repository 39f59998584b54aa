"""The products that each weight takes part in, seen below autograd: by whatever function a network computes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

ATEN = torch.ops.aten
# What multiplies and accumulates -> which of its arguments are the factors; the others are added.
PRODUCTS: Mapping[Any, tuple[int, int]] = {
    ATEN.mm: (0, 1), ATEN.bmm: (0, 1), ATEN.addmm: (1, 2), ATEN.baddbmm: (1, 2), ATEN.convolution: (0, 1),
}  # fmt: skip
COPIES = (ATEN.clone, ATEN._to_copy)


@dataclass
class Use:
    """How a parameter is used in one pass."""

    macs: int = 0  # multiply-accumulates of its products
    macs_behind: int = 0  # of those whose other factor depends on a parameter: they need its gradient too
    other: str = ""  # an operation that is neither a product nor a view


class WeightUse(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, the uses of a model's parameters are noted, by name, in the order of their first use."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.uses: dict[str, Use] = {}
        self._names = {p.untyped_storage()._cdata: name for name, p in model.named_parameters()}
        self._copies: list[Tensor] = []  # kept, so that no other tensor gets their place

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here: else torch imports its compiler for this one pass, which takes it seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for position, argument in self._parameters(args):
            self._note(func, args, position, argument, result)
        return result

    def _parameters(self, args: tuple[Any, ...]) -> Iterator[tuple[int, Tensor]]:
        for position, argument in enumerate(args):
            for leaf in tree_leaves(argument):
                if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata in self._names:
                    yield position, leaf

    def _note(self, func: Any, args: tuple[Any, ...], position: int, argument: Tensor, result: Any) -> None:
        name, packet = self._names[argument.untyped_storage()._cdata], func.overloadpacket
        use = self.uses.setdefault(name, Use())
        if position in (factors := PRODUCTS.get(packet, ())):
            macs = flop_registry[packet](*args, out_val=result) // 2
            use.macs += macs
            use.macs_behind += macs * args[sum(factors) - position].requires_grad
        elif packet in COPIES:
            self._names[result.untyped_storage()._cdata] = name
            self._copies.append(result)
        elif func._schema.is_mutable or not _is_view(argument, result):
            use.other = func.name().removeprefix("aten::")


def _is_view(argument: Tensor, result: Any) -> bool:
    mine = argument.untyped_storage()._cdata
    return all(isinstance(r, Tensor) and r.untyped_storage()._cdata == mine for r in tree_leaves(result))


def uses_of(model: nn.Module, image_shape: tuple[int, ...]) -> dict[str, Use]:
    """The uses for one image, in evaluation mode; the model stays as it is."""
    like, training = next(model.parameters()), model.training
    x = torch.zeros(1, *image_shape, dtype=like.dtype, device=like.device)
    try:
        # With gradients, as in training: without them an encoder of torch's transformers computes by other operations.
        seen = WeightUse(model)
        with torch.enable_grad(), seen:
            model.eval()(x)
    finally:
        model.train(training)
    return seen.uses
