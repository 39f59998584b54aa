"""`plot`: from the tidy frame to a figure. Which plots there are, and what each can show; imports no matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bench import metrics, names
from bench.results.frame.back_end import import_matplotlib
from bench.results.frame.errors import NothingToShowError, unknown
from bench.results.frame.sections import is_plain
from bench.results.plots.widths import PAGE
from bench.results.statistics.analysis import analyses
from bench.results.statistics.ranks import rank
from bench.results.statistics.shown_cells import excerpts
from bench.results.statistics.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Histories = Callable[[Sequence[str], str], pd.DataFrame]
SUFFIXES = (".png", ".svg", ".pdf")
# Plot -> the metrics it can show, its default first.
METRICS: dict[str, tuple[str, ...]] = {
    "gradients": (names.GRAD_NORM_LIVE, *(name for name in metrics.per_epoch() if name != names.GRAD_NORM_LIVE)),
    "accuracy": metrics.accuracies(),
    "difference": metrics.accuracies(),
    # What is stored is the network after the last epoch, so its accuracy at another epoch is beside the point.
    "storage": (names.TEST_ACCURACY, names.VALIDATION_ACCURACY),
    "ranks": metrics.accuracies(),
    "start": metrics.accuracies(),
    "scale": metrics.accuracies(),
}


def unsuitable(name: str, metric: str) -> ValueError:
    """The error of a metric that a plot cannot show."""
    return unknown(f"metric of plot {name}", metric, METRICS[name])


def check_metric(name: str, metric: str | None) -> None:
    """Raise ValueError if there is no such plot, or if it cannot show the metric; None is its default."""
    if name not in METRICS:
        raise unknown("plot", name, METRICS)
    if metric is not None and metric not in METRICS[name]:
        raise unknown(f"metric of plot {name}", metric, METRICS[name])


def check_suffix(file: Path) -> None:
    """Raise ValueError unless the file's suffix names a format."""
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(f"output {file}: its suffix must be one of {', '.join(SUFFIXES)}")


def plot(frame: pd.DataFrame, name: str, view: View, histories: Histories, *, width: float = PAGE) -> Figure:
    """The figure on a frame of `collect`: panels per data set, model and protocol, or one of ranks over all of them.

    It depends on nothing but these. Sanity controls are drawn only if the view's methods name them.

    Args:    name: of METRICS; the view's metric must be one of METRICS[name].
             histories: (run ids, metric) -> the frame of `history.histories`; asked by "gradients" only.
             width: of the figure, in inches; its letters keep their size.
    Raises:  ValueError naming the value and what it must be, for a choice that the store does not have;
             NothingToShowError if nothing is left to show.
    """
    if name not in METRICS:
        raise unknown("plot", name, METRICS)
    if view.metric not in METRICS[name]:
        raise unsuitable(name, view.metric)
    frame = frame[is_plain(frame) | frame["method"].isin(list(view.methods))]
    shown = excerpts(frame, view)
    if not any(excerpt.drawn for excerpt in shown):
        raise NothingToShowError(f"plot {name}: no trial shown has the figure {view.metric}")
    import_matplotlib()
    import matplotlib

    from bench.results.plots import (
        accuracy_plot,
        difference_plot,
        gradient_plot,
        rank_plot,
        scale_plot,
        start_plot,
        storage_plot,
    )
    from bench.results.plots.plot_style import RC, styles

    looks = styles(frame)
    with matplotlib.rc_context({**RC, "figure.figsize": (width, width)}):
        if name == "ranks":
            return rank_plot.draw(rank(frame, view), looks)
        if name == "difference":
            return difference_plot.draw(analyses(frame, view))
        if name == "start":
            return start_plot.draw(analyses(frame, view))
        if name == "scale":
            return scale_plot.draw(shown)
        if name == "gradients":
            return gradient_plot.draw(shown, looks, histories)
        return accuracy_plot.draw(shown, looks) if name == "accuracy" else storage_plot.draw(shown, looks)
