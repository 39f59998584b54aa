"""What a trial must be for its method to change the masks while it is trained. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from bench.methods import Method
from bench.trial.optimizers import UPDATES

# Field -> what it must be; "auto" becomes that.
ONLY = {"step": "dense", "pack": "single", "head": "masked"}


def check_changing(name: str, method: Method, fields: Mapping[str, Any]) -> None:
    """Raise ValueError, which names the method, if these fields of a trial do not go with masks that change.

    Args: fields: step, pack, head, optimizer and epochs; step and pack may be "auto".
    """
    for field, only in ONLY.items():
        if fields[field] not in (only, "auto"):
            raise ValueError(
                f"{field} {fields[field]} with method {name}: must be {only}; its masks change while training"
            )
    if not UPDATES[fields["optimizer"]].batched:
        known = " or ".join(optimizer for optimizer, row in UPDATES.items() if row.batched)
        raise ValueError(
            f"optimizer {fields['optimizer']} with method {name}: must be {known}, whose state is by weight; its masks "
            "change while training"
        )
    _check_moments(name, method.moments(fields["epochs"]), fields["epochs"])


def _check_moments(name: str, moments: tuple[int, ...], epochs: int) -> None:
    if not moments:
        raise ValueError(f"epochs {epochs} with method {name}: must be more, its masks would never change")
    if not all(first < second for first, second in pairwise((0, *moments, epochs + 1))):
        raise ValueError(f"moments {moments} of method {name}: must be rising whole numbers from 1 to {epochs}")
