"""`plot`: from the tidy frame to a figure. Which kinds there are, and what each can show; imports no matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from bench import names as store
from bench.results.frame.errors import unknown
from bench.results.frame.metrics import ACCURACIES
from bench.results.frame.sections import is_plain
from bench.results.statistics.analysis import View, analyses
from bench.results.statistics.ranks import rank
from bench.results.statistics.shown_cells import parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Histories = Callable[[Sequence[str], str], pd.DataFrame]
SUFFIXES = (".png", ".svg", ".pdf")
# Kind -> the metrics it can show, its default first.
METRICS: dict[str, tuple[str, ...]] = {
    "gradients": (store.GRAD_NORM_LIVE, *(name for name in store.PER_EPOCH if name != store.GRAD_NORM_LIVE)),
    "accuracy": tuple(ACCURACIES),
    "difference": tuple(ACCURACIES),
    # What is stored is the network after the last epoch, so its accuracy at another epoch is beside the point.
    "storage": (store.TEST_ACCURACY, store.VALIDATION_ACCURACY),
    "ranks": tuple(ACCURACIES),
}


def unsuitable(kind: str, metric: str) -> ValueError:
    """The complaint about a metric that a kind of plot cannot show."""
    return unknown(f"metric of plot {kind}", metric, METRICS[kind])


def check_suffix(file: Path) -> None:
    """Raise ValueError unless the file's suffix names a format."""
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(f"output {file}: allowed are the suffixes {', '.join(SUFFIXES)}")


def plot(
    frame: pd.DataFrame,
    kind: str,
    histories: Histories,
    *,
    metric: str | None = None,
    names: Collection[str] = (),
    methods: Collection[str] = (),
    rates: Collection[str] = (),
    classes: Mapping[str, int] | None = None,
) -> Figure:
    """The figure on a frame of `collect`: panels per data set, model and protocol, or one of ranks over all of them.

    It depends on nothing but these.

    Args:    kind: a name of METRICS.
             histories: (run ids, metric) -> the frame of `history.histories`; asked by kind "gradients" only.
             metric: of METRICS[kind], its first where None.
             names, methods, rates: sweeps, methods and rates to show (all where empty, but sanity controls only where
             methods names them); they change no number.
             classes: data set -> number of classes.
    Raises:  ValueError naming the value and what is allowed, for any argument that is none of the known; and where
             nothing is left to show.
    """
    if kind not in METRICS:
        raise unknown("plot", kind, METRICS)
    if metric is not None and metric not in METRICS[kind]:
        raise unsuitable(kind, metric)
    view = View(metric=metric or METRICS[kind][0], names=names, methods=methods, rates=rates, classes=classes or {})
    frame = frame[is_plain(frame) | frame["method"].isin(list(methods))]
    shown = parts(frame, view)
    if not any(part.drawn for part in shown):
        raise ValueError(f"plot {kind}: no trial shown has the figure {view.metric}")
    import matplotlib

    from bench.results.plots import accuracy_plot, difference_plot, gradient_plot, rank_plot, storage_plot
    from bench.results.plots.plot_style import RC, styles

    looks = styles(frame)
    with matplotlib.rc_context(RC):
        if kind == "ranks":
            return rank_plot.draw(rank(frame, view), looks)
        if kind == "difference":
            return difference_plot.draw(analyses(frame, view))
        if kind == "gradients":
            return gradient_plot.draw(shown, looks, histories)
        return accuracy_plot.draw(shown, looks) if kind == "accuracy" else storage_plot.draw(shown, looks)
