"""A SHiRA adapter as few bytes, and back bit for bit.

PEFT stores 8 bytes of indices beside each value. The indices of a layer are a mask: here they take its entropy.

    magic (8 bytes) · format version (u16) · length of the packed header (u32) · header · mask · values of each type ·
    SHA-256 of all before (32 bytes)

Numbers are little-endian; the header is JSON packed by zlib.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.artefact.mask_codec import decode_mask, encode_mask
from bench.artefact.value_codec import decode_values, encode_values
from bench.artefact.weights_file import TYPES
from bench.peft.adapter_header import HEADER_LIMIT, LAYER_LIMIT, AdapterHeader, Box, unpacked

MAGIC = b"\x89SRA\r\n\x1a\n"  # as PNG's: shows a transfer that treated the file as text
VERSION = 1  # raise it whenever an older version could no longer read a file
PREFIX = struct.Struct("<8sHI")
SEAL = hashlib.sha256().digest_size
INDICES = "shira_indices"
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # bytes of a number -> the type of its bits


def compress(state: Mapping[str, Tensor]) -> bytes:
    """The tensors of an adapter, as PEFT's `get_peft_model_state_dict` or its `adapter_model.safetensors` has them.

    Indices that rise, as those of a mask do, are stored as a mask; all other tensors number by number.

    Raises: ValueError in one line if a tensor is of a type that is none of TYPES.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    for name, tensor in tensors.items():
        if _type_of(tensor) not in TYPES:
            raise ValueError(f"tensor {name}: {tensor.dtype}: must be one of {', '.join(TYPES)}")
    boxes = {name: box for name, tensor in tensors.items() if (box := _box(name, tensor))}
    mask = encode_mask([_bits(tensors[name], box) for name, box in boxes.items()])
    numbers = {
        of_type: encode_values(np.concatenate(flat))
        for of_type in TYPES
        if (flat := [_flat(t) for name, t in tensors.items() if name not in boxes and _type_of(t) == of_type])
    }
    header = {
        "tensors": [[name, _type_of(tensor), list(tensor.shape)] for name, tensor in tensors.items()],
        "masks": boxes,
        "mask": len(mask),
        "numbers": {of_type: len(section) for of_type, section in numbers.items()},
    }
    document = json.dumps(header, separators=(",", ":")).encode()
    if len(document) > HEADER_LIMIT:
        raise ValueError(f"names and shapes of {len(document)} bytes: must be at most {HEADER_LIMIT}")
    packed = zlib.compress(document, 9)
    body = b"".join((PREFIX.pack(MAGIC, VERSION, len(packed)), packed, mask, *numbers.values()))
    return body + hashlib.sha256(body).digest()


def decompress(data: bytes) -> dict[str, Tensor]:
    """The tensors that `compress` was given, bit for bit, under their names and in their order, on the CPU.

    Raises: ValueError in one line if `compress` did not write the bytes.
    """
    header, sections = _unsealed(data)
    boxes = header.masks
    sizes = {name: (rows * columns, ones) for name, (rows, columns, ones) in boxes.items()}
    bits = decode_mask(sections[: header.mask], sizes)
    numbers: dict[str, Tensor] = {}
    start = header.mask
    for of_type, size in header.numbers.items():
        of_bits = np.dtype(f"<i{TYPES[of_type].itemsize}")
        values = decode_values(sections[start : start + size], header.count(of_type), of_bits)
        numbers[of_type] = torch.from_numpy(values.copy()).view(TYPES[of_type])
        start += size
    tensors: dict[str, Tensor] = {}
    for name, of_type, shape in header.tensors:
        if name in boxes:
            tensors[name] = _indices(bits[name], boxes[name]).to(TYPES[of_type])
        else:
            tensors[name] = numbers[of_type][: prod(shape)].reshape(shape).clone()
            numbers[of_type] = numbers[of_type][prod(shape) :]
    return tensors


def _type_of(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _box(name: str, indices: Tensor) -> Box | None:
    """The smallest mask that has the indices, [2, ones], in its order; None if they are none of a mask's."""
    is_pair = indices.dim() == 2 and len(indices) == 2 and indices.numel() > 0
    if INDICES not in name.split(".") or not is_pair or indices.is_floating_point() or int(indices.min()) < 0:
        return None
    rows, columns = (int(line.max()) + 1 for line in indices)
    if rows * columns > LAYER_LIMIT:
        return None
    flat = indices[0].long() * columns + indices[1].long()
    return (rows, columns, len(flat)) if bool((flat.diff() > 0).all()) else None


def _bits(indices: Tensor, box: Box) -> NDArray[np.bool_]:
    rows, columns, _ = box
    bits = np.zeros((rows, columns), bool)
    bits[tuple(indices.long().numpy())] = True
    return bits.reshape(-1)


def _indices(bits: NDArray[np.bool_], box: Box) -> Tensor:
    rows, columns, _ = box
    return torch.from_numpy(np.stack(bits.reshape(rows, columns).nonzero()))


def _flat(tensor: Tensor) -> NDArray[Any]:
    """The bits of its numbers."""
    bits: NDArray[Any] = tensor.reshape(-1).view(BITS[tensor.element_size()]).numpy()
    return bits


def _unsealed(data: bytes) -> tuple[AdapterHeader, bytes]:
    """The header, and the bytes behind it."""
    if len(data) < PREFIX.size + SEAL or not data.startswith(MAGIC):
        raise ValueError("not a compressed adapter: it does not begin as one")
    _, version, length = PREFIX.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"compressed adapter of format version {version}: must be {VERSION}")
    if hashlib.sha256(memoryview(data)[:-SEAL]).digest() != data[-SEAL:]:
        raise ValueError("compressed adapter: corrupted or cut off: its checksum does not match")
    start = PREFIX.size + length
    header, sections = unpacked(data[PREFIX.size : start]), data[start:-SEAL]
    if len(sections) != (declared := header.mask + sum(header.numbers.values())):
        raise ValueError(f"compressed adapter: {len(sections)} bytes behind the header, which declares {declared}")
    return header, sections
