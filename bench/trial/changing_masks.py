"""What a trial must be for its method to change the masks while it is trained. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from bench.methods import Method
from bench.methods.identity.code import root_of
from bench.references import is_ours, resolved
from bench.trial.optimizers import UPDATES, OptimizerRow, is_torch_optimizer

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
    if not _carries_state(UPDATES[fields["optimizer"]]):
        known = " or ".join(optimizer for optimizer, row in UPDATES.items() if _carries_state(row))
        raise ValueError(
            f"optimizer {fields['optimizer']} with method {name}: must be {known}, whose state is by weight; its masks "
            "change while training"
        )
    _check_moments(name, method.moments(fields["epochs"]), fields["epochs"])


def _carries_state(row: OptimizerRow) -> bool:
    """Whether what stays live can keep its state: it is by weight, and there before the first step.

    A rule that makes it at its first step says so by its `restore`; so do the classes of torch.optim.
    """
    if not row.batched or is_ours(row.rule):
        return row.batched
    rule = resolved(row.rule)
    return not (is_torch_optimizer(rule) or hasattr(root_of(rule), "restore"))


def _check_moments(name: str, moments: tuple[int, ...], epochs: int) -> None:
    if not moments:
        raise ValueError(f"epochs {epochs} with method {name}: must be more, its masks would never change")
    if not all(first < second for first, second in pairwise((0, *moments, epochs + 1))):
        raise ValueError(f"moments {moments} of method {name}: must be rising whole numbers from 1 to {epochs}")
