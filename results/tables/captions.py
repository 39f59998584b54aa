"""The sentences around the tables: what was measured, how, and what the numbers can and cannot show."""

from __future__ import annotations

from bench import names
from bench.results.frame.collect import DENSE
from bench.results.frame.metrics import figure, ranges
from bench.results.statistics import multiplicity, stats
from bench.results.statistics.analysis import CLASSES, Analysis
from bench.results.tables.formats import Bold, Grid

TESTS = {
    "t": "paired t-test, two-sided",
    "wilcoxon": "exact Wilcoxon signed-rank test, two-sided (zeros ranked as by Pratt, ties by mean rank, all sign "
    "patterns counted)",
    "permutation": f"sign-flip permutation test of the mean difference, two-sided (exact up to {stats.FLIPS:,} flips)",
}
NO_PATH = "no path of live weights leads from its input to its output"
CUT = f"the seeds whose pruned network is disconnected ({NO_PATH})"
DISCONNECTED = f"†k: in k pairs a pruned network is disconnected, {NO_PATH}."
FEW = 10  # pairs; below, a bootstrap interval covers far less than its level


def introduction() -> str:
    """What a stranger needs before the first table."""
    return (
        "At a given rate every method trains, and has to store, the same number of parameters. The methods differ in "
        "which weights they choose before training, and in what the others hold: a frozen network keeps them at their "
        "random initial values (the seed stands for them), a pruned one sets them to zero."
    )


def backgrounds(a: Analysis) -> str:
    """Which methods freeze and which prune."""
    kinds = {"freeze": "Frozen", "prune": "Pruned"}
    parts = []
    for kind, word in kinds.items():
        labels = sorted({cell.label for cell in a.cells if cell.background == kind})
        if labels:
            parts.append(f"{word}: {', '.join(labels)}.")
    return " ".join(parts)


def seeds(a: Analysis) -> str:
    """The seeds of the section, and what trials of one seed share."""
    used = a.section.seeds
    return (
        f"Seeds: {ranges(used)} (n = {len(used)}). At one seed all methods share initial weights, split, data order "
        f"and criterion sample, so differences are paired by seed."
    )


def main_caption(a: Analysis) -> str:
    """The caption of the table of figures."""
    shown = figure(a.view.metric)
    unit = f" in {shown.unit}" if shown.unit else ""
    primary = (
        "" if a.view.metric == names.TEST_ACCURACY else " This is not the primary figure (test accuracy, last epoch)."
    )
    total = len(a.section.seeds)
    return (
        f"{shown.words}{unit}: mean ± standard deviation (ddof 1) over n = {total} seed{'s' if total > 1 else ''}, "
        f"fewer where the entry says so.{primary} Columns: the rate, the fraction of the weights of Conv and Linear "
        "layers that is not trained; biases and BatchNorm's scale and shift are always trained and not part of the "
        f"rate.{_dense(a)}"
    )


def _dense(a: Analysis) -> str:
    if a.dense is None:
        return " No dense baseline in the store."
    shown, s = figure(a.view.metric), a.dense.summary
    lost = len(a.dense.lost) + len(a.dense.missing)
    unit = f" {shown.unit}" if shown.unit else ""
    return (
        f" Dense baseline (rate 0): {shown.number(s.mean)} ± {shown.number(s.sd)}{unit}, n = {s.n}"
        f"{f' ({lost} lost)' if lost else ''}."
    )


def legend(a: Analysis, grid: Grid) -> str:
    """What the marks in the table of figures mean, those that occur in it."""
    entries = [entry for row in grid.rows for entry in row[1:]]
    marks = " ".join(entry.after if isinstance(entry, Bold) else entry for entry in entries)
    said = []
    if any(isinstance(entry, Bold) for entry in entries):
        best = "highest" if figure(a.view.metric).better > 0 else "lowest"
        said.append(f"Bold: the {best} mean of its rate among methods with every seed.")
    if arrows := {arrow: word for arrow, word in {"↑": "higher", "↓": "lower"}.items() if arrow in marks}:
        said.append(
            f"{', '.join(arrows)}: {', '.join(arrows.values())} than {a.reference} at the same rate, Holm-adjusted p "
            f"≤ {a.view.alpha:g} ({TESTS[a.view.test].partition(',')[0]})."
        )
    if "≈" in marks:
        said.append(f"≈: equivalent to {a.reference} within the margin.")
    if "†" in marks:
        said.append(
            "†k: in k seeds no path of live weights leads from input to output, which disconnects a pruned network, "
            "not a frozen one."
        )
    return " ".join(said)


