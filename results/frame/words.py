"""Numbers and nouns as text, alike in every table, sentence and plot."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from bench.metrics import NONE


def rate_text(rate: Decimal) -> str:
    """The rate as a decimal number, never in powers of ten.

    >>> rate_text(Decimal("0.999")), rate_text(Decimal("1e-7"))
    ('0.999', '0.0000001')
    """
    return format(rate, "f")


def rates_text(rates: Iterable[Decimal]) -> list[str]:
    """Rates as text, rising."""
    return [rate_text(rate) for rate in sorted(rates)]


def p_value(p: float) -> str:
    """A p-value in three decimals, small ones as a bound."""
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def low_to_high(low: float, high: float, form: str = ",.0f") -> str:
    """One number, or `low–high` if the two differ as text."""
    ends = format(low, form), format(high, form)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as a short text: 0–4, 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
