"""How many images are held out for validation: the one rounding rule of the split. Imports no torch."""

from __future__ import annotations

from fractions import Fraction
from math import floor


def validation_count(images: int, fraction: float) -> int:
    """round-half-up(fraction · images), exact from the decimal text of `fraction`.

    >>> validation_count(1_437, 0.1), validation_count(5, 0.5)
    (144, 3)
    """
    return floor(Fraction(str(fraction)) * images + Fraction(1, 2))
