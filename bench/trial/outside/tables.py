"""The tables that a plug-in can add to, methods aside: how its values are read, and what identifies them. No torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from inspect import Signature, signature
from typing import Any

from bench.datasets import DATASETS, ArraySource
from bench.datasets.outside.objects import source_of
from bench.methods.identity.code import root_of
from bench.models import MODELS, ModelRow
from bench.references import Reference
from bench.trial.optimizers import UPDATES, OptimizerRow, is_torch_optimizer
from bench.trial.schedules import OWN_FIELDS, SCHEDULES, ScheduleRow

MODEL_CALLED = "called with the number of classes"
OPTIMIZER_CALLED = "called with spec, tensors and weight decay"
SCHEDULE_CALLED = "called with fields, step, steps and warmup"

UNUSABLE = {  # of torch.optim: it gets the live values of a weight as a vector, and the learning rate of each step
    "LBFGS": "must not compute the loss again",
    "SparseAdam": "must take dense gradients",
    "Adafactor": "must not need the shape of a weight, of which it gets the live values",
    "Muon": "must not need the shape of a weight, of which it gets the live values",
    "Rprop": "must follow the learning rate of each step",
}
# Of torch.optim: these read a weight only to decay it by weight_decay. ASGD decays it by its `lambd` besides.
DISPLACEABLE = ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")


@dataclass(frozen=True, kw_only=True)
class Table:
    """One kind of thing that a trial names."""

    noun: str
    field: str  # of a trial, whose value is a name of this table
    group: str  # of entry points
    rows: dict[str, Any]  # the table itself
    row_of: Callable[[str, Any], Any]  # from a name and the value of a plug-in to the row; ValueError if it is none
    code: Callable[[Any], Reference]  # what identifies a row by its source
    fingerprint: Callable[[Any], str] = lambda row: ""  # what identifies it instead, if anything


def _model_row(name: str, value: Any) -> ModelRow:
    if isinstance(value, ModelRow):
        return value
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].nn.Module):
        raise ValueError(f"a network: must be what makes a new one, a function or class {MODEL_CALLED}")
    return ModelRow(build=_callable(value, ModelRow, MODEL_CALLED))


def _dataset_row(name: str, value: Any) -> ArraySource:
    return replace(source_of(value), guard="bench.trial.loading:guarded")


def _optimizer_row(name: str, value: Any) -> OptimizerRow:
    if isinstance(value, OptimizerRow):
        return value
    if is_torch_optimizer(value):
        return OptimizerRow(words=name, rule=_torch_optimizer(value), displaceable=_is_of_torch(value, DISPLACEABLE))
    return OptimizerRow(words=name, rule=_callable(value, OptimizerRow, OPTIMIZER_CALLED, 3))


def _torch_optimizer(value: Any) -> Any:
    root, parameters = root_of(value), signature(value).parameters
    if _is_of_torch(value, UNUSABLE):
        raise ValueError(f"torch.optim.{root.__name__}: {UNUSABLE[root.__name__]}")
    lacking = [name for name in ("lr", "weight_decay") if name not in parameters]
    if lacking:
        raise ValueError(f"{root.__qualname__}: must take {' and '.join(lacking)}, which the protocol sets")
    return value


def _is_of_torch(value: Any, names: Container[str]) -> bool:
    """Whether it is a class of torch.optim with one of these names."""
    root = root_of(value)
    return root.__module__.startswith("torch.") and root.__name__ in names


def _schedule_row(name: str, value: Any) -> ScheduleRow:
    row: ScheduleRow = value
    if not isinstance(value, ScheduleRow):
        row = ScheduleRow(words=f"{name} schedule", factor=_callable(value, ScheduleRow, SCHEDULE_CALLED, 4))
    if others := set(row.fields) - OWN_FIELDS:
        raise ValueError(f"field {min(others)}: must be one of {', '.join(sorted(OWN_FIELDS))}")
    return row


def _callable(value: Any, row: type[Any], called: str, arguments: int = 1) -> Callable[..., Any]:
    """The value, if it can be called so."""
    must = f"must be {'an' if row is OptimizerRow else 'a'} {row.__name__}, or a function or class {called}"
    if not callable(value):
        raise ValueError(f"{type(value).__name__}: {must}")
    function: Callable[..., Any] = value
    counts = (1, 2) if row is ModelRow else (arguments,)  # a network's can take the shape of the images too
    if (parameters := _parameters(function)) and not any(_binds(parameters, count) for count in counts):
        raise ValueError(f"{getattr(value, '__qualname__', type(value).__name__)}{parameters}: {must}")
    return function


def _parameters(function: Callable[..., Any]) -> Signature | None:
    try:
        return signature(function)
    except (TypeError, ValueError):  # of a function of C
        return None


def _binds(parameters: Signature, arguments: int) -> bool:
    """Whether a function of these parameters can be called with that many arguments."""
    try:
        parameters.bind(*range(arguments))
    except TypeError:
        return False
    return True


TABLES = {  # the name of a module-level dict of a plug-in -> its table
    "MODELS": Table(
        noun="model", field="model", group="bench.models", rows=MODELS, row_of=_model_row,
        code=lambda row: row.build, fingerprint=lambda row: row.fingerprint,
    ),
    "DATASETS": Table(
        noun="data set", field="dataset", group="bench.datasets", rows=DATASETS, row_of=_dataset_row,
        code=lambda row: row.value if callable(row.value) else type(row.value),
    ),
    "OPTIMIZERS": Table(
        noun="optimizer", field="optimizer", group="bench.optimizers", rows=UPDATES, row_of=_optimizer_row,
        code=lambda row: row.rule,
    ),
    "SCHEDULES": Table(
        noun="schedule", field="schedule", group="bench.schedules", rows=SCHEDULES, row_of=_schedule_row,
        code=lambda row: row.factor,
    ),
}  # fmt: skip
