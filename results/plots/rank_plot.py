"""The critical-difference diagram of mean ranks (Demšar 2006), drawn by scikit-posthocs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bench.results.frame.errors import metric_of
from bench.results.plots.plot_page import finish, page
from bench.results.plots.plot_style import GREY, Style
from bench.results.statistics.ranks import Ranking
from bench.results.tables.rank_table import both_tests, limits

LINE = 0.3  # inches of a label, or of a bar
TOP = 1.2  # inches above them: the title, the critical difference and the axis
LETTERS = 32  # of a line of a label
MARGIN = 0.05  # of the number of methods: ranks between the outermost marker and the labels
BAR: dict[str, Any] = {"color": GREY, "linewidth": 3.0}
SCALE: dict[str, Any] = {"color": "black", "linewidth": 1.0, "marker": "|", "markersize": 7}


def draw(ranking: Ranking, styles: Mapping[str, Style]) -> Figure:
    """One panel: the mean ranks on an axis from 1, and a bar over those that Nemenyi's test does not tell apart."""
    from scikit_posthocs import critical_difference_diagram

    words = metric_of(ranking.metric).caption
    title = f"Mean rank over {len(ranking.means)} blocks, 1 = best: {words[:1].lower()}{words[1:]}"
    wrapped = {label: textwrap.fill(str(label), LETTERS) for label in ranking.means}
    figure, [[axes]] = page([(title, 1)], columns=1, height=TOP + LINE * len(wrapped))
    drawn = critical_difference_diagram(
        ranking.mean_ranks.rename(wrapped),
        ranking.nemenyi.rename(index=wrapped, columns=wrapped),
        alpha=ranking.alpha,
        ax=axes,
        label_fmt_left="{label}  {rank:.2f}\u00a0",
        label_fmt_right="\u00a0{rank:.2f}  {label}",
        color_palette={wrapped[label]: styles[record].colour for label, record in ranking.records.items()},
        crossbar_props=BAR,
        elbow_props={"linewidth": 1.0},
        text_h_margin=MARGIN * len(wrapped),
    )
    for (bar,) in drawn["crossbars"]:
        # Drawn from method to method in the order of a set, which no two processes share.
        bar.set_data([min(bar.get_xdata()), max(bar.get_xdata())], bar.get_ydata()[:2])
    _axis(axes, len(wrapped))
    _scale(axes, ranking.critical_difference)
    alike = f"not told apart by Nemenyi's test at {ranking.alpha:g}"
    finish(figure, [(Line2D([], [], **BAR), alike)], [" ".join([both_tests(ranking), *limits(ranking)])])
    return figure


def _axis(axes: Axes, methods: int) -> None:
    """Whole ranks, all that a method can have."""
    axes.grid(visible=False)
    axes.spines["top"].set_visible(True)
    axes.set_xlim(1 - MARGIN * methods, methods + MARGIN * methods)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _scale(axes: Axes, difference: float) -> None:
    """The critical difference as a line of its length, above the ticks: the library's own would cross their labels."""
    axes.plot([1, 1 + difference], [1.2, 1.2], clip_on=False, **SCALE)
    axes.text(1 + difference / 2, 1.35, f"CD = {difference:.2f}", ha="center", va="bottom")
    axes.set_ylim(top=1.5)
