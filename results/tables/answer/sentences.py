"""The answer of a store in sentences: "At 0.995 freezing SNIP's weights gains 6.1 points [2.6, 9.6]; at 0.9 to 0.99 …".

The verdicts are those of the primary family of an analysis, the same in every table, in the report and here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench import names
from bench.messages import counted
from bench.results.frame.method_record import CHANGING, TO_BUDGET, TRAINED_FIRST
from bench.results.frame.starts import needing, only_needed
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.view import View
from bench.results.tables.answer.caveats import caveats
from bench.results.tables.answer.verdicts import ORDER, clause, verdict_of
from bench.results.tables.apart import budgets, changing_masks, trained_first
from bench.results.tables.apart.group import comparisons
from bench.results.tables.captions import TESTS, levels
from bench.results.tables.marks import NOT_JUDGED
from bench.results.tables.planned.plan_words import plan_words

# Group -> the title of its table.
APART = {TRAINED_FIRST: trained_first.TITLE, CHANGING: changing_masks.TITLE, TO_BUDGET: budgets.TITLE}
DIRECTIONS = {1: ", higher is better", -1: ", lower is better", 0: ""}


def answer(frame: pd.DataFrame, view: View) -> list[str]:
    """One line for each pair of a frozen and a pruned method that is shown, section by section; behind them the plans.

    Raises ValueError for a choice that the store does not have.
    """
    every = analyses(frame, view)
    return [*answer_of(every), *plans_of(every)]


def plans_of(every: Sequence[Analysis]) -> list[str]:
    """What the sections shown say of their plans."""
    return list(dict.fromkeys(words for analysis in every if analysis.shown and (words := plan_words(analysis))))


def answer_of(every: Sequence[Analysis]) -> list[str]:
    """The lines of these sections; each begins with its section's title if there are several."""
    shown = [analysis for analysis in every if analysis.shown]
    if not shown:
        return ["No trial to show: nothing can be said."]
    return [
        _sentence(f"{analysis.section.title}: " if len(shown) > 1 else "", line)
        for analysis in shown
        for line in _lines(analysis)
    ]


def how_to_read(every: Sequence[Analysis]) -> str:
    """What the brackets and "established" mean in these lines; empty without a pair."""
    shown = [analysis for analysis in every if analysis.shown_primary]
    families = sorted({analysis.primary.size for analysis in shown})
    if not families:
        return ""
    m = " or ".join(map(str, [*families[:-1], counted(families[-1], "comparison")]))
    starts = any(len(analysis.starts) > 1 for analysis in shown)
    of = " of a data set, network and protocol, all starts together" if starts else " of a section"
    return (
        f"[ ]: 95 % t interval of the mean paired difference. {_established(shown)}, "
        f"{TESTS[shown[0].view.test].partition(' (')[0]}, corrected by Holm for {m}{of if len(every) > 1 else ''}."
    )


def _established(shown: Sequence[Analysis]) -> str:
    """Established: p ≤ 0.05; or that nothing is judged."""
    if not (at := levels(shown)):
        return f"Nothing is judged: {NOT_JUDGED}. Each p"
    lacking = "" if all(analysis.view.judges for analysis in shown) else f" (nothing is if {NOT_JUDGED})"
    return f"Established{lacking}: p ≤ {at}"


def _sentence(title: str, line: str) -> str:
    return f"{title}{line}" if title else f"{line[:1].upper()}{line[1:]}"


def _lines(analysis: Analysis) -> list[str]:
    if analysis.section.needed or only_needed(analysis.view.sweeps):
        return [_needed(analysis)]
    if not analysis.shown_primary:
        return [_no_pair(analysis)]
    by_pair: dict[tuple[str, str], list[Comparison]] = {}
    for c in analysis.shown_primary:
        by_pair.setdefault((c.label, c.reference), []).append(c)
    of_reference = [pair for pair in by_pair if analysis.reference in pair]
    ordered = dict.fromkeys([*of_reference, *by_pair])
    return [f"{_figure(analysis)}{_pair(analysis, by_pair[pair])}" for pair in ordered]


def _figure(analysis: Analysis) -> str:
    """What is compared, if it is not the primary figure, and which way is better."""
    if analysis.view.metric == names.TEST_ACCURACY:
        return ""
    metric = analysis.view.shown_metric
    return f"{metric.caption}{DIRECTIONS[metric.better]}: "


def _pair(analysis: Analysis, pair: Sequence[Comparison]) -> str:
    """The verdicts of a pair over the rates shown, and what to doubt of them."""
    every = [c.rate for c in analysis.primary.comparisons if c.label == pair[0].label]
    alike = {verdict: [c for c in pair if verdict_of(analysis, c) == verdict] for verdict in ORDER}
    groups = [(verdict, comparisons) for verdict, comparisons in alike.items() if comparisons]
    clauses = [clause(analysis, v, comparisons, every, first=i == 0) for i, (v, comparisons) in enumerate(groups)]
    doubts = caveats(analysis, pair, every)
    beware = f" But {'; '.join(doubts)}." if doubts else ""
    return f"{'; '.join(clauses)}.{beware}"


def _needed(analysis: Analysis) -> str:
    """What trials are for that are in the store because others need them."""
    sweeps = {sweep for cell in analysis.shown for sweep in cell.sweeps}
    named = needing(sweeps & set(analysis.view.sweeps) if analysis.view.sweeps else sweeps)
    return (
        f"these trials answer nothing by themselves: those of {' and '.join(named)} start from their networks, or "
        "choose weights by them."
    )


def _no_pair(analysis: Analysis) -> str:
    if analysis.primary.comparisons:
        return "no frozen and pruned method that choose the same weights are among what is shown."
    rated = [cell for cell in analysis.cells if cell.rated]
    labels = sorted({cell.label for cell in rated if cell.record.at_initialisation})
    apart = _apart(analysis)
    mixed = apart or any(not cell.record.at_initialisation for cell in rated)
    at_initialisation = " at initialisation" if mixed else ""
    there = f": the section has {', '.join(labels or sorted({cell.label for cell in rated}))}" if rated else ""
    return (
        "freeze or prune cannot be answered without a frozen and a pruned method that choose the same weights"
        f"{at_initialisation}{there}.{apart}"
    )


def _apart(analysis: Analysis) -> str:
    """Which groups that stand apart have a freeze − prune of their own, behind another sentence."""
    pairs = {group: [f"{c.label} − {c.reference}" for c in comparisons(analysis, group)] for group in APART}
    said = [f"“{title}” ({', '.join(dict.fromkeys(pairs[group]))})" for group, title in APART.items() if pairs[group]]
    return f" Frozen and pruned are compared within a group that stands apart: {'; '.join(said)}." if said else ""
