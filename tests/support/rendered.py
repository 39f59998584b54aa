"""Tables and plots of a frame, in a view that is given as its options; rates as text."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.results.parts import whole
from bench.results.plots import plots
from bench.results.plots.widths import PAGE
from bench.results.statistics.power import Aim
from bench.results.statistics.view import View
from bench.results.tables import power_table


def view(**options: Any) -> View:
    return View(**{**options, "rates": [Decimal(rate) for rate in options.get("rates", ())]})


def render(frame: pd.DataFrame, format: str = "github", ranks: bool = False, **options: Any) -> str:
    return whole.render(frame, view(**options), format=format, ranks=ranks)


def power(frame: pd.DataFrame, aim: Aim, format: str = "github", **options: Any) -> str:
    return power_table.render(frame, view(**options), aim, format=format)


def plot(
    frame: pd.DataFrame,
    name: str,
    histories: Callable[..., pd.DataFrame],
    metric: str | None = None,
    width: float = PAGE,
    **options: Any,
) -> Figure:
    metric = metric or plots.METRICS.get(name, ("test_accuracy",))[0]
    return plots.plot(frame, name, view(metric=metric, **options), histories, width=width)
