"""Evaluating again what a source says, without a trace in the global random generators."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SEED = 1_618_033_988  # one that nobody takes: a value that was drawn is another one here


@contextmanager
def other_draws() -> Iterator[None]:
    """Give Python, NumPy and torch another random state in here."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    torch_state = torch.default_generator.get_state() if torch else None
    random.seed(SEED)
    if numpy:
        numpy.random.seed(SEED)
    if torch:
        torch.default_generator.manual_seed(SEED)
    try:
        yield
    finally:
        random.setstate(python_state)
        if numpy:
            numpy.random.set_state(numpy_state)
        if torch:
            torch.default_generator.set_state(torch_state)
