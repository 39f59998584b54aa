"""The worked example of docs/reading-the-table.md is what the command shows, and the page names every part."""

from __future__ import annotations

import io
import re
import runpy
from pathlib import Path

from rich.console import Console

from bench.results.parts.parts import PARTS
from bench.results.statistics.view import View
from bench.results.terminal.screen import screen

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reading-the-table.md").read_text(encoding="utf-8")


def test_the_worked_example_is_what_a_terminal_shows() -> None:
    store = runpy.run_path(str(DOCS / "screens" / "_trials.py"))["store"]()
    stream = io.StringIO()
    view = View(classes={"mnist": 10}, test_images={"mnist": 10_000})
    screen(store, view, console=Console(width=80, file=stream))()
    (example,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert example.splitlines() == [line.rstrip() for line in stream.getvalue().splitlines()]


def test_every_part_is_explained() -> None:
    table = PAGE.partition("## The other parts")[2]
    assert set(re.findall(r"`([\w-]+)`", table)) >= PARTS.keys()
