"""What the tests of error rates share: a share of simulated cells, and the shares that chance allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom


def likely(p: float, n: int) -> tuple[float, float]:
    """The rates between which Binomial(n, p)/n lies with probability 99.8 %."""
    return float(binom.ppf(0.001, n, p)) / n, float(binom.ppf(0.999, n, p)) / n


def share(found: Sequence[bool]) -> float:
    return float(np.mean(found))
