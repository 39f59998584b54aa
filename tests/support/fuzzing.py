"""How many inputs a test tries: few in the ordinary suite, BENCH_FUZZ times as many in `tox -e fuzz`."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("BENCH_FUZZ", "1"))


def examples(number: int) -> int:
    """The number of inputs to try, of a test that tries so many in the ordinary suite."""
    return TIMES * number
