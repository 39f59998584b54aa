"""What is said once of the variants of a family and of the doubts about a comparison."""

from __future__ import annotations

from bench.results.statistics.analysis import CHANCE, CONNECTED, MIXED, TRAINED, UNTRAINED, Analysis
from bench.results.statistics.view import CLASSES

NO_PATH = "no path of live weights leads from its input to its output"
CONFLICT = "¶"  # before the number of seeds of which the store has runs with different results
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