def what_n_shows(a: Analysis) -> str:
    """What the number of pairs allows to conclude: the family, the reach of the test, what no mark means."""
    m, alpha = max(c.family for c in a.comparisons), a.view.alpha
    counts = sorted({c.n for c in a.comparisons if c.n > 1})
    untested = sum(c.n < 2 for c in a.comparisons)
    left_out = f" {untested} of them have fewer than two pairs and cannot be tested, but count." if untested else ""
    family = (
        f"Family: {m} comparisons, every method but {a.reference} and dense × every rate of this section in the whole "
        f"store, whatever is shown; p-values are adjusted for it by Holm.{left_out}"
    )
    if not counts:
        return f"{family} Without two pairs nothing can be tested."
    reach = _t_reach(counts, m, alpha) if a.view.test == "t" else _exact_reach(counts, m, alpha, a.view.test)
    return (
        f"{family} {reach} {_bootstrap(counts)}An entry without a mark is no evidence "
        "of equality: read its interval and the equivalence."
    )


def _bootstrap(counts: list[int]) -> str:
    few = "With so few pairs the bootstrap interval covers less than its nominal 95 %; prefer the t interval. "
    return few if counts[0] < FEW else ""


def _t_reach(counts: list[int], m: int, alpha: float) -> str:
    least, largest = counts[0], counts[-1]
    needed = multiplicity.smallest_effect(largest, m, alpha)
    spread = f"{least}" if least == largest else f"{least} to {largest}"
    return (
        f"The t-test takes the differences as roughly normal, which {spread} pairs can hardly check; with n = "
        f"{largest} the largest of {m} effects is marked only if its mean difference exceeds {needed:.2f} standard "
        "deviations of the differences."
    )


def _exact_reach(counts: list[int], m: int, alpha: float, test: str) -> str:
    largest = counts[-1]
    least = stats.LEAST.get(test, 0)
    needed = multiplicity.pairs_needed(m, alpha, least)
    if needed is None:
        return f"This test cannot go below p = {least:.2g}: of {m} comparisons at {alpha:g} no entry can be marked."
    able = largest >= needed
    verdict = "is enough" if able else "is too few: no entry can be marked, whatever its difference"
    return (
        f"An exact test of n pairs cannot go below p = 2^(1−n); {m} comparisons at {alpha:g} need n ≥ "
        f"{needed}, and n = {largest} {verdict}."
    )


def margin(a: Analysis) -> str:
    """The margin of equivalence, and a warning where it is finer than the test set can tell."""
    shown, value = figure(a.view.metric), a.view.margin
    if value is None:
        return "Equivalence is not judged: no margin is given for this figure."
    said = f"Equivalence margin: ±{shown.number(value)}{f' {shown.step}' if shown.step else ''}."
    size = a.view.test_images.get(a.section.dataset)
    if not shown.is_accuracy or not size:
        return said
    images = value * size
    warning = " Warning: under two test images, so equivalence here is finer than the test set can tell."
    return f"{said} That is {images:.1f} of the {size:,} test images.{warning if images < 2 else ''}"


def chance(a: Analysis) -> str:
    """The accuracy that a diverged seed counts as in the sensitivity analysis."""
    known = "" if a.section.dataset in a.view.classes else f", taking {CLASSES} classes"
    return f"{100 * a.view.chance(a.section.dataset):g} %{known}"


def filters(a: Analysis) -> str:
    """What is hidden, if anything."""
    stored = {cell.rate for cell in a.cells}
    rates = [rate if rate in stored else f"{rate} (not in this section)" for rate in a.view.rates]
    chosen = {"sweeps": a.view.names, "methods": a.view.methods, "rates": rates}
    said = "; ".join(f"{what} {', '.join(values)}" for what, values in chosen.items() if values)
    return f"Shown: {said}. All statistics are those of the whole store." if said else ""


def no_comparison(a: Analysis) -> str:
    """Why a section has no comparisons."""
    if a.candidates:
        return (
            f"Several methods of this section are named {a.view.reference}: choose the reference among "
            f"{'; '.join(a.candidates)}. Until then there are no comparisons."
        )
    labels = sorted({cell.label for cell in a.cells if cell.background != DENSE})
    return (
        f"No trial of the reference {a.view.reference} in this section, so there are no comparisons; it has "
        f"{', '.join(labels)}."
    )


def nothing_finished(a: Analysis) -> str:
    """Why a section has no tables."""
    which = "shown of this section" if filters(a) else "of this section"
    if any(cell.seeds_lost("no figure") for cell in a.shown):
        return f"No trial {which} has the figure {a.view.metric}."
    return f"No trial {which} finished."
