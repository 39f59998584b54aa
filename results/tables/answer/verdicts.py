"""What a comparison establishes of freezing against pruning: in a word, and as the clause of a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal

from bench.messages import counted
from bench.results.frame.display_names import weights_name
from bench.results.frame.margin import OfErrors
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison, markable
from bench.results.tables.marks import NOT_JUDGED

LARGE, FINEST = 2.0, 0.1  # points: so large a difference is said to one decimal, unless an end of its interval is finer
FEW = 2  # differences that a clause names one by one
# The verdicts, in the order in which a sentence names them.
GAIN, LOSS, SLIGHT_GAIN, SLIGHT_LOSS = "gain", "loss", "slight gain", "slight loss"
IDENTICAL, EQUIVALENT, OPEN, UNREACHABLE, UNJUDGED, ONE_SEED, NO_SEED = (
    "identical", "equivalent", "open", "unreachable", "unjudged", "one seed", "no seed",
)  # fmt: skip
HIGHER, LOWER = (GAIN, SLIGHT_GAIN), (LOSS, SLIGHT_LOSS)


def verdict_of(analysis: Analysis, c: Comparison) -> str:
    """The verdict of a primary comparison, one of those above."""
    if c.n < 2:
        return ONE_SEED if c.n else NO_SEED
    if c.verdict:
        return {("higher", False): GAIN, ("higher", True): SLIGHT_GAIN, ("lower", False): LOSS}.get(
            (c.verdict, c.equivalent), SLIGHT_LOSS
        )
    if c.decided_by == "identical":
        return IDENTICAL
    if c.equivalent:
        return EQUIVALENT
    if not c.judged:
        return UNJUDGED
    return OPEN if markable(c, c.family, analysis.view.alpha) else UNREACHABLE


def difference(analysis: Analysis, c: Comparison) -> str:
    """The size of a difference, without its sign, and its interval turned with it: 6.1 points [2.6, 9.6]"""
    metric = analysis.view.shown_metric
    sign = -1 if c.difference < 0 else 1
    ends = sorted((sign * c.interval.low, sign * c.interval.high))
    size = sign * c.difference
    finest = min((abs(end * metric.factor) for end in ends if not math.isnan(end)), default=math.inf)
    short = metric.is_accuracy and size * metric.factor >= LARGE and finest >= FINEST

    def number(value: float) -> str:
        return f"{value * metric.factor:.1f}".replace("-", "−") if short else metric.number(value)

    interval = "" if any(map(math.isnan, ends)) else f" [{number(ends[0])}, {number(ends[1])}]"
    return f"{number(size)}{f' {metric.step}' if metric.step else ''}{interval}"


def rates(chosen: Sequence[Decimal], every: Sequence[Decimal]) -> str:
    """The rates as they are said: three or more that are neighbours among all, by their ends.

    >>> from decimal import Decimal as D
    >>> grid = [D("0.5"), D("0.9"), D("0.95"), D("0.99"), D("0.995")]
    >>> rates(grid[1:4], grid), rates([grid[0], *grid[2:]], grid), rates(grid[:2], grid)
    ('0.9 to 0.99', '0.5 and 0.95 to 0.995', '0.5 and 0.9')
    """
    order, runs = sorted(set(every)), list[list[Decimal]]()
    for rate in sorted(chosen):
        if runs and order.index(rate) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(rate)
        else:
            runs.append([rate])
    said: list[str] = []
    for run in runs:
        said += [f"{rate_text(run[0])} to {rate_text(run[-1])}"] if len(run) > FEW else map(rate_text, run)
    return _listed(said)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def clause(
    analysis: Analysis, verdict: str, alike: Sequence[Comparison], every: Sequence[Decimal], *, first: bool
) -> str:
    """What the comparisons of one pair that have this verdict say; the first clause of a sentence names the pair."""
    words = _difference_clause if verdict in (*HIGHER, *LOWER) else _CLAUSES[verdict]
    return words(analysis, alike, rates([c.rate for c in alike], every), first)


def _difference_clause(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    subject = f"freezing {weights_name(alike[0].reference)}" if first else "it"
    verb = _verb(analysis, alike[0])
    within = f", within the margin of {_margin(analysis)}" if alike[0].equivalent else ""
    if len(alike) <= FEW:
        said = [f"at {rate_text(c.rate)} {f'{subject} {verb} ' if i == 0 else ''}{difference(analysis, c)}"
                for i, c in enumerate(alike)]  # fmt: skip
        return f"{' and '.join(said)}{within}"
    least, most = (pick(alike, key=lambda c: abs(c.difference)) for pick in (min, max))
    ends = [f"{difference(analysis, c)} (at {rate_text(c.rate)})" for c in (least, most)]
    return f"at {at} {subject} {verb} {' to '.join(ends)}{within}"


def _verb(analysis: Analysis, c: Comparison) -> str:
    """What freezing does to the figure: an accuracy is won or lost, any other is raised or lowered."""
    if analysis.view.shown_metric.is_accuracy:
        return "gains" if c.difference > 0 else "loses"
    return f"{'raises' if c.difference > 0 else 'lowers'} it by"


def _margin(analysis: Analysis) -> str:
    metric, margin = analysis.view.shown_metric, analysis.view.margin
    if margin is None:  # then nothing is equivalent
        return ""
    if isinstance(margin, OfErrors):
        return f"±{margin} of the pruned network's errors"
    number = f"{margin * metric.factor:g}" if metric.is_accuracy else metric.number(margin)
    return f"±{number}{f' {metric.step}' if metric.step else ''}"


def seeds(alike: Sequence[Comparison]) -> str:
    """On how many seeds they stand: 5 seeds; 3 to 5 seeds"""
    counts = sorted({c.n for c in alike})
    return counted(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counted(counts[-1], 'seed')}"


def _both(alike: Sequence[Comparison], first: bool) -> str:
    """Both sides of the first clause's pair; any other clause is about the same."""
    return f" between freezing and pruning {weights_name(alike[0].reference)}" if first else ""


