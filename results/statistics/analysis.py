"""What is asked of a frame, and everything that is computed of one section of it. Text comes later."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import get_args

import pandas as pd

from bench import names
from bench.results.frame.collect import DENSE
from bench.results.frame.errors import check_level, check_metric, unknown, unknown_rate
from bench.results.frame.metrics import figure
from bench.results.frame.sections import Section, control_of, sections
from bench.results.statistics.cells import Cell, cells, connected, diverged_as, twin
from bench.results.statistics.comparisons import Comparison, Test, control_family, family
from bench.results.statistics.near_chance import Place, mixed, untrained, without_near_chance

CLASSES = 10  # of a data set that the view does not know


@dataclass(frozen=True, kw_only=True)
class View:
    """What to compute (first five) and what of it to show (`names`, `methods`, `rates`: all where empty).

    Filters never change a number: cells, families and corrections are those of the whole store.
    """

    reference: str = "snip"  # a method's name, or its label where two records share the name
    test: Test = "t"
    margin: float | None = 0.005  # of equivalence, in units of the metric: 0.5 points; None = not judged
    alpha: float = 0.05
    metric: str = names.TEST_ACCURACY
    names: Collection[str] = ()  # of sweeps
    methods: Collection[str] = ()
    rates: Collection[str] = ()  # decimal texts
    published: bool = False  # also show published figures
    controls: bool = False  # also show sanity controls beside their methods
    classes: Mapping[str, int] = field(default_factory=dict)  # data set -> classes: chance is 1/classes
    test_images: Mapping[str, int] = field(default_factory=dict)  # data set -> size of its test set

    def __post_init__(self) -> None:
        if self.test not in get_args(Test):
            raise unknown("test", self.test, get_args(Test))
        check_level(self.alpha)
        if self.margin is not None and not 0 < self.margin < float("inf"):
            raise ValueError(f"margin {self.margin}: allowed is margin > 0")
        if self.reference == DENSE:
            raise ValueError("reference dense: allowed is a method with rates; percent of dense has a table of its own")
        check_metric(self.metric)
        if self.published and self.metric != names.TEST_ACCURACY:
            raise ValueError(f"metric {self.metric} beside published figures: allowed is {names.TEST_ACCURACY}")
        object.__setattr__(self, "rates", [_rate(rate) for rate in self.rates])

    def chance(self, dataset: str) -> float:
        """The accuracy of guessing on a data set."""
        return 1 / self.classes.get(dataset, CLASSES)

    def shows(self, cell: Cell) -> bool:
        """Whether a cell is displayed. The dense baseline belongs to every choice of methods and rates."""
        named = not self.names or bool(cell.sweeps & set(self.names))
        if cell.background == DENSE:
            return named
        methods = not self.methods or bool({cell.method, cell.label} & set(self.methods))
        return named and methods and (not self.rates or cell.rate in self.rates)


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A section, computed.

    `chance`, `connected` and `trained` are the comparisons again: with diverged seeds counted as chance, without the
    seeds whose pruned network is disconnected, and without the seeds near chance of a cell that has others.
    """

    section: Section
    view: View
    cells: list[Cell]
    reference: str | None  # its label; None where the section has no such method, or several
    candidates: list[str]  # labels of the reference's name
    twin: str | None  # the label that differs from the reference in the background only
    comparisons: list[Comparison]
    chance: list[Comparison]
    connected: list[Comparison]
    trained: list[Comparison]
    controlled: list[Cell]  # of methods under a sanity control: in no other cell, comparison or family
    controls: list[Comparison]  # of these, each with its own method

    @property
    def shown(self) -> list[Cell]:
        return [cell for cell in self.cells if self.view.shows(cell)]

    @property
    def dense(self) -> Cell | None:
        return next((cell for cell in self.cells if cell.background == DENSE), None)

    @property
    def shown_comparisons(self) -> list[Comparison]:
        keys = {(cell.label, cell.rate) for cell in self.shown}
        return [c for c in self.comparisons if (c.label, c.rate) in keys]

    @property
    def shown_controls(self) -> list[Comparison]:
        """Those of the methods shown."""
        keys = {(cell.label, cell.rate) for cell in self.shown}
        return [c for c in self.controls if (c.reference, c.rate) in keys]

    def mixed(self, several: Sequence[Comparison]) -> dict[Place, frozenset[int]]:
        """The cells that mix seeds near chance with others in these comparisons; only accuracies have a chance."""
        if not figure(self.view.metric).is_accuracy:
            return {}
        return mixed(several, [*self.cells, *self.controlled], self.view.chance(self.section.dataset))

    @property
    def untrained(self) -> frozenset[Place]:
        """The cells, under no control, of which no seed trained; only accuracies tell."""
        if not figure(self.view.metric).is_accuracy:
            return frozenset()
        return untrained(self.cells, self.view.chance(self.section.dataset))


