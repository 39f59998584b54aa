"""The scales of the axes and their ticks, shared by the plots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.results.frame.words import rate_text

RATE_LABEL = "rate: share of the weights that is not trained"
RATE_NOTE = "Rates: on a logarithmic scale of the share that is trained."
REALISED_NOTE = "{} stand at their realised rates."
ERROR_NOTE = "Accuracies: on a logarithmic scale of the error."
TOP = 90.0  # per cent; means crowd at the top if most are at least that
LEAST_ERROR = 1e-3  # per cent, beyond which the error scale goes on with 100 %
STEPS = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 5), (1,))  # of a decade, that ticks stand at: most, …, fewest
TICKS = 7  # at most, on an error scale of a tall panel
FEW_TICKS = 4  # of a small one
LINEAR = 1.0  # points around 0 drawn to scale; beyond, logarithmically
PROPORTIONAL, MOST = 5.0, 130.0  # points: up to that all is drawn to scale; no mean is beyond 100


def density(rate: Decimal) -> float:
    """1 - rate.

    >>> density(Decimal("0.999"))
    0.001
    """
    return float(1 - rate)


def rate_axis(axes: Axes, rates: Sequence[Decimal]) -> None:
    """Density on a log scale, most trained first, its ticks named by the rates: they crowd at 1, densities do not."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([density(rate) for rate in rates], [rate_text(rate) for rate in rates])
    if len(rates) < 2:  # the scale has no width of its own
        middle = density(rates[0]) if rates else 1.0
        axes.set_xlim(middle / 2, middle * 2)
    axes.invert_xaxis()


def thin(axes: Axes) -> None:
    """Empty the tick labels that would touch one to their right; the ticks stay. Needs a figure that is laid out."""
    kept = float("inf")
    texts = []
    for label in reversed(axes.get_xticklabels()):
        box = label.get_window_extent()
        fits = box.x1 + 0.4 * box.height < kept
        kept = box.x0 if fits else kept
        texts.append(label.get_text() if fits else "")
    axes.set_xticks(list(axes.get_xticks()), texts[::-1])


def plain(value: float, _: Any = None) -> str:
    """A number of a log axis as people write it: in powers of ten only if it were long.

    >>> [plain(value) for value in (0.01, 1.0, 10.0, -100.0, 1e-6)]
    ['0.01', '1', '10', '−100', '$10^{−6}$']
    """
    if value and not 1e-3 <= abs(value) < 1e5:
        sign, power = "−" if value < 0 else "", f"{round(math.log10(abs(value)))}".replace("-", "−")
        return f"{sign}$10^{{{power}}}$"
    return f"{value:g}".replace("-", "−")


def plain_log(axis: Any) -> None:
    """Name the ticks of a log axis by plain numbers."""
    axis.set_major_formatter(FuncFormatter(plain))


def accuracy_axis(axes: Axes, means: Sequence[float], factor: float, ticks: int = TICKS) -> bool:
    """Set the scale of accuracies, means in [0, 1]: of the error's logarithm if they crowd at the top.

    `factor`: from them to what is drawn; with another than 100 the scale stays linear. Returns whether it is of the
    error. Call it once all is drawn.
    """
    low, high = axes.get_ylim()
    drawn = [factor * mean for mean in means]
    if factor == 100 and crowded_at_top(drawn):
        error_scale(axes, drawn, low, ticks)
        return True
    axes.set_ylim(max(low, -0.02 * factor), min(high, 1.02 * factor))  # intervals of few seeds go beyond
    return False


def crowded_at_top(means: Sequence[float]) -> bool:
    """Whether most of the accuracies, in per cent, are at least TOP; not if one is 100, whose error has no logarithm.

    >>> crowded_at_top([99.1, 98.9, 50.0]), crowded_at_top([99.1, 60.0]), crowded_at_top([99.1, 100.0])
    (True, False, False)
    """
    return 2 * sum(mean >= TOP for mean in means) > len(means) and max(means) < 100


def error_scale(axes: Axes, means: Sequence[float], low: float, ticks: int) -> None:
    """Accuracy in per cent, which rises as the logarithm of the error falls; the ticks still name accuracies."""

    def forward(accuracy: Any) -> Any:
        return -np.log10(np.maximum(100 - np.asarray(accuracy, dtype=float), LEAST_ERROR))

    def backward(place: Any) -> Any:
        return 100 - 10 ** -np.asarray(place, dtype=float)

    least = (100 - max(means)) / 1.6  # room above the best mean; intervals of few seeds reach 100 %
    largest = min(100 - max(low, 0), 100.0)
    axes.set_yscale("function", functions=(forward, backward))
    axes.set_ylim(100 - largest, 100 - least)
    axes.yaxis.set_major_locator(FixedLocator([100 - error for error in error_ticks(least, largest, ticks)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda accuracy, _: f"{round(accuracy, 6):g}"))


def difference_scale(axes: Axes, reach: float) -> bool:
    """Set the scale of differences in points: to scale, or beyond LINEAR logarithmic; whether it is logarithmic.

    `reach`: how far the largest mean is from 0.
    """
    log = reach > PROPORTIONAL
    if log:
        axes.set_yscale("symlog", linthresh=LINEAR)
    low, high = (min(max(end, -MOST), MOST) for end in axes.get_ylim())
    if log:
        axes.yaxis.set_major_locator(FixedLocator(difference_ticks(low, high)))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(low, high)
    axes.yaxis.set_major_formatter(FuncFormatter(signed))
    return log


def difference_ticks(low: float, high: float) -> list[float]:
    """0, 1, 10, 100 to both sides of it as far as is drawn; more between if these are few.

    >>> difference_ticks(-0.5, 80.0), difference_ticks(-15, 90)
    ([0.0, 1.0, 3.0, 10.0, 30.0], [-10.0, -1.0, 0.0, 1.0, 10.0])
    """
    decades, between = (1.0, 10.0, 100.0), (1.0, 3.0, 10.0, 30.0, 100.0)
    few, many = (
        [tick for tick in (*(-step for step in reversed(steps)), 0.0, *steps) if low <= tick <= high]
        for steps in (decades, between)
    )
    return few if len(few) > 3 else many


def signed(value: float, _: Any = None) -> str:
    """A difference, with its sign.

    >>> signed(10.0), signed(-0.5), signed(0.0)
    ('+10', '−0.5', '0')
    """
    return f"{round(value, 6):+g}".replace("-", "−") if value else "0"


def error_ticks(least: float, largest: float, ticks: int) -> list[float]:
    """Errors between the two, falling: as many of a decade as do not make more ticks than that.

    >>> error_ticks(0.5, 2.1, 7)
    [2.0, 1.5, 1.0, 0.7, 0.5]
    >>> error_ticks(0.08, 2.1, 7), error_ticks(0.08, 90, 7), error_ticks(0.08, 90, 4)
    ([2.0, 1.0, 0.5, 0.2, 0.1], [50.0, 10.0, 5.0, 1.0, 0.5, 0.1], [10.0, 1.0, 0.1])
    """
    every = [_errors(least, largest, steps) for steps in STEPS]
    return next((errors for errors in every if len(errors) <= ticks), every[-1])


def _errors(least: float, largest: float, steps: Iterable[float]) -> list[float]:
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(largest)) + 1)
    errors = (float(f"{step}e{decade}") for decade in decades for step in steps)
    return sorted((error for error in errors if least <= error <= largest), reverse=True)
