"""Everything that is computed of one section of a frame. Text comes later."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.method_record import AT_INITIALISATION, BASELINES, PLAIN, method_record
from bench.results.frame.sections import Section, sections
from bench.results.statistics import near_chance
from bench.results.statistics.cells import Cell, Key, cells, connected, diverged_as, twin
from bench.results.statistics.comparisons import (
    Comparison,
    control_pairs,
    family_of,
    freeze_prune_pairs,
    reference_pairs,
)
from bench.results.statistics.families import Cells, Family, together
from bench.results.statistics.planned import Standing
from bench.results.statistics.view import View, check

# The variants of a family: without the seeds whose pruned network is disconnected; without those near chance of a cell
# that has others; with diverged seeds counted as chance. Only accuracies have a chance.
CONNECTED, TRAINED, CHANCE = "connected", "trained", "chance"
MIXED, UNTRAINED = "mixed", "untrained"  # doubts about a comparison: some, or all, seeds of a side are near chance


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A section, computed.

    The primary family answers the question: freeze − prune of every method that has both, at every start of the data
    set, network and protocol. The secondary one is every method but dense against the reference. The twin of the
    reference counts in it, as every method does, and is judged by the primary family only: no pair has two adjusted
    p-values.
    """

    section: Section
    view: View
    cells: list[Cell]
    primary: Family
    reference: str | None  # its label; None if the section has no such method, or several
    candidates: list[str]  # labels of the reference's name
    twin: str | None  # the label that differs from the reference in the background only
    secondary: Family
    controlled: list[Cell]  # of methods under a sanity control: in no other cell, comparison or family
    controls: list[Comparison]  # of these, each with its own method
    starts: Mapping[str, Sequence[Cell]]  # start in words -> its cells, of all sections that differ in it only
    plan: Standing | None = None  # that names comparisons of these sections; `view` then has the level of this look

    @property
    def shown(self) -> list[Cell]:
        return [cell for cell in self.cells if self.view.shows(cell)]

    @cached_property
    def by_key(self) -> dict[Key, Cell]:
        """All cells, those under a control too."""
        return {cell.key: cell for cell in (*self.cells, *self.controlled)}

    @property
    def dense(self) -> Cell | None:
        return self._unrated(DENSE)

    @property
    def biases(self) -> Cell | None:
        """The cell of no live weight."""
        return self._unrated(BIASES)

    def _unrated(self, background: str) -> Cell | None:
        return next((cell for cell in self.cells if cell.background == background), None)

    @cached_property
    def shown_keys(self) -> set[Key]:
        return {cell.key for cell in self.shown}

    @property
    def unplanned(self) -> list[Comparison]:
        """Those of freeze − prune that the plan does not name; none without a plan."""
        return [c for c in self.primary.comparisons if self.is_unplanned(c)]

    def is_planned(self, c: Comparison) -> bool:
        """Whether the plan names this comparison; one against the reference, or of a control, never is."""
        cells = self.by_key
        return self.plan is not None and self.plan.has((cells[c.sides[0]], cells[c.sides[1]]))

    def is_unplanned(self, c: Comparison) -> bool:
        """Whether it is one of freeze − prune of which there is a plan that does not name it."""
        return self.plan is not None and c.sides in self._primary_sides and not self.is_planned(c)

    @cached_property
    def _primary_sides(self) -> frozenset[tuple[Key, Key]]:
        return frozenset(c.sides for c in self.primary.comparisons)

    @property
    def shown_primary(self) -> list[Comparison]:
        """Those of which the frozen or the pruned cell is shown, ordered by the pruned method."""
        shown = [c for c in self.primary.comparisons if self.shown_keys & set(c.sides)]
        return sorted(shown, key=lambda c: (c.reference, c.label, c.rate))

    @property
    def shown_secondary(self) -> list[Comparison]:
        """Those of the methods shown, without the twin of the reference."""
        shown = [c for c in self.secondary.comparisons if c.label != self.twin and c.sides[0] in self.shown_keys]
        return sorted(shown, key=lambda c: c.sides)

    @property
    def shown_controls(self) -> list[Comparison]:
        """Those of the methods shown."""
        return [c for c in self.controls if c.sides[1] in self.shown_keys]

    @cached_property
    def against_reference(self) -> dict[Key, Comparison]:
        """What tells each cell from the reference's: the twin's is turned round if the reference is the frozen one."""
        further = {c.sides[0]: c for c in self.secondary.comparisons if c.label != self.twin}
        frozen = {c.sides[0]: c for c in self.primary.comparisons if c.reference == self.reference}
        pruned = {c.sides[1]: c.turned for c in self.primary.comparisons if c.label == self.reference}
        return further | frozen | pruned

    @cached_property
    def doubts(self) -> dict[tuple[Key, Key], set[str]]:
        """Sides of a primary comparison -> its doubts."""
        return {c.sides: self.doubts_of(c) for c in self.primary.comparisons}

    def doubts_of(self, c: Comparison) -> set[str]:
        """Why the figures of a comparison do not mean what they say; a diverged seed among its pairs is at chance."""
        if not c.n or not self.view.shown_metric.is_accuracy:
            return set()
        chance = self.view.chance(self.section.dataset)
        sides = diverged_as([self.by_key[key] for key in c.sides], chance)
        doubted = {MIXED: near_chance.mixed([c], sides, chance), UNTRAINED: near_chance.untrained(sides, chance)}
        return {doubt for doubt, keys in doubted.items() if keys}

    def mixed(self, comparisons: Sequence[Comparison]) -> dict[Key, frozenset[int]]:
        """The cells that mix seeds near chance with others in these comparisons; only accuracies have a chance."""
        if not self.view.shown_metric.is_accuracy:
            return {}
        return near_chance.mixed(comparisons, [*self.cells, *self.controlled], self.view.chance(self.section.dataset))

    @property
    def untrained(self) -> frozenset[Key]:
        """The cells, under no control, of which no seed trained; only accuracies tell."""
        if not self.view.shown_metric.is_accuracy:
            return frozenset()
        trainable = [cell for cell in self.cells if cell.background != BIASES]
        return near_chance.untrained(trainable, self.view.chance(self.section.dataset))


