"""Methods across data sets, networks and rates: mean ranks, Friedman's test, Nemenyi's test of all pairs.

Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006), section 3.2. A block is one rate
of one section (data set, network, protocol) in which every method shown has every seed; its value is the mean over the
seeds, so the unit here is the block, and seeds count only through it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from scipy import stats as scipy_stats

from bench.messages import counted
from bench.results.frame.back_end import import_matplotlib
from bench.results.frame.errors import metric_of
from bench.results.frame.method_record import method_record
from bench.results.frame.sections import is_plain, labels
from bench.results.frame.words import rate_text
from bench.results.statistics.cells import Cell
from bench.results.statistics.friedman import Friedman, friedman
from bench.results.statistics.shown_cells import Excerpt, excerpts
from bench.results.statistics.stats import DECIMALS
from bench.results.statistics.view import View

BLOCKS, METHODS = 2, 3  # fewer of either cannot be ranked across
NAMED = 3  # of what a block lacks


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The methods ranked in every block. Labels are unique over the whole store."""

    means: pd.DataFrame  # block × label: the mean over the seeds
    titles: Mapping[str, str]  # block -> its data set
    left_out: Sequence[str]  # blocks that lack a method or seeds of one, and which
    records: Mapping[str, str]  # label -> the method's canonical record
    better: int  # 1: the highest mean has rank 1, -1: the lowest
    alpha: float
    metric: str
    plans: Sequence[str] = ()  # the names of plans of which a trial is ranked; none names a rank

    @property
    def ranks(self) -> pd.DataFrame:
        """Block × label: 1 = best; equal means share their mean rank."""
        return self.means.round(DECIMALS).rank(axis=1, ascending=self.better < 0)

    @property
    def mean_ranks(self) -> pd.Series[float]:
        """Label -> mean rank over the blocks, the best first."""
        return self.ranks.mean().sort_values(kind="stable")

    @cached_property
    def friedman(self) -> Friedman:
        """Friedman's test, exact if that is little work."""
        return friedman(self.ranks.to_numpy())

    @property
    def least_p(self) -> float:
        """Friedman's p if every block ranks the methods alike, without ties: the smallest there is.

        Exact, one order of k! in every block after the first; by chi-square, which then is N(k-1), its tail.
        """
        n, k = self.means.shape
        if self.friedman.exact:
            return float(math.factorial(k)) ** (1 - n)
        return float(scipy_stats.chi2.sf(n * (k - 1), k - 1))

    @property
    def nemenyi(self) -> pd.DataFrame:
        """Label × label: p of Nemenyi's test (1963) of two mean ranks, adjusted for all pairs of the methods shown."""
        import_matplotlib()
        import scikit_posthocs  # it imports matplotlib, which a table does not need

        return pd.DataFrame(scikit_posthocs.posthoc_nemenyi_friedman(self.ranks))

    @property
    def critical_difference(self) -> float:
        """q·sqrt(k(k+1)/(6N)), q = the studentized range's quantile 1 - alpha (k groups, infinite df) / sqrt(2)."""
        n, k = self.means.shape
        q = scipy_stats.studentized_range.ppf(1 - self.alpha, k, math.inf) / math.sqrt(2)
        return float(q * math.sqrt(k * (k + 1) / (6 * n)))


def rank(frame: pd.DataFrame, view: View) -> Ranking:
    """The methods shown of a frame of `collect`, ranked. What is filtered out has no part in the ranks, and sanity
    controls have none, nor have methods that are not at initialisation.

    Raises ValueError if fewer than METHODS methods or BLOCKS blocks are left, and for a figure of which neither
    high nor low is better.
    """
    better = metric_of(view.metric).better
    if not better:
        raise ValueError(f"ranks of {view.metric}: must be a metric of which high or low values are better")
    frame = frame[is_plain(frame) & frame["spec.method"].map(lambda text: method_record(text).at_initialisation)]
    shown = excerpts(frame, view)
    known = frame.assign(label=labels(frame)).drop_duplicates("spec.method")
    named = dict(zip(known["spec.method"], known["label"], strict=True))
    methods = sorted(
        {cell.record.text for excerpt in shown for cell in excerpt.cells if cell.rated},
        key=lambda m: named[m],
    )
    whole, left_out = _blocks(shown, methods, named)
    if len(methods) < METHODS or len(whole) < BLOCKS:
        why = f"; left out: {'; '.join(left_out)}" if left_out and len(methods) >= METHODS else ""
        raise ValueError(
            f"ranks of {counted(len(methods), 'method')} over {counted(len(whole), 'block')} (rates of a data set and "
            "network at which each of them has every seed): "
            f"must be at least {METHODS} methods and {BLOCKS} blocks{why}"
        )
    keys = {cell.group_key for excerpt in shown for cell in excerpt.cells}
    means = pd.DataFrame({block: [cells[m].summary.mean for m in methods] for block, (_, cells) in whole.items()}).T
    means.columns = pd.Index([named[m] for m in methods])
    return Ranking(
        means=means,
        titles={block: dataset for block, (dataset, _) in whole.items()},
        left_out=left_out,
        records={named[m]: m for m in methods},
        better=better,
        alpha=view.alpha,
        metric=view.metric,
        plans=[at.plan.record.name for at in view.plans if at.plan.keys & keys],
    )


def _some(texts: Sequence[str], between: str) -> str:
    """The texts, or the first of many and how many others there are."""
    if len(texts) <= NAMED + 1:
        return between.join(texts)
    return f"{between.join(texts[:NAMED])} and {len(texts) - NAMED} others"


def _blocks(
    shown: Sequence[Excerpt], methods: Sequence[str], named: Mapping[str, str]
) -> tuple[dict[str, tuple[str, dict[str, Cell]]], list[str]]:
    """Block -> its data set and its cells by record; and what the blocks left out lack."""
    whole, left_out = {}, []
    for excerpt in shown:
        for rate in sorted({cell.rate for cell in excerpt.cells if cell.rated}):
            here = {cell.record.text: cell for cell in excerpt.cells if cell.rate == rate and cell.rated}
            block = f"{excerpt.section.title}, rate {rate_text(rate)}"
            absent = [named[m] for m in methods if m not in here]
            partial = [
                f"{named[m]} {len(c.values)} of {excerpt.seeds} seeds" for m, c in here.items() if not c.complete
            ]
            if absent or partial:
                lacking = [f"no {_some(absent, ', ')}"] if absent else []
                lacking += [_some(sorted(partial), "; ")] if partial else []
                left_out.append(f"{block} ({'; '.join(lacking)})")
            else:
                whole[block] = excerpt.section.dataset, here
    return whole, left_out