def _open(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    return f"at {at} no difference{_both(alike, first)} is established with {seeds(alike)}"


def _unreachable(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    number = seeds(alike)
    return f"at {at} no difference{_both(alike, first)} can be established with {number}: too few for this exact test"


def _unjudged(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    return f"at {at} no difference{_both(alike, first)} is judged: {NOT_JUDGED}"


def _equivalent(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    margin = f"equivalent within {_margin(analysis)} ({seeds(alike)})"
    subject = f"freezing and pruning {weights_name(alike[0].reference)}" if first else "the two"
    return f"at {at} {subject} are {margin}"


def _identical(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    subject = f"freezing and pruning {weights_name(alike[0].reference)}" if first else "the two"
    return f"at {at} {subject} have the same figure at each of {seeds(alike)}"


def _one_seed(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    return f"at {at} there is one seed: nothing can be said{_of(alike, first)}"


def _no_seed(analysis: Analysis, alike: Sequence[Comparison], at: str, first: bool) -> str:
    return f"at {at} no seed has both figures: nothing can be said{_of(alike, first)}"


def _of(alike: Sequence[Comparison], first: bool) -> str:
    return f" of freezing and pruning {weights_name(alike[0].reference)}" if first else ""


_CLAUSES: dict[str, Callable[[Analysis, Sequence[Comparison], str, bool], str]] = {
    IDENTICAL: _identical,
    EQUIVALENT: _equivalent,
    OPEN: _open,
    UNREACHABLE: _unreachable,
    UNJUDGED: _unjudged,
    ONE_SEED: _one_seed,
    NO_SEED: _no_seed,
}
ORDER = (GAIN, LOSS, SLIGHT_GAIN, SLIGHT_LOSS, *_CLAUSES)
