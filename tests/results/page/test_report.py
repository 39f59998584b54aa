"""The page of a whole store: what it answers, what it warns of, and that it stands alone."""

from __future__ import annotations

import base64
import re
from typing import Any

import pandas as pd
import pytest
from scipy.stats import t, ttest_rel
from started_trials import BASE, base, curve, dense
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.collect import Command
from bench.results.frame.sections import sections
from bench.results.page.report import report
from bench.results.page.said_once import END
from bench.results.page.threats import threats, unfinished
from bench.results.plots.widths import PAGE
from bench.results.statistics.analysis import Analysis, analyse
from bench.results.statistics.view import View
from bench.results.tables import captions, formats
from bench.results.tables.answer.sentences import answer_of
from bench.results.tables.formats import Bullets, Code, Details, Grid, Heading, Paragraph, Picture
from bench.results.tables.freeze_vs_prune import answer, table, variants_table
from bench.results.tables.html_page.page import page

TEXTS = ["python -m bench run --rates '0.9,0.99'", "python -m bench run --rates 0.5 & more <b>"]
COMMANDS = [Command(TEXTS[0], "main", 9), Command(TEXTS[1], "other", 0)]
GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}


def analyses(rows: list[dict[str, Any]], **options: Any) -> list[Analysis]:
    return [analyse([section], View(**options))[0] for section in sections(frame(rows))]


def two_criteria() -> list[dict[str, Any]]:
    """GraSP's own twin is lower by two points, give or take."""
    frozen = [trial("grasp-freeze", "0.9", s, 0.92 + 0.003 * s, record=GRASP_FREEZE) for s in range(4)]
    return [*small(), *frozen]


def values(method: str, rate: str) -> list[float]:
    return [row["test_accuracy"] for row in two_criteria() if (row["method"], row["rate"]) == (method, rate)]


def test_every_criterion_is_asked_in_one_family() -> None:
    (analysis,) = analyses(two_criteria())
    comparisons = analysis.primary.comparisons
    assert [(c.label, c.reference, str(c.rate), c.n, c.family) for c in comparisons] == [
        ("freeze", "snip", "0.9", 5, 3), ("freeze", "snip", "0.99", 5, 3), ("grasp-freeze", "grasp", "0.9", 4, 3),
    ]  # fmt: skip
    p = ttest_rel(values("freeze", "0.9"), values("snip", "0.9")).pvalue
    assert comparisons[0].p == pytest.approx(p)
    assert comparisons[0].p_holm == pytest.approx(3 * p)  # the smallest of three
    assert comparisons[2].difference == pytest.approx(-0.0215)
    pairs = {name: [c.n for c in compared] for name, compared in analysis.primary.variants.items()}
    # Two seeds of snip at 0.99 are disconnected; the diverged one is GraSP's, which has no twin there.
    assert pairs == {"connected": [5, 3, 4], "trained": [5, 5, 4], "chance": [5, 5, 4]}


def test_the_answer_in_sentences() -> None:
    (analysis,) = analyses(two_criteria())
    counted = (
        "3 comparisons: freezing higher in 1 (snip at 0.9); pruning higher in 1 (grasp at 0.9); equivalent in 0; "
        "open in 0; freezing higher, within the margin in 1 (snip at 0.99)."
    )
    cut = "Without the seeds whose pruned network is disconnected"
    path = " (no path of live weights leads from its input to its output)"
    assert answer(analysis) == [f"All done seeds: {counted}", f"{cut}{path}: {counted}"]
    (alone,) = analyses([row for row in small() if row["method"] != "freeze"])
    assert answer(alone) == ["No frozen and pruned method that choose the same weights are in this section."]
    assert alone.shown_primary == []


def test_what_some_seeds_alone_say_is_a_table_of_its_own() -> None:
    (analysis,) = analyses(two_criteria())
    grid, again = table(analysis), variants_table(analysis)
    assert grid.headers[-1] == "verdict" and len(grid.rows) == 3
    assert isinstance(again, Grid) and again.headers[-1] == "connected seeds only"
    (row,) = again.rows
    assert row[:3] == ["freeze", "snip", "0.99"] and str(row[-1]).endswith(
        ", n = 3, Holm p 0.020, higher ↑, equivalent ≈"
    )


