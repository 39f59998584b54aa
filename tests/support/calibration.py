"""What the tests of error rates share: a share of simulated cells, the shares that chance allows, how many cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom


def likely(p: float, n: int) -> tuple[float, float]:
    """The rates between which Binomial(n, p)/n lies with probability 99.8 %."""
    return float(binom.ppf(0.001, n, p)) / n, float(binom.ppf(0.999, n, p)) / n


def counted(some: int, many: int) -> pytest.MarkDecorator:
    """Simulates so many cells: some in every run of the tests, many in the slow ones."""
    return pytest.mark.parametrize("many", [some, pytest.param(many, marks=pytest.mark.slow)])


def share(outcomes: Sequence[bool]) -> float:
    return float(np.mean(outcomes))
