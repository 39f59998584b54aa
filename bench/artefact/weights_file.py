"""Weights from outside: a `.safetensors` file, or a state dict that `torch.save` wrote, as tensors by name.

Nothing in a file is executed: a state dict is read with `weights_only`.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from bench.messages import shortened

ZIP, PICKLE = b"PK\x03\x04", b"\x80\x02"  # how files of `torch.save` begin, those of its first format too
HEADER = 8  # bytes of the length of the header, with which a .safetensors file begins
TYPES = {  # of tensors: name -> type
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16,
        torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    )
}  # fmt: skip
MUST = "must be a .frz file, a .safetensors file or a state dict that torch.save wrote"


@dataclass(frozen=True, kw_only=True)
class Counterpart:
    """The network of torchvision whose weights one of ours takes, and what is known to differ."""

    name: str
    differs: tuple[str, ...] = ()  # tensors of another shape there
    beside: tuple[str, ...] = ()  # how the names begin of those that only the other network has


COUNTERPARTS: Mapping[str, Counterpart] = MappingProxyType({
    "resnet18": Counterpart(name="resnet18", differs=("conv1.weight",)),  # a stem of 7 × 7 there, of 3 × 3 here
    "resnet34": Counterpart(name="resnet34", differs=("conv1.weight",)),
    "vgg16-bn": Counterpart(name="vgg16_bn", beside=("classifier.3.", "classifier.6.")),  # one Linear layer here
})  # fmt: skip


def counterpart_of(model: str) -> Counterpart | None:
    """The network of torchvision that gives this model its weights; None if there is none."""
    library, _, name = model.rpartition(":")
    return Counterpart(name=name) if library == "torchvision" else COUNTERPARTS.get(model)


def tensors_in(data: bytes) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU.

    Raises: ValueError, in one line, if it is no such file, or a tensor of it is no plain one or not finite.
    """
    if data.startswith((ZIP, PICKLE)):
        values = _of_torch(data)
    elif data[HEADER : HEADER + 1] == b"{":
        values = _of_safetensors(data)
    else:
        raise ValueError(f"not a file of weights: {MUST}")
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"{_described(values)}: must be a state dict, name -> tensor")
    for name, tensor in values.items():
        _check(name, tensor, len(data))
    return {name: tensor.detach() for name, tensor in values.items()}


def _of_torch(data: bytes) -> Any:
    if data.startswith(ZIP):
        _check_unpacked(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the first format's storages
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError("holds more than tensors: must be a state dict alone; code in a file is not run") from None
    except Exception as error:  # its reader fails in any way on bytes that are no such file
        raise ValueError(f"cannot be read as what torch.save wrote: {_first_line(error)}") from None


def _check_unpacked(data: bytes) -> None:
    """Raise ValueError, before memory is filled, if what is in the archive is larger than it: torch packs nothing."""
    try:
        size = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
        raise ValueError(f"cannot be read as what torch.save wrote: {_first_line(error)}") from None
    if size > len(data):
        raise ValueError(f"an archive of {len(data)} bytes that holds {size}: must not be packed")


def _of_safetensors(data: bytes) -> Any:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError:
        raise ValueError("a .safetensors file: the package safetensors must be installed") from None
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:  # KeyError: of a type that torch lacks
        raise ValueError(f"cannot be read as a .safetensors file: {_first_line(error)}") from None


def _check(name: object, tensor: object, size: int) -> None:
    """Raise ValueError unless it is a plain finite tensor, with no more values than a file of `size` bytes can have."""
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        raise ValueError(f"{shortened(ascii(name), 60)} is {_described(tensor)}: must be a state dict, name -> tensor")
    label = shortened(ascii(name)[1:-1], 60)
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in TYPES.values():
        must = f"must be a plain one of {', '.join(TYPES)}"
        raise ValueError(f"{label} is a {tensor.layout} tensor of {tensor.dtype}: {must}")
    if tensor.nbytes > size:  # a few numbers repeated, which would fill the memory as soon as it is copied
        raise ValueError(f"{label} of shape {tuple(tensor.shape)}: has more values than the file")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{label} has values that are not finite: must be a trained network's")


def _described(value: object) -> str:
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)} entries" if value else "empty"
    return f"a {type(value).__name__}"


def _first_line(error: Exception) -> str:
    return shortened(str(error).strip().partition("\n")[0] or type(error).__name__, 120)
