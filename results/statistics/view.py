"""What is asked of a frame: what to compute, and what of it to show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import get_args

import pandas as pd

from bench import names
from bench.metrics import Metric
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.errors import check_level, metric_of, unknown, unknown_rate
from bench.results.frame.margin import Margin, OfErrors
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Rules, Test
from bench.results.statistics.planned import Standing, standing_of

CLASSES = 10  # of a data set that the view does not know


@dataclass(frozen=True, kw_only=True)
class View:
    """What to compute (first five) and what of it to show (`sweeps`, `methods`, `rates`, `starts`: all if empty).

    Filters never change a number: cells, families and corrections are those of the whole store.
    """

    reference: str = "snip"  # a method's name, or its label if two records share the name
    test: Test = "t"
    margin: Margin | None = 0.005  # of equivalence, in units of the metric: 0.5 points; None = not judged
    alpha: float = 0.05
    metric: str = names.TEST_ACCURACY  # a name of `bench.metrics.METRICS`
    sweeps: Collection[str] = ()
    methods: Collection[str] = ()
    rates: Collection[Decimal] = ()
    starts: Collection[str] = ()  # in words
    within: float = 0.01  # how far below its dense network a method may be at its largest rate: 1 point
    published: bool = False  # also show published figures, with what tells their protocols from these
    controls: bool = False  # also show sanity controls beside their methods
    plans: Sequence[Standing] = ()  # of the store
    judges: bool = True  # False: no verdict, as at a look that lacks seeds of an earlier one
    left_to_plan: Collection[str] = ()  # of test, margin and alpha, those that nobody asked for: a plan decides
    classes: Mapping[str, int] = field(default_factory=dict)  # data set -> classes: chance is 1/classes
    test_images: Mapping[str, int] = field(default_factory=dict)  # data set -> size of its test set

    def __post_init__(self) -> None:
        if self.test not in get_args(Test):
            raise unknown("test", self.test, get_args(Test))
        check_level(self.alpha)
        if isinstance(self.margin, OfErrors):
            if not 0 < self.margin.share < 1:
                raise ValueError(f"margin {self.margin}: must be above 0% and below 100%")
            if not metric_of(self.metric).is_accuracy:
                raise ValueError(
                    f"margin {self.margin} of {self.metric}: must be a number; only accuracies have errors"
                )
        elif self.margin is not None and not 0 < self.margin < float("inf"):
            raise ValueError(f"margin {self.margin}: must be above 0")
        if not 0 < self.within < 1:
            raise ValueError(f"within {self.within}: must be above 0 and below 1")
        if self.reference in (DENSE, BIASES):
            also = "; percent of dense has a table of its own" if self.reference == DENSE else ""
            raise ValueError(f"reference {self.reference}: must be a method with rates{also}")
        metric_of(self.metric)
        if self.published and self.metric != names.TEST_ACCURACY:
            raise ValueError(f"metric {self.metric} beside published figures: must be {names.TEST_ACCURACY}")

    @property
    def shown_metric(self) -> Metric:
        """How the metric is shown."""
        return metric_of(self.metric)

    @property
    def rules(self) -> Rules:
        return Rules(test=self.test, margin=self.margin, alpha=self.alpha, judges=self.judges)

    def planned(self, group_keys: Collection[str]) -> tuple[View, Standing | None]:
        """The view of these cells at the level of their plan, and the plan; only test accuracies are planned.

        A look that lacks seeds of an earlier one has no such level: nothing is judged then.
        """
        plan = standing_of(group_keys, self.plans) if self.is_planned else None
        if plan is None:
            return self, None
        settled = replace(self, **{name: plan.plan.record.decided[name] for name in self.left_to_plan})
        if not plan.is_nested:
            return replace(settled, judges=False), plan
        return replace(settled, alpha=self.level(plan)), plan

    @property
    def is_planned(self) -> bool:
        """Whether plans are of the figure."""
        return self.metric == names.TEST_ACCURACY

    def level(self, plan: Standing) -> float:
        """The nominal level of a look at the plan: of its own alpha, or of the one that was asked for."""
        return plan.planned_level if "alpha" in self.left_to_plan else plan.level(self.alpha)

    def chance(self, dataset: str) -> float:
        """The accuracy of guessing on a data set."""
        return 1 / self.classes.get(dataset, CLASSES)

    def shows(self, cell: Cell) -> bool:
        """Whether a cell is displayed. Dense, and biases alone, belong to every choice of methods and rates.

        What only other trials need is displayed if its sweep is named.
        """
        return (not self.starts or cell.start in self.starts) and self.shows_from_any_start(cell)

    def shows_from_any_start(self, cell: Cell) -> bool:
        """The same whatever starts are chosen, for what tells the starts apart."""
        in_sweep = bool(cell.sweeps & set(self.sweeps)) if self.sweeps else not cell.needed
        if not cell.rated:
            return in_sweep
        named = not self.methods or bool({cell.method, cell.label} & set(self.methods))
        return in_sweep and named and (not self.rates or cell.rate in self.rates)


def check(frame: pd.DataFrame, labels: Collection[str], view: View) -> None:
    """Raise ValueError, naming the value and the nearest known one, for a choice that the store does not have."""
    known_sweeps = sorted({sweep for of_trial in frame["sweeps"] for sweep in of_trial})
    known_rates = {Decimal(rate) for rate in set(frame["rate"])}
    chosen = (("sweep", view.sweeps, known_sweeps), ("method", view.methods, sorted({*frame["method"], *labels})))
    for noun, values, known in chosen:
        for value in values:
            if value not in known:
                raise unknown(noun, value, known)
    # A range of rates may name points that were never trained: an error only if it leaves nothing.
    if view.rates and not known_rates & set(view.rates):
        raise unknown_rate(min(view.rates), known_rates)
