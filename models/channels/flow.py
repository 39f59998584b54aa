"""What is noted of the channels of a network in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from bench.models.channels.sets import Axis, ChannelSet, LayerPass


class Flow:
    """The layers in the order in which they run, the sets that they write, and whose channels each activation has."""

    def __init__(self, model: nn.Module, ties: Mapping[str, str]) -> None:
        """Of a network whose layers share these tensors: `bench.models.channels.ties.ties_of`."""
        self.layers: dict[str, LayerPass] = {}
        self.ran: dict[str, int] = {}  # layer or BatchNorm -> its place in the order in which they run
        self.sets: list[ChannelSet] = []
        self.misused: dict[str, str] = {}  # layer -> why its weight is not its own alone
        self.norms: dict[str, list[ChannelSet]] = {}  # BatchNorm -> the sets that it normalises
        self._ties = ties
        self._weights: dict[int, tuple[str, Any]] = {}  # by the storage of a weight
        self._statistics: dict[int, str] = {}  # by that of a running mean
        for name, module in reversed([*model.named_modules()]):
            weight = module._parameters.get("weight")
            if isinstance(module, _ConvNd | nn.Linear) and weight is not None:
                self._weights[_storage(weight)] = (name, module)
            elif isinstance(module, _BatchNorm) and module.running_mean is not None:
                self._statistics[_storage(module.running_mean)] = name
        self._axes: dict[int, Axis] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets their identity

    def axis(self, x: object) -> Axis | None:
        """Whose channels the activation has."""
        return self._axes.get(id(x))

    def give(self, x: Tensor, axis: Axis | None) -> None:
        """Note whose they are."""
        if axis is not None:
            self._axes[id(x)] = axis
            self._kept.append(x)

    def layer(self, weight: object) -> tuple[str, Any]:
        """Name and module of the layer whose weight lies in this memory, in whatever shape; ("", None) if there is
        none."""
        return self._weights.get(_storage(weight), ("", None)) if isinstance(weight, Tensor) else ("", None)

    def norm(self, mean: object) -> str | None:
        """The BatchNorm whose running mean this is."""
        return self._statistics.get(_storage(mean)) if isinstance(mean, Tensor) else None

    def normalise(self, norm: str, axis: Axis) -> None:
        """Note a BatchNorm of these channels."""
        axis.channels.root.norms.append((norm, axis.repeat))
        self.norms.setdefault(norm, []).append(axis.channels)
        self.ran.setdefault(norm, len(self.ran))
        if norm in self._ties:
            axis.channels.fix(f"has BatchNorm {norm}: {self._ties[norm]}")

    def run(self, name: str, layer: LayerPass) -> None:
        """Note a layer that ran; one that runs again, or shares a tensor with another, has no channels of its own."""
        before = self.layers.setdefault(name, layer)
        if before is not layer:
            before.positions += layer.positions
        if reason := self._ties.get(name) or ("" if before is layer else f"{name} runs more than once"):
            for channels in (*before.sets, *layer.sets):
                channels.fix(reason)
        if before is not layer:
            return
        self.ran[name] = len(self.ran)
        if layer.reads and not layer.depthwise:
            layer.reads.channels.root.readers.append((name, layer.reads.repeat))

    def misuse(self, name: str, operation: str) -> None:
        """Note that the weight of a layer is used by something that is not the layer."""
        self.misused.setdefault(name, f"its weight enters {operation} otherwise than as it is")

    def add_up(self, one: ChannelSet, two: ChannelSet) -> None:
        """Note a sum of two sets: both are of a residual stream, and so is the one where the two parts of the sum
        begin."""
        begun = set(self._back_from(one))
        start = next((channels for channels in self._back_from(two) if channels in begun), None)
        for channels in (one, two, start):
            if channels is not None:
                channels.root.summed = True

    def _back_from(self, channels: ChannelSet) -> Iterator[ChannelSet]:
        """This set, the one that its first writer reads, and so on."""
        seen: set[int] = set()
        while id(channels := channels.root) not in seen:
            yield channels
            seen.add(id(channels))
            first = min(set(channels.writers) - set(channels.depthwise), key=self.ran.__getitem__)
            if (reads := self.layers[first].reads) is None:
                return
            channels = reads.channels


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
