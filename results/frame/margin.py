"""The margin within which two methods are called equivalent: a number, or a share of the errors."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class OfErrors:
    """A margin of equivalence: a share of the errors that the reference makes, 1 - its accuracy, at each seed."""

    share: float  # above 0, below 1

    def __str__(self) -> str:
        return f"{100 * self.share:.15g}%"


Margin = float | OfErrors  # of equivalence; a number is in units of the metric


def margin_of(given: float | str, factor: float) -> Margin:
    """The margin as it is given, in units of the metric or of the reference's errors.

    Args:   factor: the number given is the margin times this, as 100 of an accuracy in percentage points.
    Raises: ValueError in one line if it is none.

    >>> margin_of("0.5", 100), margin_of("10%", 100)
    (0.005, OfErrors(share=0.1))
    """
    text = str(given)
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise ValueError(
            f"margin {given!r}: must be a number, or a percentage of the reference's errors, as 10%"
        ) from None
    if text.endswith("%"):
        if not 0 < number < 100:
            raise ValueError(f"margin {text}: must be above 0% and below 100%")
        return OfErrors(number / 100)
    if not 0 < number < inf:
        raise ValueError(f"margin {number:g}: must be above 0")
    return number / factor
