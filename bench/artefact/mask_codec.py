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

CHUNK = 1 << 18  # symbols handed to the coder at once: it takes 32-bit numbers, four times the mask's own bytes
Bits = NDArray[np.bool_]


class MaskError(ValueError):
    """Bytes that are no mask of these sizes and numbers of live weights."""


def encode_mask(mask: Sequence[Bits]) -> bytes:
    """The bits of all tensors, flat bool each, in order."""
    coder = RangeEncoder()
    for bits in mask:
        if 0 < (live := int(np.count_nonzero(bits))) < len(bits):
            model = Bernoulli(live / len(bits), perfect=False)
            for start in range(0, len(bits), CHUNK):
                coder.encode(bits[start : start + CHUNK].astype(np.int32), model)
    return bytes(coder.get_compressed().astype("<u4").tobytes())


def decode_mask(data: bytes, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Bits]:
    """Name -> bits.

    Args:   sizes: name -> (number of weights, number of live ones), in order.
    Raises: MaskError where the bytes do not hold just that.
    """
    if len(data) % 4:
        raise MaskError(f"mask of {len(data)} bytes: allowed is a multiple of 4")
    decoder = RangeDecoder(np.frombuffer(data, dtype="<u4").astype(np.uint32))
    found = {}
    for name, (weights, live) in sizes.items():
        bits = np.full(weights, live > 0)
        if 0 < live < weights:
            model = Bernoulli(live / weights, perfect=False)
            for start in range(0, weights, CHUNK):
                stop = min(start + CHUNK, weights)
                bits[start:stop] = _decoded(decoder, model, stop - start)
        if (count := int(np.count_nonzero(bits))) != live:
            raise MaskError(f"mask of {name}: {count} live weights, {live} are declared")
        found[name] = bits
    if not decoder.maybe_exhausted():
        raise MaskError("bytes behind the mask")
    return found


def _decoded(decoder: Any, model: Any, count: int) -> Any:
    try:
        return decoder.decode(model, count)
    except AssertionError as error:  # how the coder says it
        raise MaskError(f"a mask's bytes: {error}") from None


def entropy_bytes(sizes: Sequence[tuple[int, int]]) -> float:
    """The bound for tensors of (weights, live): Σ n·H(k/n) / 8."""
    return sum(n * _entropy(k / n) for n, k in sizes) / 8


def _entropy(p: float) -> float:
    return 0.0 if p in (0.0, 1.0) else -p * log2(p) - (1 - p) * log2(1 - p)
