"""The sentences around the tables: what was measured, how, and what the numbers can and cannot show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from bench import names
from bench.messages import counted
from bench.results.frame.collect import DENSE
from bench.results.frame.margin import OfErrors
from bench.results.frame.method_record import AT_INITIALISATION, BASELINES, CHANGING, TO_BUDGET, TRAINED_FIRST
from bench.results.frame.starts import SCRATCH
from bench.results.frame.words import ranges, rate_text
from bench.results.statistics import stats
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, Key, whole_units
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.formats import Bold, Entry, Grid
from bench.results.tables.images import two_way_words
from bench.results.tables.marks import NOT_PLANNED, REALISED, doubt, pairs_legend, seeds_legend

TESTS = {
    "t": "paired t-test, two-sided",
    "wilcoxon": "exact Wilcoxon signed-rank test, two-sided (zeros ranked as by Pratt, ties by mean rank, all sign "
    "patterns counted)",
    "permutation": f"sign-flip permutation test of the mean difference, two-sided (exact up to {stats.FLIPS:,} flips)",
}


def introduction(analyses: Sequence[Analysis]) -> str:
    """What a stranger needs before the first table."""
    cells = [cell for analysis in analyses for cell in analysis.shown]
    whole = whole_units(cells)
    fewer = f", or fewer if it chooses {whole}" if whole else ""
    later = {cell.record.group for cell in cells if cell.rated} - {AT_INITIALISATION}
    when = "" if later else " before training"
    words = (
        f"At a given rate every method trains, and has to store, the same number of parameters{fewer}. "
        f"The methods differ in which weights they choose{when}, and in what the others hold: a frozen "
        "network keeps them at their random initial values (the seed stands for them), a pruned one sets them to zero."
        f"{_scaled(cells)}{_later(later)}"
    )
    started = _started([analysis for analysis in analyses if analysis.shown])
    return f"{words} {started}" if started else words


SCALED = "Held at a scale of their value at the start, and in no verdict of freeze or prune"
FADING = "Fading while they are trained, and in no verdict of freeze or prune"
LATER = {
    TRAINED_FIRST: "choose by a network that is already trained",
    CHANGING: "choose again while they train, so that the number is that of their last masks",
    TO_BUDGET: "end at a budget, by whole channels or filters",
    BASELINES: "are baselines: a dense network of smaller widths, or the classifier trained alone",
}


def _scaled(cells: Iterable[Cell]) -> str:
    """That some methods neither freeze nor prune, behind another sentence."""
    records = [cell.record for cell in cells if cell.rated]
    scaled = (
        " Between the two, or beyond, a network of a scale keeps them at the scale times these values: 1 is frozen, 0 "
        "is pruned."
    )
    fading = (
        " A background that fades begins at its first scale times these values and ends at its last, which is what is "
        "stored."
    )
    return (scaled if any(r.is_scaled for r in records) else "") + (fading if any(r.fades for r in records) else "")


def _later(groups: Collection[str]) -> str:
    """That not all methods choose before training, behind another sentence."""
    said = [words for group, words in LATER.items() if group in groups]
    return (
        f" Methods in groups of their own {'; others '.join(said)}; all others choose before training." if said else ""
    )


def _started(shown: Sequence[Analysis]) -> str:
    """At what a network is frozen that starts from a base; "" if all start from scratch."""
    if all(analysis.section.start == SCRATCH for analysis in shown):
        return ""
    head = ", the last layer, if it is drawn again, at random ones" if any(map(redraws_head, shown)) else ""
    return (
        f"A network that starts from a base, that is from weights trained before, is frozen at the base's values{head};"
        " one that starts from scratch at its random ones."
    )


def redraws_head(analysis: Analysis) -> bool:
    """Whether its networks start from a base but for the last layer, which their seed draws."""
    return bool((analysis.section.fields.get("start") or {}).get("head") == "redrawn")


def backgrounds(analysis: Analysis) -> str:
    """Which methods freeze and which prune."""
    methods, sentences = [cell for cell in analysis.cells if cell.record.group != BASELINES], []
    for background, word in {"freeze": "Frozen", "prune": "Pruned"}.items():
        if labels := sorted({cell.label for cell in methods if cell.background == background}):
            sentences.append(f"{word}: {', '.join(labels)}.")
    if labels := sorted({cell.label for cell in analysis.cells if cell.rated and cell.record.is_scaled}):
        sentences.append(f"{SCALED}: {', '.join(labels)}.")
    if labels := sorted({cell.label for cell in analysis.cells if cell.rated and cell.record.fades}):
        sentences.append(f"{FADING}: {', '.join(labels)}.")
    return " ".join(sentences)


def seeds(analysis: Analysis) -> str:
    """The seeds of the section, and what trials of one seed share."""
    used = analysis.section.seeds
    return (
        f"Seeds: {ranges(used)} (n = {len(used)}). At one seed all methods share initial weights, split, data order "
        f"and criterion sample, so differences are paired by seed."
    )


def figure(analysis: Analysis) -> str:
    """The metric of the cells, with its unit: Test accuracy after the last epoch (%)"""
    shown = analysis.view.shown_metric
    return f"{shown.caption}{f' ({shown.unit})' if shown.unit else ''}"


def steps(analysis: Analysis) -> str:
    """The unit of a difference, in brackets."""
    step = analysis.view.shown_metric.step
    return f" ({step})" if step else ""


def main_caption(analysis: Analysis) -> str:
    """The caption of the table of figures."""
    shown = analysis.view.shown_metric
    unit = f" in {shown.unit}" if shown.unit else ""
    primary = (
        ""
        if analysis.view.metric == names.TEST_ACCURACY
        else " This is not the primary figure (test accuracy, last epoch)."
    )
    total = len(analysis.section.seeds)
    return (
        f"{shown.caption}{unit}: mean ± standard deviation (ddof 1) over n = {counted(total, 'seed')}, "
        f"fewer if the entry says so.{primary} Columns: the rate, the fraction of the weights of Conv and Linear "
        "layers that is not trained; biases and BatchNorm's scale and shift are always trained and not part of the "
        f"rate.{dense(analysis)}"
    )


def dense(analysis: Analysis) -> str:
    """The figures of the dense baseline, and of biases alone if they are there, behind another sentence."""
    dense = " No dense baseline in the store."
    if analysis.dense is not None:
        dense = f" {_dense_name(analysis)}: {_level(analysis, analysis.dense)}."
    if analysis.biases is None:
        return dense
    return f"{dense} Biases and BatchNorm alone (rate 1): {_level(analysis, analysis.biases)}."


def _level(analysis: Analysis, cell: Cell) -> str:
    shown, s = analysis.view.shown_metric, cell.summary
    lost = len(cell.lost) + len(cell.missing)
    unit = f" {shown.unit}" if shown.unit else ""
    figure = f"{shown.number(s.mean)} ± {shown.number(s.sd)}{unit}{doubt(cell)}"
    return f"{figure}, n = {s.n}{f' ({lost} lost)' if lost else ''}"


def _levels(analysis: Analysis) -> str:
    """The marks of the figures that the caption has."""
    return "".join(doubt(cell) for cell in (analysis.dense, analysis.biases) if cell is not None)


def _dense_name(analysis: Analysis) -> str:
    """What the dense network of a section is: its start decides."""
    if analysis.section.start == SCRATCH:
        return "Dense baseline (rate 0)"
    return "Dense baseline (rate 0: the base, fine-tuned whole)"


def legend(analysis: Analysis, grid: Grid) -> str:
    """What the marks in the table of figures mean, those that occur in it."""
    entries = [entry for row in grid.rows for entry in row[1:]]
    marks = " ".join([_levels(analysis), *(mark for row in grid.rows for mark in _marks(row))])
    said = []
    if any(isinstance(entry, Bold) for entry in entries):
        best = "highest" if analysis.view.shown_metric.better > 0 else "lowest"
        said.append(f"Bold: the {best} mean of its rate among methods with every seed.")
    if arrows := {arrow: word for arrow, word in {"↑": "higher", "↓": "lower"}.items() if arrow in marks}:
        said.append(
            f"{', '.join(arrows)}: {', '.join(arrows.values())} than {analysis.reference} at the same rate, "
            f"Holm-adjusted p ≤ {analysis.view.alpha:g} ({TESTS[analysis.view.test].partition(',')[0]})."
        )
    if "≈" in marks:
        said.append(f"≈: equivalent to {analysis.reference} within the margin.")
    if any(mark in entry for row in grid.rows if row[0] == analysis.twin for entry in _marks(row) for mark in "↑↓≈"):
        said.append(f"The marks of {analysis.twin} are those of the family of freeze − prune.")
    said += [words] if (words := seeds_legend(marks).strip()) else []
    if REALISED in marks:
        labels = {row[0] for row in grid.rows}
        whole = whole_units(cell for cell in analysis.shown if cell.label in labels)
        said.append(
            f"{REALISED}: the realised rate of {whole}, counted; they seldom fill what the "
            "column's rate allows, so compare these figures with others at it."
        )
    return " ".join(said)


def _marks(row: Sequence[Entry]) -> list[str]:
    """What may hold a mark of each rate."""
    return [entry.after if isinstance(entry, Bold) else entry for entry in row[1:]]


def columns(analysis: Analysis, comparisons: Sequence[Comparison]) -> str:
    """What the columns of a table of comparisons are, after its difference."""
    equivalence = "" if analysis.view.margin is None else "; equivalence by TOST, adjusted by Holm"
    both = two_way_words.of_comparisons(comparisons)
    return (
        f"with its 95 % t interval and its BCa bootstrap interval (neither adjusted for the family); {both}"
        f"{TESTS[analysis.view.test]}; p raw and adjusted by Holm; g: mean/sd of the differences (d_z) with Hedges' "
        f"correction{equivalence}. {margin(analysis)}{pairs_legend(comparisons)}{unplanned(analysis, comparisons)}"
    )


def unplanned(analysis: Analysis, shown: Sequence[Comparison]) -> str:
    """What the mark of a comparison that is not planned means, if one of these has it, behind another sentence."""
    return f" {NOT_PLANNED}: not planned." if any(analysis.is_unplanned(c) for c in shown) else ""


def primary_family(analysis: Analysis) -> str:
    """Which comparisons are corrected together for freeze or prune; those of the primary figure decide it."""
    adjusted = "p-values are adjusted for it by Holm"
    if analysis.view.metric == names.TEST_ACCURACY:
        adjusted = f"this family decides freeze or prune, and {adjusted}"
    if analysis.plan and analysis.plan.present:
        name, size = analysis.plan.plan.record.name, counted(len(analysis.plan.plan.record.comparisons), "comparison")
        added = analysis.unplanned
        others = f"; those not planned, for all {added[0].family} of the store" if added else ""
        level = f"at level {analysis.view.alpha:g}" if analysis.view.judges else "at no level"
        return f"Family: {size}, those of plan {name}, whatever is shown, {level}; {adjusted}{others}."
    return (
        f"Family: {counted(analysis.primary.size, 'comparison')}, every frozen method"
        f"{_at_initialisation(analysis)} with the pruned one that chooses the same weights × every rate"
        f"{_starts(analysis)} in the whole store, whatever is shown; {adjusted}."
    )


def _at_initialisation(analysis: Analysis) -> str:
    """What tells the methods of a family from others of the data set, network and protocol, if there are any."""
    every = (cell for cells in analysis.starts.values() for cell in cells)
    return " at initialisation" if any(not cell.record.at_initialisation for cell in every) else ""


def _starts(analysis: Analysis) -> str:
    """What a family of comparisons is of: a section, or all that differ from it in the start only."""
    if len(analysis.starts) == 1:
        return " of this section"
    return f" × every start ({'; '.join(analysis.starts)}) of this data set, network and protocol"


def secondary_family(analysis: Analysis) -> str:
    """Which comparisons are corrected together against the reference."""
    counts = any(c.label == analysis.twin for c in analysis.secondary.comparisons)
    twin = f" {analysis.twin} counts in it and is judged by the family of freeze − prune only." if counts else ""
    biases = [] if analysis.biases is None else [analysis.biases.label]
    *but, last = str(analysis.reference), *biases, DENSE
    return (
        f"Family: {counted(len(analysis.secondary.comparisons), 'comparison')}, every method"
        f"{_at_initialisation(analysis)} but {', '.join(but)} and {last} × every rate of this section in the whole "
        f"store, whatever is shown; p-values are adjusted for it by Holm.{twin}{_only_primary(analysis)}"
    )


def _only_primary(analysis: Analysis) -> str:
    """That a plan names none of a family but those of freeze − prune, behind another sentence."""
    return " Not planned: plans name freeze − prune only." if analysis.plan else ""


def levels(every: Iterable[Analysis]) -> str:
    """The levels at which these sections are judged: 0.05 or 0.003; "" if none is."""
    return " or ".join(f"{alpha:g}" for alpha in sorted({a.view.alpha for a in every if a.view.judges}))


def margin(analysis: Analysis) -> str:
    """The margin of equivalence, and a warning if it is finer than the test set can tell."""
    shown, value = analysis.view.shown_metric, analysis.view.margin
    if value is None:
        return "Equivalence is not judged: no margin is given for this figure."
    if isinstance(value, OfErrors):
        return (
            f"Equivalence margin: ±{value} of the errors of what is subtracted, seed by seed; in brackets its mean in "
            f"{shown.step}."
        )
    said = f"Equivalence margin: ±{shown.number(value)}{f' {shown.step}' if shown.step else ''}."
    size = analysis.view.test_images.get(analysis.section.dataset)
    if not shown.is_accuracy or not size:
        return said
    images = value * size
    warning = " Warning: under two test images, so equivalence here is finer than the test set can tell."
    return f"{said} That is {images:.1f} of the {size:,} test images.{warning if images < 2 else ''}"


def filters(analysis: Analysis) -> str:
    """What is hidden, if anything."""
    view, stored = analysis.view, {cell.rate for cell in analysis.cells}
    rates = [rate_text(r) if r in stored else f"{rate_text(r)} (not in this section)" for r in view.rates]
    starts = view.starts if set(analysis.starts) - set(view.starts) else ()  # none is hidden
    chosen = {"sweeps": view.sweeps, "methods": view.methods, "rates": rates, "starts": starts}
    said = "; ".join(f"{noun} {', '.join(values)}" for noun, values in chosen.items() if values)
    return f"Shown: {said}. All statistics are those of the whole store." if said else ""


def no_comparison(analysis: Analysis) -> str:
    """Why a section has no comparisons."""
    if analysis.candidates:
        return (
            f"Several methods of this section are named {analysis.view.reference}: choose the reference among "
            f"{'; '.join(analysis.candidates)}. Until then no method is compared with it."
        )
    labels = sorted({cell.label for cell in analysis.cells if cell.rated})
    return (
        f"No trial of the reference {analysis.view.reference} in this section, so no method is compared with it; the "
        f"section has {', '.join(labels)}."
    )


def nothing_finished(analysis: Analysis) -> str:
    """Why a section has no tables."""
    which = "shown of this section" if filters(analysis) else "of this section"
    if any(cell.seeds_lost("no figure") for cell in analysis.shown):
        return f"No trial {which} has the figure {analysis.view.metric}."
    return f"No trial {which} finished."


def near_chance(fallen: Mapping[Key, frozenset[int]], cells: Iterable[Cell]) -> str:
    """The cells of which these seeds are near chance: snip 0.999 (2 of 3 seeds: 0, 2)"""
    n = {cell.key: len(cell.values) for cell in cells}
    return ", ".join(
        f"{label} {rate_text(rate)} ({len(seeds)} of {n[label, rate]} seeds: {ranges(seeds)})"
        for (label, rate), seeds in fallen.items()
    )
