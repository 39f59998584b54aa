"""The masks of a network as a part of its file: a bit for each weight, or for each filter if they say as much.

A filter is a row: what a weight tensor has at one index of its first dimension, [C_out, C_in, k, k] or [out, in].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.artefact.mask_codec import Bits, MaskError, decode_mask, encode_mask


def encode_part(masks: Mapping[str, Tensor]) -> tuple[bytes, Literal[True] | None]:
    """The masks by weights, or by filters if that is shorter; and whether it is."""
    arrays = [mask.numpy() for mask in masks.values()]
    by_weights, by_filters = encode_mask([array.reshape(-1) for array in arrays]), encode_filters(arrays)
    if by_filters is None or len(by_filters) >= len(by_weights):
        return by_weights, None
    return by_filters, True


def decode_part(data: bytes, weights: Mapping[str, Tensor], live: Sequence[int], by_filters: bool) -> dict[str, Tensor]:
    """The masks of all maskable weights, in their shapes.

    Args:   live: live weights of each tensor, in order.
    Raises: MaskError if the bytes are not exactly that.
    """
    if by_filters:
        bits = decode_filters(data, weights, live)
    else:
        sizes = {name: (weight.numel(), k) for (name, weight), k in zip(weights.items(), live, strict=True)}
        bits = decode_mask(data, sizes)
    return {name: torch.from_numpy(flat).view(weights[name].shape) for name, flat in bits.items()}


def encode_filters(masks: Sequence[Bits]) -> bytes | None:
    """The masks, in the weights' shapes, by filters; None if one is neither wholly live nor wholly dead."""
    flat = [mask.reshape(len(mask), -1) for mask in masks]
    rows = [mask[:, 0] for mask in flat]
    if any((mask != row[:, None]).any() for mask, row in zip(flat, rows, strict=True)):
        return None
    return encode_mask(rows)


def decode_filters(data: bytes, weights: Mapping[str, Tensor], live: Sequence[int]) -> dict[str, Bits]:
    """Name -> bits of the weights, flat. Raises as `decode_part` does."""
    sizes = {}
    for (name, weight), declared in zip(weights.items(), live, strict=True):
        length = weight[0].numel()
        if declared % length:
            raise MaskError(f"mask of {name}: {declared} live weights, but its filters have {length} each")
        sizes[name] = (len(weight), declared // length)
    return {name: np.repeat(rows, weights[name][0].numel()) for name, rows in decode_mask(data, sizes).items()}