def test_a_sweep_that_is_not_whole_is_an_interim_look() -> None:
    rows = [trial("snip", "0.9", s, 0.9, sweeps=("a", "b")) for s in range(3)]
    rows += [trial("snip", "0.9", 3, 0.9, sweeps=("b",)), trial("snip", "0.9", 4, None, outcome=names.FAILED)]
    asked = [Command("run --seeds 4", "a", 4), Command("run --seeds 2", "a", 2), Command("run", "b", 4)]
    (line,) = unfinished(frame(rows), [*asked, Command("tune", "c", 0)])
    assert line.startswith("An interim look: of 4 trials that sweep a asked for 3 have ended.")


def test_threats_are_those_of_the_store() -> None:
    found = "\n".join(threats(analyses(two_criteria())))
    assert "Few seeds: n = 4 at the least. The t-test takes" in found and "the largest of 3 effects is marked" in found
    assert "1 trial diverged (grasp 0.99)" in found and "1 trial failed (grasp 0.99)" in found
    assert "No sanity control was run" in found and "1 data set, 1 network" in found
    assert "lost" not in found and "commits" not in found
    assert "Pruned networks without a path of live weights from input to output (snip 0.99)" in found
    rows = [trial(m, "0.9", s, 0.9 + 0.001 * s * (m == "snip")) for m in ("freeze", "snip") for s in range(12)]
    rows += [
        trial("snip:control=shuffle", "0.9", s, 0.9, record={**METHODS["snip"], "control": "shuffle"})
        for s in range(12)
    ]
    calm = "\n".join(threats(analyses(rows)))
    for absent in ("Few seeds", "diverged", "failed", "No sanity control", "not in the store", "Pruned networks"):
        assert absent not in calm
    assert "hyper-parameters" in calm
    other = [trial("snip", "0.9", s, 0.9, epochs=5) for s in range(12)]
    of_both = "\n".join(threats(analyses([*two_criteria(), *other])))
    assert "Several protocols of digits · lenet-5-caffe" in of_both
    assert "1 trial diverged (digits · lenet-5-caffe · epochs = 30: grasp 0.99)" in of_both


def few_seeds(made: list[Analysis]) -> list[str]:
    return [line.partition("Few seeds: ")[2] for line in threats(made) if "Few seeds" in line]


def test_few_seeds_are_told_per_section_by_its_own_family() -> None:
    many = [trial(m, "0.9", s, 0.9 + s / 1000, epochs=5) for m in ("freeze", "snip") for s in range(12)]
    short = [trial(m, "0.9", s, 0.9 + s / 1000, epochs=4) for m in ("freeze", "snip") for s in range(3)]
    lines = few_seeds(analyses([*two_criteria(), *many, *short]))
    marked = [("3", "3", "the one effect"), ("4", "5", "the largest of 3 effects")]
    assert [
        (line[4:5], line.partition("with n = ")[2][:1], line.partition("with n = ")[2][2:].partition(" is marked")[0])
        for line in sorted(lines)
    ] == marked
    needed = [float(line.partition("exceeds ")[2].split()[0]) for line in sorted(lines)]
    assert needed == pytest.approx([t.ppf(0.975, 2) / 3**0.5, t.ppf(1 - 0.025 / 3, 4) / 5**0.5], abs=0.005)


def test_few_seeds_of_an_exact_test_are_told_by_what_it_can_reach() -> None:
    (line,) = few_seeds(analyses(two_criteria(), test="wilcoxon"))
    assert "3 comparisons at 0.05 need n ≥ 7, and n = 5 is too few" in line and "standard deviations" not in line


def no_history(runs: Any, metric: str) -> pd.DataFrame:
    return pd.DataFrame({"run_id": [], "epoch": [], "value": []})


@pytest.fixture(scope="module")
def blocks() -> list[formats.Block]:
    view = View(controls=True, published=True)
    return report(frame(two_criteria()), view, no_history, COMMANDS, "my report")