def analyses(frame: pd.DataFrame, view: View) -> list[Analysis]:
    """The sections of a frame of `collect`, computed. Raises ValueError for a choice that the store does not have."""
    every = sections(frame)
    check(frame, {label for section in every for label in section.frame["label"]}, view)
    check_reference(every, view.reference)
    by_family: dict[tuple[str, bool], list[Section]] = {}
    for section in every:
        by_family.setdefault((section.family, section.needed), []).append(section)
    return [analysis for family in by_family.values() for analysis in analyse(family, view)]


def analyse(family: Sequence[Section], view: View) -> list[Analysis]:
    """All cells and comparisons of sections that differ in their start only."""
    everything = [cells(section, view.metric) for section in family]
    view, plan = view.planned({cell.group_key for of_section in everything for cell in of_section})
    plain = [_plain(of_section, section, view) for of_section, section in zip(everything, family, strict=True)]
    primary = together(plain, view.rules, freeze_prune_pairs, plan)
    starts = {section.start: own.plain for section, own in zip(family, plain, strict=True)}
    return [
        _analysis(section, view, own, of_section, primary=of_primary, starts=starts, plan=plan)
        for section, of_section, own, of_primary in zip(family, everything, plain, primary, strict=True)
    ]


def _plain(everything: Sequence[Cell], section: Section, view: View) -> Cells:
    """The cells under no control, and again of other seeds."""
    plain = [cell for cell in everything if cell.record.control == PLAIN]
    variants = {CONNECTED: connected(plain)}
    if view.shown_metric.is_accuracy:
        chance = view.chance(section.dataset)
        variants[TRAINED] = near_chance.without_near_chance(plain, chance)
        variants[CHANCE] = diverged_as(plain, chance)
    return Cells(plain=plain, variants=variants)


def _analysis(
    section: Section, view: View, own: Cells, everything: Sequence[Cell], *, primary: Family,
    starts: Mapping[str, Sequence[Cell]], plan: Standing | None,
) -> Analysis:  # fmt: skip
    plain = own.plain
    controlled = [cell for cell in everything if cell.record.control != PLAIN]
    labels = {cell.label for cell in plain if cell.rated}
    named = {cell.label for cell in plain if cell.method == view.reference}
    candidates = [view.reference] if view.reference in labels else sorted(named & labels)
    reference = candidates[0] if len(candidates) == 1 else None
    (secondary,) = together([own], view.rules, lambda cells: reference_pairs(cells, reference) if reference else [])
    return Analysis(
        section=section,
        view=view,
        cells=plain,
        primary=primary,
        reference=reference,
        candidates=candidates,
        twin=twin(plain, reference) if reference else None,
        secondary=secondary,
        controlled=controlled,
        controls=family_of(control_pairs(controlled, plain), view.rules),
        starts=starts,
        plan=plan,
    )


def check_reference(every: Collection[Section], reference: str) -> None:
    """Raise ValueError for a reference that needs another training first: no method is compared with it."""
    methods = [section.frame[["method", "label", "spec.method"]].drop_duplicates() for section in every]
    records = {
        method_record(text)
        for of_section in methods
        for method, label, text in of_section.itertuples(index=False)
        if reference in (method, label)
    }
    if records and not any(record.group in (AT_INITIALISATION, BASELINES) for record in records):
        others = (
            "; methods that need another training first are in a group of their own, and so are those whose masks "
            "change while training, and those that end at a budget"
        )
        raise ValueError(f"reference {reference}: must be a method at initialisation{others}")
