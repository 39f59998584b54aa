"""Draws docs/img/progress-80.svg and progress-200.svg: the moving line of a sweep at three moments, in both widths.

python docs/screens/progress.py
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bench.execution.progress.layout import Latest, State, rendered

FOLDER = Path(__file__).parents[1] / "img"
COMMAND = "$ python -m bench run --methods freeze,snip,random-freeze:scope=erk --seeds 8"
BEFORE = (
    "grid: 3 methods × 5 rates × 8 seeds + dense × 8 seeds = 128 trials",
    "128 trials: 0 done before, 128 to train; store sqlite:////home/ann/mlflow.db",
)
TRIAL = Latest(head="random-freeze:scope=erk", tail=" 0.995 seed 6: 91.67% test")
MOMENTS = (
    State(ended=0, planned=128, running=0, bad="", seconds_left=None, latest=Latest(head="starting Ray…"), share=0.0),
    State(ended=9, planned=128, running=8, bad="", seconds_left=1571, latest=TRIAL, share=0.09),
    State(ended=103, planned=128, running=8, bad="", seconds_left=298, latest=TRIAL, share=0.83),
)


def draw(width: int) -> str:
    """A terminal of so many columns, as SVG."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in (COMMAND, *BEFORE):
        console.print(Text(line))
    for state in MOMENTS:
        console.print()
        console.print(rendered(state, width))
    console.print(Text("\n128/128 done | snip 0.995 seed 7: 90.28% test"))
    console.print(Text("next: `python -m bench table` shows the results"))
    return console.export_svg(title=f"{width} columns")


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for width in (80, 200):
        (FOLDER / f"progress-{width}.svg").write_text(draw(width), encoding="utf-8")


if __name__ == "__main__":
    main()
