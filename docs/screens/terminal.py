"""Draws docs/img/table-80.svg and table-200.svg: `python -m bench table` on a terminal of both widths.

python docs/screens/terminal.py
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bench.results.statistics.view import View
from bench.results.terminal.screen import screen

DOCS = Path(__file__).parents[1]
sys.path.insert(0, str(DOCS / "screens"))
from _trials import store  # noqa: E402


def draw(width: int) -> str:
    """A terminal of so many columns, as SVG."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ python -m bench table"))
    screen(store(), View(classes={"mnist": 10}, test_images={"mnist": 10_000}), console=console)()
    return console.export_svg(title=f"{width} columns")


def main() -> None:
    """Write the pictures."""
    (DOCS / "img").mkdir(exist_ok=True)
    for width in (80, 200):
        (DOCS / "img" / f"table-{width}.svg").write_text(draw(width), encoding="utf-8")


if __name__ == "__main__":
    main()