def analyses(frame: pd.DataFrame, view: View) -> list[Analysis]:
    """The sections of a frame of `collect`, computed. Raises ValueError for a choice that the store does not have."""
    parts = sections(frame)
    check(frame, {label for section in parts for label in section.frame["label"]}, view)
    return [analyse(section, view) for section in parts]


def analyse(section: Section, view: View) -> Analysis:
    """All cells and comparisons of a section."""
    everything = cells(section, view.metric)
    made = [cell for cell in everything if control_of(cell.record) == "none"]
    controlled = [cell for cell in everything if cell not in made]
    labels = sorted({c.label for c in made if c.background != DENSE})
    named = {c.label for c in made if c.method == view.reference}
    candidates = [view.reference] if view.reference in labels else sorted(named & set(labels))
    reference = candidates[0] if len(candidates) == 1 else None
    plain, chance = _family(made, reference, view), view.chance(section.dataset)
    as_chance, with_paths, trained_only = (
        plain if variant == made else _family(variant, reference, view)
        for variant in (diverged_as(made, chance), connected(made), trained_cells(made, section, view))
    )
    return Analysis(
        section=section,
        view=view,
        cells=made,
        reference=reference,
        candidates=candidates,
        twin=twin(made, reference) if reference else None,
        comparisons=plain,
        chance=as_chance,
        connected=with_paths,
        trained=trained_only,
        controlled=controlled,
        controls=control_family(controlled, made, test=view.test, margin=view.margin, alpha=view.alpha),
    )


def trained_cells(made: list[Cell], section: Section, view: View) -> list[Cell]:
    """The cells without the seeds near chance beside others; all seeds where the figure is no accuracy."""
    return without_near_chance(made, view.chance(section.dataset)) if figure(view.metric).is_accuracy else made


def _family(variant: list[Cell], reference: str | None, view: View) -> list[Comparison]:
    if reference is None:
        return []
    return family(variant, reference, test=view.test, margin=view.margin, alpha=view.alpha)


def check(frame: pd.DataFrame, labels: Collection[str], view: View) -> None:
    """Raise ValueError, naming value, allowed values and the nearest, for a choice that the store does not have."""
    methods = sorted({*frame["method"], *labels})
    sweeps = sorted({s for several in frame["sweeps"] for s in several})
    rates = sorted(set(frame["rate"]), key=float)
    # A range of rates may name points that were never trained: an error only where it leaves nothing.
    lost = view.rates if not set(view.rates) & set(rates) else ()
    for what, values, known in (("sweep", view.names, sweeps), ("method", view.methods, methods)):
        for value in values:
            if value not in known:
                raise unknown(what, value, known)
    for rate in lost:
        raise unknown_rate(rate, rates)


def _rate(text: str) -> str:
    try:
        return format(Decimal(str(text)).normalize(), "f")
    except InvalidOperation:
        raise ValueError(f"rate {text}: allowed is a number, 0 <= rate < 1") from None