def test_the_answer_and_its_figure_come_first(blocks: list[formats.Block]) -> None:
    headings = [block.text for block in blocks if isinstance(block, Heading)]
    assert not any("How far" in heading for heading in headings)
    assert headings[:4] == [
        "Freeze or prune?", "Threats to validity of this store", "Figures", "digits · lenet-5-caffe",
    ]  # fmt: skip
    assert headings[-1] == "To do it again" and isinstance(blocks[-1], Code) and list(blocks[-1].lines) == TEXTS
    _, answered, headline, folded = blocks[:4]
    assert isinstance(answered, Bullets) and list(answered.items) == answer_of(analyses(two_criteria()))
    assert isinstance(headline, Picture) and headline.file == "my report-difference.svg"
    assert isinstance(folded, Details) and folded.blocks[0] == Paragraph(captions.introduction([]))


def test_the_page_stands_alone(blocks: list[formats.Block]) -> None:
    drawn = page(blocks)
    pictures = re.findall(r'(?:src|srcset)="data:image/svg\+xml;base64,([^"]+)"', drawn)
    assert len(pictures) == 2 * sum(isinstance(block, Picture) for block in blocks) >= 4  # wide and narrow
    assert all(base64.b64decode(data).startswith(b"<?xml") for data in pictures)
    assert not re.search(r'(src|srcset|href)="(?!data:|#)', drawn) and "<script" not in drawn
    assert "--rates 0.5 &amp; more &lt;b&gt;" in drawn


def sentences(blocks: list[formats.Block]) -> list[str]:
    """Everything that is explained, in sentences."""
    texts = [block.caption for block in blocks if isinstance(block, Grid)]
    inner = [b for block in blocks if isinstance(block, Details) for b in block.blocks]
    texts += [block.text for block in (*blocks, *inner) if isinstance(block, Paragraph)]
    texts += [item for block in (*blocks, *inner) if isinstance(block, Bullets) for item in block.items]
    return [sentence for text in texts for sentence in END.split(text) if len(sentence) > 30]


def test_how_far_can_it_be_pruned_from_each_start() -> None:
    """Its table and figure stand behind the answer; a store without starts has no such part."""
    rows = [
        row
        for start, loss in ((None, 0.02), (BASE, 0.0))
        for row in (*dense(start, 10), *curve("snip", start, {"0.9": 0.0, "0.99": loss, "0.995": 0.05}, 10))
    ]
    made = report(frame([*rows, base(0)]), View(), no_history, COMMANDS, "starts", widths=(PAGE,))
    headings = [block.text for block in made if isinstance(block, Heading)]
    assert headings[1] == "How far can it be pruned from each start"
    first = made.index(Heading(headings[1]))
    bullets, grid, picture = made[first + 1 : first + 4]
    assert isinstance(bullets, Bullets) and bullets.items == [
        "Within 1 point of dense, pretrained on mnist allows a higher rate for 1 of 1 method (snip) than scratch "
        "(95 % intervals, each by itself)."
    ]
    assert isinstance(grid, Grid) and grid.headers[:3] == ["method", "scratch", "pretrained on mnist"]
    assert isinstance(picture, Picture) and picture.file == "starts-start.svg"
    needed = [block.text for block in made if isinstance(block, Paragraph) and block.text.startswith("Needed first")]
    assert len(needed) == 1 and "1 dense trial, 97.00 % (mnist · lenet-5-caffe)" in needed[0]


def test_nothing_is_said_twice(blocks: list[formats.Block]) -> None:
    every = sentences(blocks)
    assert len(every) > 40 and [s for s in every if every.count(s) > 1] == []
    two = [
        *two_criteria(),
        *(trial(m, "0.9", s, 0.9 + s / 1000, epochs=5) for m in ("freeze", "snip") for s in range(5)),
    ]
    both = sentences(report(frame(two), View(), no_history, COMMANDS, "both", widths=(PAGE,)))
    twice = {s for s in both if both.count(s) > 1}
    assert all("this section" in s or s.startswith(("No seed is excluded", "Bold:")) for s in twice)  # of each section


def test_markdown_names_the_figures_beside_it(blocks: list[formats.Block]) -> None:
    text = formats.github(blocks)
    assert "](my%20report-accuracy.svg)" in text and f"```sh\n{TEXTS[0]}\n{TEXTS[1]}\n```" in text
