"""Which test images a network classifies right, as text: how many images there are, and a bit for each in base64.

The images are in the order of the data set's test split; the first is the highest bit of the first byte.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

import numpy as np
from numpy.typing import NDArray

Right = NDArray[np.bool_]  # [images]: whether each is classified right


def encoded(right: Right) -> str:
    """The text: a bit an image, so that 10,000 take 1.7 kB.

    >>> encoded(np.array([True, False, True]))
    '3:oA=='
    """
    return f"{len(right)}:{b64encode(np.packbits(right).tobytes()).decode()}"


def decoded(text: str) -> Right:
    """What `encoded` was given. Raises ValueError if it did not write the text.

    >>> decoded("3:oA==").tolist()
    [True, False, True]
    """
    images, packed = _packed(text)
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=images).astype(np.bool_)


def counted(text: str) -> tuple[int, int]:
    """How many images are right, and how many there are. Raises ValueError as `decoded`.

    >>> counted("3:oA==")
    (2, 3)
    """
    images, packed = _packed(text)
    return int.from_bytes(packed, "big").bit_count(), images


def _packed(text: str) -> tuple[int, bytes]:
    """The number of images, and their bits."""
    number, _, bits = text.partition(":")
    try:
        images, packed = int(number), b64decode(bits, validate=True)
    except (ValueError, binascii.Error):
        images, packed = 0, b""
    fits = images > 0 and len(packed) == -(-images // 8) and not packed[-1] & (1 << -images % 8) - 1
    if fits and f"{images}:{b64encode(packed).decode()}" == text:
        return images, packed
    raise ValueError(f"{text[:40]!r}: must be the number of test images and a bit for each")
