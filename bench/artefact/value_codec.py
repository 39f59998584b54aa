"""Numbers as bytes, without loss of a bit.

Each byte of a number goes into a plane of its own, packed by zlib if that is shorter. A number's bits are first
rotated left by one: a float's exponent, which nearly all weights of a network share, then fills the first
plane, and the sign joins the mantissa, which is as good as random. At 2,733 float32 numbers of a trained lenet-5-caffe
the first plane shrinks to 44 % and the others stay as they are.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 6  # of zlib
PROBE = 1 << 16  # bytes of a plane that tell whether packing pays; a mantissa's never does
PLANE = struct.Struct("<BI")  # before each plane: RAW or PACKED, and its length in bytes
RAW, PACKED = 0, 1
Words = NDArray[np.unsignedinteger]


class ValuesError(ValueError):
    """Bytes that are not this many numbers of this type."""


def encode_values(values: NDArray[Any]) -> bytes:
    """The numbers, flat, of any type of NumPy's with 1, 2, 4 or 8 bytes."""
    words = _rotated(values.reshape(-1).view(f"<u{values.itemsize}"), 1)
    planes = words.view(np.uint8).reshape(-1, values.itemsize).T[::-1]  # the most significant byte first
    return b"".join(_packed(plane.tobytes()) for plane in planes)


def decode_values(data: bytes, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The `count` numbers of `dtype` in `data`, and nothing behind them.

    Raises: ValuesError if the bytes are not exactly that. Takes no more memory than the numbers need.
    """
    planes = np.empty((count, dtype.itemsize), np.uint8)
    for byte in reversed(range(dtype.itemsize)):
        plane, data = _unpacked(data, count)
        planes[:, byte] = np.frombuffer(plane, np.uint8)
    if data:
        raise ValuesError(f"{len(data)} bytes behind the last number")
    words = planes.reshape(-1).view(f"<u{dtype.itemsize}")
    return _rotated(words, 8 * dtype.itemsize - 1).view(dtype)


def _rotated(words: Words, shift: int) -> Words:
    """The words rotated left by `shift` bits."""
    bits = 8 * words.itemsize
    return (words << words.dtype.type(shift)) | (words >> words.dtype.type(bits - shift))


def _packed(plane: bytes) -> bytes:
    pays = len(zlib.compress(plane[:PROBE], LEVEL)) < len(plane[:PROBE])
    packed = zlib.compress(plane, LEVEL) if pays else plane
    coding, payload = (PACKED, packed) if len(packed) < len(plane) else (RAW, plane)
    return PLANE.pack(coding, len(payload)) + payload


def _unpacked(data: bytes, count: int) -> tuple[bytes, bytes]:
    """A plane of `count` bytes, and what follows it."""
    if len(data) < PLANE.size:
        raise ValuesError(f"{len(data)} bytes left for a plane: must be at least {PLANE.size}")
    coding, length = PLANE.unpack_from(data)
    payload, remaining = data[PLANE.size : PLANE.size + length], data[PLANE.size + length :]
    if len(payload) < length:
        raise ValuesError(f"plane of {length} bytes: only {len(payload)} are left")
    plane = _inflated(payload, count) if coding == PACKED else payload
    if coding not in (RAW, PACKED) or len(plane) != count:
        raise ValuesError(
            f"plane of coding {coding} with {len(plane)} bytes: must be {RAW} or {PACKED}, with {count} bytes"
        )
    return plane, remaining


def _inflated(packed: bytes, count: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        plane = stream.decompress(packed, count + 1)
    except zlib.error as error:
        raise ValuesError(f"a packed plane: {error}") from None
    if not stream.eof or stream.unused_data:
        raise ValuesError(f"a packed plane does not end at its {count} bytes")
    return plane
