"""The report as people see it: on a phone, printed, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browser import CHROMIUM, DESK, DRIVER, PAPER, PHONE, Browser, browser
from trial_frames import METHODS, frame, small, trial

from bench.results.frame.collect import Command
from bench.results.page.report import report
from bench.results.statistics.view import View
from bench.results.tables.html_page.page import page

pytest.importorskip("selenium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its driver"),
]
RATES = ("0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999")
WIDE = """
const edge = document.querySelector("main").getBoundingClientRect().right + 1
return [...document.querySelectorAll("table")].map(t => t.getBoundingClientRect().right - edge).filter(x => x > 0)
"""
FOLDED = """
return [...document.querySelectorAll("details > :not(summary)")].filter(e => !e.checkVisibility()).length
"""
CONTRASTS = """
const parts = text => text.match(/[\\d.]+/g).map(Number)
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
function ground(element) {
    for (; element; element = element.parentElement) {
        const found = parts(getComputedStyle(element).backgroundColor)
        if (found.length < 4 || found[3]) return found
    }
    return [255, 255, 255]
}
const told = [...document.querySelectorAll("h1, h2, h3, p, li, td, th, summary, figcaption, a, pre")]
return Math.min(...told.map(element => {
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))]
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
}))
"""


def rows() -> list[dict[str, Any]]:
    """Ten rates, a criterion of a long name, and all that `small` has."""
    long = {**METHODS["snip"], "criterion": "gradient-of-a-long-name"}
    return [
        *small(),
        *(
            trial(f"gradient-of-a-long-name-{b}", rate, s, 0.9 + s / 1000, record={**long, "background": b})
            for b in ("freeze", "prune")
            for rate in RATES
            for s in range(3)
        ),
    ]


def no_history(runs: Any, metric: str) -> pd.DataFrame:
    return pd.DataFrame({"run_id": [], "epoch": [], "value": []})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = Command(
        f"python -m bench run --rates {','.join(RATES)} --methods {'gradient-of-a-long-name,' * 9}", "main", 9
    )
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(page(report(frame(rows()), View(), no_history, [command], "report")), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def test_a_phone_scrolls_tables_in_their_boxes_and_not_the_page(window: Browser, file: Path) -> None:
    window.show(file, PHONE)
    assert window.ask("return document.documentElement.scrollWidth <= innerWidth")
    boxes = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
    assert window.ask(f"return {boxes}") > 2
    assert window.ask("return Math.min(...[...document.images].map(i => i.naturalWidth))") < 390
    assert window.ask("return [...document.images].every(i => i.complete && i.naturalWidth)")


def test_print_cuts_no_column_and_unfolds_everything(window: Browser, file: Path) -> None:
    window.show(file, DESK)
    assert window.ask(FOLDED) > 0
    window.show(file, PAPER, media="print")
    assert window.ask(WIDE) == [] and window.ask(FOLDED) == 0
    assert window.ask("return document.documentElement.scrollWidth <= innerWidth")
    assert window.printed().startswith(b"%PDF-")


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_their_ground(window: Browser, file: Path, dark: bool) -> None:
    window.show(file, DESK, dark=dark)
    ground = window.ask("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(17, 17, 17)" if dark else "rgb(255, 255, 255)")
    assert window.ask(CONTRASTS) >= 4.5
