"""From the values of a protocol that were given to all its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.trial.optimizers import default_lr
from bench.trial.protocol import ROWS
from bench.trial.schedules import default_warmup, schedules_with


def default_of(name: str) -> Any:
    """The value of a field that nobody gave: "auto" if it follows from others; None if it depends on them."""
    return "auto" if ROWS[name].auto else None if is_unset(name) else ROWS[name].default


def is_unset(name: str) -> bool:
    """Whether a field has no default: one of a schedule's own must not look as if it were given."""
    return ROWS[name].unset or bool(schedules_with(name))


def with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a user can set; `step` and `pack` may still be "auto".

    Raises: ValueError if a field of another schedule is given, or no learning rate though the optimizer needs one.
    """
    fields = {name: default_of(name) for name, row in ROWS.items() if row.flag and not is_unset(name)} | dict(given)
    for name, value in fields.items():
        if isinstance(ROWS[name].choices, Mapping):  # a table that a plug-in may add to
            ROWS[name].check(name, value)
    for name in given:
        if (schedules := schedules_with(name)) and fields["schedule"] not in schedules:
            must = f"the schedule must be {' or '.join(schedules)}"
            raise ValueError(f"{name.replace('_', '-')} with schedule {fields['schedule']}: {must}")
    if "lr" not in fields:
        fields["lr"] = default_lr(fields["optimizer"])
    return {"warmup_epochs": default_warmup(fields["epochs"]), **fields}
