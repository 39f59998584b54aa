"""The page that all plots share: a block of panels per section, the legend and the notes below them."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerTuple

from bench.results.plots.plot_style import RC, SMALL, literal
from bench.results.plots.widths import PAGE

# Without the date that each format would write, the same data give the same bytes.
METADATA: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
DPI, SCREEN_DPI = 200, 100
DARK = "@media screen and (prefers-color-scheme: dark) { svg { filter: invert(0.93) hue-rotate(180deg) } }"
Entry = tuple[Artist | tuple[Artist, ...], str]  # of the legend: what is drawn (a tuple: side by side), and its name
GAP = 0.08  # inches between panels, legend, notes and the edges
LETTERS = {"title": 84, "note": 118, "entry": 80}  # on a line that is PAGE wide


def width() -> float:
    """Inches of the figure that is being drawn."""
    return float(matplotlib.rcParams["figure.figsize"][0])


def across(columns: int) -> int:
    """Panels side by side, if a figure PAGE wide has so many."""
    return max(1, round(columns * width() / PAGE))


def _letters(line: str) -> int:
    return int(LETTERS[line] * width() / PAGE)


class Page(Figure):
    """A figure that a notebook shows, whether pyplot is there or not."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        with matplotlib.rc_context(RC):
            self.savefig(stream, format="png", dpi=SCREEN_DPI)
        return stream.getvalue()


def page(blocks: Sequence[tuple[str, int]], *, columns: int, height: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a block per (title, number of panels), and the panels of each block.

    Panels of a block share their axes; `height` is that of a panel, in inches.
    """
    rows = [-(-panels // columns) for _, panels in blocks]
    figure, subfigures = titled([(title, height * lines) for (title, _), lines in zip(blocks, rows, strict=True)])
    axes_of_blocks = []
    for subfigure, (_, panels), lines in zip(subfigures, blocks, rows, strict=True):
        side_by_side = min(columns, panels)
        axes = subfigure.subplots(lines, side_by_side, sharex=True, sharey=True, squeeze=False).ravel()
        for index, spare in enumerate(axes[panels:], start=panels):
            spare.set_visible(False)
            axes[index - side_by_side].tick_params(labelbottom=True)
        axes_of_blocks.append(list(axes[:panels]))
    return figure, axes_of_blocks


def titled(blocks: Sequence[tuple[str, float]]) -> tuple[Figure, list[SubFigure]]:
    """A figure with an empty part, under its title, per (title, inches of height)."""
    heights = [height for _, height in blocks]
    figure = Page(figsize=(width(), sum(heights)), layout="constrained")
    FigureCanvasAgg(figure)
    subfigures = list(figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0])
    for subfigure, (title, _) in zip(subfigures, blocks, strict=True):
        subfigure.suptitle(textwrap.fill(literal(title), _letters("title")))
    return figure, subfigures


def finish(figure: Figure, entries: Sequence[Entry], notes: Sequence[str]) -> None:
    """Add the legend and the notes in a strip below the panels, which keep their size."""
    whole = [literal(note).replace(" = ", "\u00a0=\u00a0") for note in notes]  # no line ends within "n = 3"
    lines = [line for note in whole for line in textwrap.wrap(note, _letters("note"), break_on_hyphens=False)]
    text = figure.text(0.5, 0, "\n".join(lines), ha="center", va="bottom", fontsize=SMALL, linespacing=1.3)
    legend = _legend(figure, entries)
    below = text.get_window_extent().height / figure.dpi + 1.5 * GAP
    strip = below + GAP + legend.get_window_extent().height / figure.dpi
    height = figure.get_figheight() + strip
    figure.set_figheight(height)
    text.set_y(GAP / height)
    legend.set_bbox_to_anchor((0.5, below / height))
    _engine(figure).set(rect=(0, strip / height, 1, 1 - strip / height))


def lay_out(figure: Figure) -> None:
    """Lay the panels out, so that labels can be measured: what drawing does first, without the drawing."""
    _engine(figure).execute(figure)


def _engine(figure: Figure) -> ConstrainedLayoutEngine:
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    return engine


def _legend(figure: Figure, entries: Sequence[Entry]) -> Legend:
    """The legend in as many columns as the page is wide."""
    drawn: list[Any] = [handle for handle, _ in entries]
    names = [textwrap.fill(name, _letters("entry")) for _, name in entries]
    for columns in range(min(5, len(names)), 0, -1):
        legend: Legend = figure.legend(
            drawn, names, loc="lower center", ncols=columns, borderaxespad=0, bbox_to_anchor=(0.5, 0),
            handler_map={tuple: HandlerTuple(None)},
        )  # fmt: skip
        if columns == 1 or legend.get_window_extent().width <= (width() - 2 * GAP) * figure.dpi:
            break
        legend.remove()
    return legend


def svg(figure: Figure) -> bytes:
    """The figure as SVG, which is light on dark if whoever looks at it likes that."""
    stream = io.BytesIO()
    with matplotlib.rc_context(RC), _laid_out(figure):
        figure.savefig(stream, format="svg", metadata=METADATA[".svg"])
    return stream.getvalue().replace(b"</style>", f"{DARK}</style>".encode(), 1)


@contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """The figure without its layout engine, for which matplotlib would draw it once more than it is saved."""
    engine = _engine(figure)
    lay_out(figure)
    figure.set_layout_engine(None)
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def write(figure: Figure, file: Path) -> None:
    """Write the figure in the format of the file's suffix: whole, or not at all. Raises ValueError if it cannot."""
    unfinished = file.with_name(f".{file.name[:50]}.{os.getpid()}.part")
    suffix = file.suffix.lower()
    try:
        if suffix == ".svg":
            unfinished.write_bytes(svg(figure))
        else:
            with matplotlib.rc_context(RC):
                figure.savefig(unfinished, format=suffix[1:], metadata=METADATA[suffix], dpi=DPI)
        unfinished.replace(file)
    except OSError as error:
        raise ValueError(f"output {file}: cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
