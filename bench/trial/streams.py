"""Random streams: one 32-bit seed per trial, one independent stream per purpose.

Each stream is derived by SHA-256 from (seed, purpose, …), so that adding a method or a purpose never shifts another's
numbers. `numpy.random.RandomState` is used because NumPy's compatibility policy freezes its stream for good; torch's
CPU generators give different normals on different instruction sets.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SEED_LIMIT = 2**32


def stream(seed: int, *purpose: str) -> np.random.RandomState:
    """The random stream of `purpose` in the trial with `seed`.

    >>> int(stream(0, "order").randint(1000)), int(stream(0, "init", "fc1.weight").randint(1000))
    (320, 586)
    """
    import numpy as np  # here, since SEED_LIMIT is wanted where numpy is not

    name = "\x00".join((str(seed), *purpose))
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype=">u4")
    return np.random.RandomState(words.astype(np.uint32))
