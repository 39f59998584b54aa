"""The trained network of another trial that a trial's method reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from bench.trial.spec import TrialSpec


@dataclass(frozen=True)
class Parent:
    """A trained network: its maskable weights and its masks."""

    key: str  # the run key of the trial that trained it
    sha256: str  # of its weights: `bench.models.initialise.checksum`
    trained: Mapping[str, Tensor]
    live: Mapping[str, Tensor]  # True = live


def keywords(spec: TrialSpec, parent: Parent | None) -> dict[str, Any]:
    """What `select` of the trial's method is given of it: nothing, if it reads none.

    Raises: ValueError if it is missing.
    """
    if not spec.method.reads_parent:
        return {}
    if parent is None:
        raise ValueError("the trained network of its parent is missing: it must be given")
    return {"trained": parent.trained, "live": dict(parent.live)}
