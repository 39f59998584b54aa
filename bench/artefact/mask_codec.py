"""The mask of a network as bytes: a range coder, with the density of each weight tensor as its model.

With n weights of which k are live, a tensor takes n·H(k/n) bits, H(p) = -p log₂ p - (1 - p) log₂(1 - p), and all of
them together a few bytes more. The coder is `constriction`'s; k and the shapes are not stored here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

Bernoulli = constriction.stream.model.Bernoulli
RangeEncoder, RangeDecoder = constriction.stream.queue.RangeEncoder, constriction.stream.queue.RangeDecoder

CHUNK = 1 << 18  # symbols given to the coder at once: as 32-bit numbers they take four times the mask's bytes
Bits = NDArray[np.bool_]


class MaskError(ValueError):
    """Bytes that are no mask of these sizes and numbers of live weights."""


def encode_mask(masks: Sequence[Bits]) -> bytes:
    """The bits of all tensors, flat bool each, in order; no bytes only if each is wholly live or dead."""
    coder = RangeEncoder()
    for bits in masks:
        if 0 < (live := int(np.count_nonzero(bits))) < len(bits):
            model = Bernoulli(live / len(bits), perfect=False)
            for start in range(0, len(bits), CHUNK):
                coder.encode(bits[start : start + CHUNK].astype(np.int32), model)
    return bytes(coder.get_compressed().astype("<u4").tobytes())


def decode_mask(data: bytes, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Bits]:
    """Name -> bits.

    Args:   sizes: name -> (number of weights, number of live ones), in order.
    Raises: MaskError if the bytes are not exactly that.
    """
    if len(data) % 4:
        raise MaskError(f"mask of {len(data)} bytes: must be a multiple of 4")
    decoder = RangeDecoder(np.frombuffer(data, dtype="<u4").astype(np.uint32))
    masks = {}
    for name, (weights, live) in sizes.items():
        bits = np.full(weights, live > 0)
        if 0 < live < weights:
            model = Bernoulli(live / weights, perfect=False)
            for start in range(0, weights, CHUNK):
                stop = min(start + CHUNK, weights)
                bits[start:stop] = _decoded(decoder, model, stop - start)
        if (count := int(np.count_nonzero(bits))) != live:
            raise MaskError(f"mask of {name}: {count} live weights, but {live} are declared")
        masks[name] = bits
    if not decoder.maybe_exhausted():
        raise MaskError("bytes behind the mask")
    return masks


def _decoded(decoder: Any, model: Any, count: int) -> Any:
    try:
        return decoder.decode(model, count)
    except AssertionError as error:  # how the coder reports bad bytes
        raise MaskError(f"a mask's bytes: {error}") from None


def entropy_bytes(sizes: Sequence[tuple[int, int]]) -> float:
    """The bound for tensors of (weights, live): Σ n·H(k/n) / 8."""
    return sum(n * _entropy(k / n) for n, k in sizes) / 8


def _entropy(p: float) -> float:
    return 0.0 if p in (0.0, 1.0) else -p * log2(p) - (1 - p) * log2(1 - p)
