"""A plan held against the store: how far its trials are, at which level a look may mark, and its family."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from bench import names
from bench.results.frame.plans import Plan, Planned
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison, Pair, Rules, family_of
from bench.results.statistics.spending import level_at, rounded_down

KEY_LENGTH = 16  # hexadecimal digits that tell one set of trials from another
FEWEST = 2  # seeds of a test


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A plan, and how far its trials are."""

    plan: Plan
    present: tuple[Planned, ...]  # the comparisons of which both cells have a trial that ended
    complete: frozenset[int]  # the planned seeds that all of these have
    run_keys: frozenset[str]  # of the trials of comparisons that have ended, at planned seeds

    @property
    def n(self) -> int:
        """The number of seeds of this look."""
        return len(self.complete)

    @property
    def is_finished(self) -> bool:
        record = self.plan.record
        return self.n == len(record.seeds) and len(self.present) == len(record.comparisons)

    @cached_property
    def data(self) -> str:
        """What tells this look from others: the same trials seen twice are one look."""
        return hashlib.sha256("\n".join(sorted(self.run_keys)).encode()).hexdigest()[:KEY_LENGTH]

    @property
    def counts(self) -> bool:
        """Whether to show the results now is a look: before the end, at a trial at least."""
        return bool(self.run_keys) and not self.is_finished

    @property
    def is_nested(self) -> bool:
        """Whether this look has the seeds of every earlier one that had a test: levels are those of looks that do."""
        return all(look.is_within(self.complete) for look in self.plan.looks.values() if look.seeds >= FEWEST)

    def level(self, alpha: float) -> float:
        """The nominal level of this look, if it is nested and `alpha` is spent over the planned looks and those that
        were taken.

        Holm tests the j comparisons that are left at this level / j, which must not be above the level of alpha / j, of
        looks that overlap less: the least of j · level(alpha / j), else the family errs more often than alpha. In all
        cases computed it rises or falls with j throughout, so it is that of one comparison or of all. Planned looks
        count whether anybody looked or not, so that a copy of the store has the same level.
        """
        record, m = self.plan.record, len(self.plan.record.comparisons)
        looks = [*record.looks, *(look.seeds for look in self.plan.looks.values())]
        n, seeds, spending = max(self.n, FEWEST), len(record.seeds), record.spending
        return min(rounded_down(j * level_at(n, seeds, looks, spending, alpha / j)) for j in {1, m})

    @property
    def planned_level(self) -> float:
        """That of the planned alpha."""
        return self.level(self.plan.record.alpha)

    def has(self, pair: Pair) -> bool:
        """Whether a comparison is planned."""
        return (pair[0].group_key, pair[1].group_key) in self.plan.pairs

    def counted(self, cell: Cell) -> Cell:
        """The cell with the seeds of this look only: looks at as many seeds are then looks at the same figures."""
        return replace(cell, values={seed: value for seed, value in cell.values.items() if seed in self.complete})


def standing(plan: Plan, frame: pd.DataFrame) -> Standing:
    """The plan over the trials of a frame of `collect`; one that diverged has ended, one that failed has not."""
    record = plan.record
    ended = frame[frame["group_key"].isin(plan.keys) & frame["outcome"].isin([names.DONE, names.DIVERGED])]
    ended = ended[ended["seed"].isin(record.seeds)]
    seeds = ended.groupby("group_key")["seed"].agg(frozenset).to_dict()
    present = tuple(planned for planned in record.comparisons if all(key in seeds for key in planned.keys))
    shared = [seeds[key] for planned in present for key in planned.keys]
    return Standing(
        plan=plan,
        present=present,
        complete=frozenset.intersection(*shared) if shared else frozenset(),
        run_keys=frozenset(ended["run_key"]),
    )


def standing_of(group_keys: Collection[str], standings: Sequence[Standing]) -> Standing | None:
    """The first that plans a comparison of these cells."""
    keys = set(group_keys)
    return next((standing for standing in standings if keys & standing.plan.keys), None)


def planned_family(pairs: Sequence[Pair], rules: Rules, standing: Standing) -> list[Comparison]:
    """The planned comparisons, corrected among themselves, at the seeds of this look; the others over all pairs.

    A planned comparison without a trial counts in the family: it must not shrink by what is left out.
    """
    everything = family_of(pairs, rules)
    planned = [i for i, pair in enumerate(pairs) if standing.has(pair)]
    own = [(standing.counted(pairs[i][0]), standing.counted(pairs[i][1])) for i in planned]
    absent = len(standing.plan.record.comparisons) - len(planned)
    for i, comparison in zip(planned, family_of(own, rules, absent=absent), strict=True):
        everything[i] = comparison
    return everything
