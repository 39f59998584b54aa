"""Whether several networks of one architecture can be computed as one, by `torch.func.vmap`. P networks."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from bench.messages import one_line
from bench.models.structure.stand_ins import StandIn, replaceable, twin
from bench.models.structure.values import example, is_close, vary

NETWORKS = 2


def no_batching(model: nn.Module, image_shape: tuple[int, ...], layout: torch.memory_format) -> str:
    """Why networks like this one cannot be computed as one; "" if they can: tried in training, in float64."""
    networks = [_network(model, seed) for seed in range(NETWORKS)]
    images = example(image_shape).to(memory_format=layout)
    with torch.no_grad():
        alone = torch.stack([copy.deepcopy(network)(images) for network in networks])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that an operation is batched slowly
            together = _together(networks, images)
            together.square().sum().backward()  # type: ignore[no-untyped-call]
    except Exception as error:
        return one_line(error)
    return "" if is_close(alone, together) else "it computes otherwise in a pack"


def _network(model: nn.Module, seed: int) -> nn.Module:
    network = copy.deepcopy(model).double().train()
    vary(network, seed)
    return network


def _together(networks: Sequence[nn.Module], images: Tensor) -> Tensor:
    """The logits [P, images, classes], with stand-ins for the convolutions that a pack may compute in another way."""
    first = networks[0]
    convolutions = [layer for layer in replaceable(first).values() if isinstance(layer, nn.Conv2d)]
    parameters, buffers = (
        _stacked([dict(n.named_parameters()) for n in networks]),
        _stacked([dict(n.named_buffers()) for n in networks]),
    )
    skeleton = copy.deepcopy(twin(first, {id(layer): Unfolded(layer) for layer in convolutions}))

    def logits_of_one(tensors: dict[str, Tensor]) -> Tensor:
        logits: Tensor = functional_call(skeleton, tensors, (images,))
        return logits

    logits: Tensor = vmap(logits_of_one, randomness="different")({**parameters, **buffers})
    return logits


class Unfolded(StandIn):
    """A convolution whose outputs have their channels last in memory, as those of a matrix product have."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__(layer)
        assert not isinstance(layer.padding, str)  # such a convolution is not replaceable
        self.weight, self.bias, self.geometry = layer.weight, layer.bias, (layer.stride, layer.padding, layer.dilation)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution's output."""
        output = torch.nn.functional.conv2d(x, self.weight, self.bias, *self.geometry)
        return output.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def _stacked(tensors: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {
        name: torch.stack([t[name].detach() for t in tensors]).requires_grad_(first.requires_grad)
        for name, first in tensors[0].items()
    }
