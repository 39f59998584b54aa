"""Criteria of output channels: each weight has the score of the channel that its filter, a row of the weight, writes.

For scope `filter`, where every weight of a filter counts alike.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from bench.methods.derivatives import gradient
from bench.methods.maskable import maskable
from bench.methods.types import Batches, Loss, Scores


def channel_snip(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """SNIP of a gate c = 1 behind BatchNorm, |∂L/∂c| = |γ · ∂L/∂γ + β · ∂L/∂β| of each channel.

    A gate before BatchNorm would have no effect: with the statistics of the batch its output does not change when a
    filter is scaled, so Σ w · ∂L/∂w over the filter is 0.

    Departs from the paper: none has this form; SNAP (Verdenius et al. 2020, arXiv:2006.00896) gates the convolution's
    output, before BatchNorm. Ours: the network's last layer, whose outputs are the logits and which nothing normalises,
    has its gate behind the bias, |Σ w · ∂L/∂w + b · ∂L/∂b|.
    Raises:  ValueError if a layer but the last has no BatchNorm directly behind it, which takes its output as it is.
    """
    gates = _gates(model, batches)
    wanted = list(dict.fromkeys(name for gate in gates.values() for name in gate))
    parameters = dict(model.named_parameters())
    values = {name: parameters[name].detach().clone().requires_grad_() for name in wanted}
    slopes = gradient(model, values, batches, loss)
    products = {name: (v.detach() * slopes[name]).reshape(len(v), -1).sum(1) for name, v in values.items()}
    return {
        name: _of_filters(torch.stack([products[p] for p in gates[name]]).sum(0).abs(), weight)
        for name, weight in maskable(model).items()
    }


def check_channel_snip(model: nn.Module, images: Tensor) -> None:
    """Raise ValueError if `channel_snip` has no score of some filter of the network, which is applied to the images."""
    _gates(model, [(images, images)])


def channel_random(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Uniform random scores, one for each filter, drawn in the model's order from the trial's own stream. Data-free."""
    return {
        name: _of_filters(torch.from_numpy(generator.random_sample(len(w))).to(w.device), w)
        for name, w in maskable(model).items()
    }


def _of_filters(scores: Tensor, weight: Tensor) -> Tensor:
    """The score of each row, at each of its weights."""
    return scores.view(-1, *[1] * (weight.dim() - 1)).expand_as(weight)


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """What happens in one pass of a network: the outputs of each layer, and the BatchNorms that take them as they are.

    An output is known by its identity and by its version, which what changes it in place raises.
    """

    outputs: dict[str, list[tuple[Tensor, int]]] = field(default_factory=dict)  # kept: no other tensor takes their id
    norms: dict[str, list[str]] = field(default_factory=dict)  # layer -> BatchNorms directly behind it

    def put_out(self, layer: str, output: Tensor) -> None:
        self.outputs.setdefault(layer, []).append((output, output._version))

    def take_in(self, norm: str, inputs: tuple[object, ...]) -> None:
        for layer in self.outputs:
            if any(self.is_of(layer, x) for x in inputs):
                self.norms.setdefault(layer, []).append(norm)

    def is_of(self, layer: str, x: object) -> bool:
        """Whether this is an output of the layer, unchanged."""
        return any(x is output and version == output._version for output, version in self.outputs.get(layer, []))


def _gates(model: nn.Module, batches: Batches) -> dict[str, tuple[str, ...]]:
    """Weight -> the parameters whose products with their derivatives sum to that of the gates of its channels.

    Raises: ValueError if a weight has none.
    """
    if not batches:
        raise ValueError("criterion sample of 0 images: must be at least 1")
    network = copy.deepcopy(model)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    modules = dict(network.named_modules())
    seen, logits = _seen(network, batches[0][0])
    gates: dict[str, tuple[str, ...]] = {}
    for prefix, layer in modules.items():
        if not isinstance(layer, _ConvNd | nn.Linear):
            continue
        weight, runs = names[id(layer.weight)], len(seen.outputs.get(prefix, []))
        behind = [modules[norm] for norm in seen.norms.get(prefix, [])]
        if not behind and seen.is_of(prefix, logits):
            behind = [layer]
        if reason := _refusal(layer, behind, runs + (weight in gates)):
            raise ValueError(f"layer {prefix or 'model'} ({type(layer).__name__}): {reason}")
        gates[weight] = tuple(names[id(p)] for p in (behind[0].weight, behind[0].bias) if p is not None)
    return gates


def _refusal(layer: nn.Module, behind: Sequence[nn.Module], runs: int) -> str:
    """Why the filters of a layer have no gate in what is directly behind it; "" if they have."""
    if isinstance(layer, _ConvTransposeNd):
        return "its filters read channels and write none of their own; channel-snip needs filters that write one"
    if runs != 1:
        return f"its weight is used {runs} times in a pass; channel-snip needs one that is used once"
    if len(behind) != 1:
        return f"has {len(behind) or 'no'} BatchNorm directly behind it; channel-snip needs one, but of the last layer"
    scale, weight = behind[0].weight, layer.weight
    if not isinstance(scale, Tensor) or not isinstance(weight, Tensor) or len(scale) != len(weight):
        return "the BatchNorm behind it has no scale for each of its channels; channel-snip needs one"
    return ""


@torch.no_grad()
def _seen(network: nn.Module, x: Tensor) -> tuple[_Pass, object]:
    """What happens in a pass of the network, which is not the same afterwards; and its output."""
    seen = _Pass()
    for name, module in network.named_modules():
        if isinstance(module, _ConvNd | nn.Linear):
            module.register_forward_hook(lambda _, __, output, name=name: seen.put_out(name, output))
        elif isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(lambda _, inputs, name=name: seen.take_in(name, inputs))
    return seen, network(x)
