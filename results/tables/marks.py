"""What is said once of the variants of a family and of the doubts about a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from bench import names
from bench.results.statistics.analysis import CHANCE, CONNECTED, MIXED, TRAINED, UNTRAINED, Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.view import CLASSES

NO_PATH = "no path of live weights leads from its input to its output"
CUT = "†"  # before the number of seeds, or pairs, with a disconnected network
CONFLICT = "¶"  # before the number of seeds, or pairs, of which the store has results that disagree
# Mark -> what it means behind a figure, and behind a comparison.
OF_SEEDS = {
    CUT: "†k: in k seeds no path of live weights leads from input to output, which disconnects a pruned network, not a "
    "frozen one.",
    CONFLICT: "¶k: of k seeds the results in the store disagree; of several runs the earliest counts.",
}
OF_PAIRS = {
    CUT: f"†k: in k pairs a pruned network is disconnected, {NO_PATH}.",
    CONFLICT: "¶k: of k pairs the results in the store disagree; of several runs the earliest counts.",
}
NOT_PLANNED = "#"  # behind a comparison of freeze − prune that the plan of its section does not name
NOT_JUDGED = "an earlier look at the plan was at seeds that are not in this one, and looks must be nested"
REALISED = "@"  # before the rate that whole filters or channels have
SAME = "the same pairs"
NO_PAIR = "no pair left"
# Doubt -> its mark and what it means.
DOUBTS = {
    MIXED: (
        "‡",
        "some seeds of a side are near chance and others are not: mean, interval and tests describe neither group",
    ),
    UNTRAINED: (
        "§",
        "no seed of one side, or of either, trained: the difference says at most that the other side trains",
    ),
}


def of_seeds(cell: Cell) -> str:
    """The marks behind a figure, if it has some: a space, and †2 ¶1"""
    return "".join(f" {mark}" for mark in _numbered(len(cell.disconnected), len(cell.conflicting)))


def doubt(cell: Cell) -> str:
    """The mark of doubt alone, if it has some, of a figure that no path through the network can change: ¶1"""
    return f" {CONFLICT}{len(cell.conflicting)}" if cell.conflicting else ""


def of_pairs(c: Comparison) -> str:
    """The marks of a comparison: †2 ¶1"""
    return " ".join(_numbered(c.disconnected, c.conflicting))


def _numbered(disconnected: int, conflicting: int) -> list[str]:
    return [f"{mark}{number}" for mark, number in ((CUT, disconnected), (CONFLICT, conflicting)) if number]


def seeds_legend(text: str) -> str:
    """What the marks mean that this text has behind figures, behind another sentence."""
    return "".join(f" {words}" for mark, words in OF_SEEDS.items() if mark in text)


def pairs_legend(shown: Sequence[Comparison]) -> str:
    """What the marks of these comparisons mean, those that occur, behind another sentence."""
    occurring = {CUT: any(c.disconnected for c in shown), CONFLICT: any(c.conflicting for c in shown)}
    return "".join(f" {words}" for mark, words in OF_PAIRS.items() if occurring[mark])


def lost(cell: Cell) -> str:
    """(n = 3, 2 diverged): the seeds a cell stands on, if some are lost."""
    numbers = [(outcome, len(cell.seeds_lost(outcome))) for outcome in (names.DIVERGED, names.FAILED, "no figure")]
    counts = [f"{number} {outcome}" for outcome, number in [*numbers, ("missing", len(cell.missing))] if number]
    return f" ({', '.join([f'n = {cell.summary.n}', *counts])})" if counts else ""


def chance(analysis: Analysis) -> str:
    """The accuracy that a diverged seed counts as in the sensitivity analysis."""
    assumed = "" if analysis.section.dataset in analysis.view.classes else f", assuming {CLASSES} classes"
    return f"{100 * analysis.view.chance(analysis.section.dataset):g} %{assumed}"


def variants(analysis: Analysis) -> dict[str, tuple[str, str]]:
    """Variant of a family -> its header, and what is otherwise in it."""
    return {
        CONNECTED: ("connected seeds only", f"without the seeds whose pruned network is disconnected ({NO_PATH})"),
        TRAINED: ("trained seeds only", "without the seeds near chance of a cell that has others"),
        CHANCE: ("diverged = chance", f"with diverged seeds counted as chance, {chance(analysis)}"),
    }
