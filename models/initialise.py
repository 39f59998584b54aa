"""Initial weights from explicit random streams, and the checksum that pins them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from bench.messages import nearest
from bench.models.initialisers import INITIALISERS, Initialiser

Draw = Callable[[str], np.random.RandomState]


def initialise(model: nn.Module, initialiser: str, draw: Draw) -> None:
    """Set every parameter and buffer of `model` to its initial value, in place.

    Conv and Linear weights are drawn in float64 and rounded to float32 whatever the model's dtype, so that a float64
    model starts from the same numbers; biases are 0; BatchNorm has scale 1, shift 0 and fresh statistics.

    Args:    initialiser: a name of INITIALISERS.
             draw: parameter name -> the stream of that tensor only, so that no layer's draw shifts another's.
    Raises:  ValueError if the initialiser is unknown, or a layer of another type has parameters.
    """
    if initialiser not in INITIALISERS:
        raise ValueError(nearest("initialiser", initialiser, list(INITIALISERS)))
    function = INITIALISERS[initialiser]
    with torch.no_grad():
        for prefix, module in model.named_modules():
            _initialise_layer(prefix, module, function, draw)


def _initialise_layer(prefix: str, module: nn.Module, function: Initialiser, draw: Draw) -> None:
    if isinstance(module, _BatchNorm):
        module.reset_parameters()
    elif isinstance(module, _ConvNd | nn.Linear):
        values = function(draw(f"{prefix}.weight" if prefix else "weight"), tuple(module.weight.shape))
        module.weight.copy_(torch.from_numpy(values.astype(np.float32)))
        if module.bias is not None:
            module.bias.zero_()
    elif any(True for _ in module.parameters(recurse=False)):
        raise ValueError(f"layer {prefix or 'model'} ({type(module).__name__}): must be Conv, Linear or BatchNorm")


def checksum(model: nn.Module) -> str:
    """SHA-256, in hexadecimal, of all parameters and buffers in the order of their names.

    Each is hashed as its name, dtype and shape, then its values, little-endian, in the order of its indices: neither
    the device nor the memory format matters.
    """
    digest = hashlib.sha256()
    tensors: Iterable[tuple[str, Tensor]] = chain(model.named_parameters(), model.named_buffers())
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        dtype = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{name} {dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # NumPy has no bfloat16: its 16 bits go as integers.
    values = (flat.view(torch.int16) if flat.dtype == torch.bfloat16 else flat).numpy()
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
