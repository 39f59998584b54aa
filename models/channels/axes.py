"""Where each channel of a network goes in one pass, seen below autograd: by whatever function it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.models.channels.flow import Flow
from bench.models.channels.rules import RULES, WEIGHT_OF, fixing


class ChannelPass(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, what becomes of the channels is noted in its `flow`."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flow = flow

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        packet, name = func.overloadpacket, func.overloadpacket.__name__.strip("_")
        RULES.get(packet, fixing)(self.flow, args, result, name)
        for position, argument in enumerate(args):
            if position != WEIGHT_OF.get(packet) and not _is_view(func, argument, result):
                for leaf in tree_leaves(argument):
                    _misused(self.flow, leaf, name)
        return result


def _is_view(func: Any, argument: object, result: object) -> bool:
    """Whether an operation gives what it is given in another shape, and changes no value."""
    if not isinstance(argument, Tensor) or func._schema.is_mutable:
        return False
    mine, results = argument.untyped_storage()._cdata, tree_leaves(result)
    return all(isinstance(r, Tensor) and r.untyped_storage()._cdata == mine for r in results)


def _misused(flow: Flow, x: object, name: str) -> None:
    """Note it if this is the weight of a layer."""
    layer, module = flow.layer(x)
    if module is not None:
        flow.misuse(layer, name)
