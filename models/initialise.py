"""Initial weights from explicit random streams, and the checksum that pins them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from bench.messages import nearest
from bench.models.initialisers import INITIALISERS, Array, Initialiser

Draw = Callable[[str], np.random.RandomState]
Rule = Callable[[Tensor, np.random.RandomState], None]  # sets a parameter, in place
SCALED = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")  # of MultiheadAttention
FREE_STD = 0.02  # what transformers draw their free parameters with
RANDOM = "random_at_construction"  # attribute of a model: the names of the parameters that its constructor draws


def initialise(model: nn.Module, initialiser: str, draw: Draw) -> None:
    """Set every parameter and buffer of `model` to its initial value, in place.

    The weights of Conv and Linear layers and the projections of MultiheadAttention are drawn by the initialiser; their
    biases are 0. Normalisation layers have scale 1, shift 0 and fresh statistics. An Embedding is drawn from N(0, 1).
    Any other parameter keeps the value that it was constructed with if that is the same each time, and is drawn from
    N(0, 0.02^2) if it is not; of a layer of torch's, that is an error. What layers share follows the first one's rule.
    Draws are in float64 and rounded to float32 whatever the model's dtype, so that a float64 model starts from the
    same numbers.

    Args:    initialiser: a name of INITIALISERS.
             draw: parameter name -> the stream of that tensor only, so that no layer's draw shifts another's.
    Raises:  ValueError if the initialiser is unknown, or a parameter has no rule.
    """
    if initialiser not in INITIALISERS:
        raise ValueError(nearest("initialiser", initialiser, list(INITIALISERS)))
    rules = rules_of(model, INITIALISERS[initialiser], getattr(model, RANDOM, None))
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, SCALED):
                module.reset_parameters()
        for name, rule in rules.items():
            rule(parameters[name], draw(name) if rule not in (_zero, _keep) else UNUSED)


def rules_of(model: nn.Module, function: Initialiser, random: Collection[str] | None) -> dict[str, Rule]:
    """Parameter name -> what gives it its initial value.

    Args:    random: the parameters that the constructor draws; None = unknown.
    Raises:  ValueError if a parameter has no rule.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rules: dict[str, Rule] = {}
    for prefix, module in model.named_modules():
        for attribute, parameter in module.named_parameters(recurse=False):
            name = names[id(parameter)]
            if name not in rules:
                rule = _rule(module, attribute, function, random is None or name in random)
                if rule is None:
                    layer = f"layer {prefix or 'model'} ({type(module).__name__})"
                    raise ValueError(f"{layer}: no rule for the initial values of its {attribute}, which are random")
                rules[name] = rule
    return rules


def _rule(module: nn.Module, attribute: str, function: Initialiser, is_random: bool) -> Rule | None:
    """The rule for one parameter of a layer; None if there is none."""
    if isinstance(module, SCALED):
        return _keep
    if isinstance(module, _ConvNd | nn.Linear) and attribute in ("weight", "bias"):
        return partial(_drawn, function, module) if attribute == "weight" else _zero
    if isinstance(module, nn.MultiheadAttention) and attribute in (*PROJECTIONS, "in_proj_bias"):
        return _zero if attribute == "in_proj_bias" else partial(_drawn, function, module)
    if isinstance(module, nn.Embedding):
        return partial(_embedding, module)
    if not is_random:
        return _keep
    return None if type(module).__module__.startswith("torch.nn.") else _free


def _keep(parameter: Tensor, generator: np.random.RandomState) -> None:
    """The value that it was constructed with, or that its layer resets it to."""


def _zero(parameter: Tensor, generator: np.random.RandomState) -> None:
    parameter.zero_()


def _free(parameter: Tensor, generator: np.random.RandomState) -> None:
    _set(parameter, FREE_STD * generator.standard_normal(tuple(parameter.shape)))


def _embedding(layer: nn.Embedding, parameter: Tensor, generator: np.random.RandomState) -> None:
    _set(parameter, generator.standard_normal(tuple(parameter.shape)))
    if layer.padding_idx is not None:
        parameter[layer.padding_idx].zero_()


def _drawn(function: Initialiser, layer: nn.Module, parameter: Tensor, generator: np.random.RandomState) -> None:
    """A weight [out, in, *kernel]; of a transposed convolution it lies as [in, out, *kernel], each group by itself."""
    if not isinstance(layer, _ConvTransposeNd):
        _set(parameter, function(generator, tuple(parameter.shape)))
        return
    groups, (inputs, outputs, *kernel) = layer.groups, parameter.shape
    values = function(generator, (groups * outputs, inputs // groups, *kernel))
    by_group = values.reshape(groups, outputs, inputs // groups, *kernel).swapaxes(1, 2)
    _set(parameter, by_group.reshape(tuple(parameter.shape)))


def _set(parameter: Tensor, values: Array) -> None:
    parameter.copy_(torch.from_numpy(values.astype(np.float32)))


UNUSED = np.random.RandomState(0)  # for rules that draw nothing


def checksum(model: nn.Module) -> str:
    """SHA-256, in hexadecimal, of all parameters and buffers: see `checksum_of`."""
    return checksum_of(dict(chain(model.named_parameters(), model.named_buffers())))


def checksum_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, in hexadecimal, of tensors in the order of their names.

    Each is hashed as its name, dtype and shape, then its values, little-endian, in the order of its indices: neither
    the device nor the memory format matters.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items(), key=lambda item: item[0]):
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{name} {dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # NumPy has no bfloat16: its 16 bits go as integers.
    values = (flat.view(torch.int16) if flat.dtype == torch.bfloat16 else flat).numpy()
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
