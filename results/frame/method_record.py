"""A method's record, parsed once: what tells methods apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from bench.messages import decimal_text
from bench.names import FADES, SCALES

PLAIN = "none"  # the control of a method that is under none

# Groups of methods: methods of two groups are in no comparison, and each has its own freeze − prune.
AT_INITIALISATION = "at initialisation"  # live weights are chosen before anything is trained
TRAINED_FIRST = "trained first"  # they follow from another training
CHANGING = "masks change while training"
TO_BUDGET = "to a budget"  # they end at numbers of parameters and of multiply-accumulates, chosen whenever
BASELINES = "baselines"  # what stands beside every table: a small dense network, the classifier alone
GROUPS = (AT_INITIALISATION, TRAINED_FIRST, CHANGING, TO_BUDGET, BASELINES)
CRITERIA_OF_BASELINES = ("small-dense", "last-layer")


@dataclass(frozen=True, kw_only=True)
class MethodRecord:
    """The fields of a method. Two records are equal if their canonical JSON is."""

    text: str  # canonical JSON
    fields: Mapping[str, Any] = field(compare=False, repr=False)

    @property
    def control(self) -> str:
        """The sanity control that the method is under, or PLAIN."""
        return str(self.fields.get("control", PLAIN))

    @property
    def background(self) -> str:
        """freeze, prune, any other scale as "0.25", or of one that fades its first and its last, as "1 to 0"."""
        held = self.fields.get("background", "")
        if self.fades:
            first = SCALES.get(held, 1.0) if isinstance(held, str) else held
            return f"{decimal_text(first)} to {decimal_text(self.end)}"
        return held if isinstance(held, str) else decimal_text(held)

    @property
    def fades(self) -> bool:
        """Whether the background is another at the end of the training than at its start."""
        return self.fields.get("fade") in FADES

    @property
    def end(self) -> float:
        """The last scale of a background that fades."""
        return float(self.fields.get("fade_to", 0.0))

    @property
    def costs_as(self) -> str:
        """The background whose costs the stored network has: dead weights of any scale but 0 cost what frozen do."""
        if self.fades:
            return "freeze" if self.end else "prune"
        return "freeze" if self.is_scaled else str(self.fields.get("background", ""))

    @property
    def scale(self) -> float | None:
        """How many times their value at the start dead weights hold: 1 frozen, 0 pruned; None if it is not known, or
        if that changes.
        """
        if self.fades:
            return None
        held = self.fields.get("background")
        return SCALES.get(held) if isinstance(held, str) else held

    @property
    def is_scaled(self) -> bool:
        """Whether its background is neither freeze nor prune, but a scale of its own."""
        return self.scale is not None and self.scale not in SCALES.values()

    @property
    def selection(self) -> str:
        """How live weights are chosen, as JSON: equal of a freezing and a pruning method that choose alike."""
        return self._without("background")

    @property
    def at_initialisation(self) -> bool:
        """Whether it is in the group of that name; a record says it only of methods that choose later."""
        return self.group == AT_INITIALISATION

    @property
    def group(self) -> str:
        """The method's of GROUPS."""
        if self.fields.get("criterion") in CRITERIA_OF_BASELINES:
            return BASELINES
        if self.fields.get("closes_channels") or self.fields.get("ends_at_budget"):
            return TO_BUDGET
        if self.fields.get("at_initialisation", True):
            return AT_INITIALISATION
        return CHANGING if self.fields.get("changes_masks") else TRAINED_FIRST

    @property
    def trains_weights(self) -> bool:
        """Whether live weights are trained, and so stored; a record says it only if they are not."""
        return bool(self.fields.get("trains_weights", True))

    @property
    def uncontrolled(self) -> str:
        """The canonical JSON of the method that a control is about."""
        return self._without("control")

    def _without(self, name: str) -> str:
        return canonical({field: value for field, value in self.fields.items() if field != name})


@cache
def method_record(text: str) -> MethodRecord:
    """The record with that canonical JSON."""
    return MethodRecord(text=text, fields=json.loads(text))


def canonical(value: Any) -> str:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
