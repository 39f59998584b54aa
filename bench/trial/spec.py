"""TrialSpec: one trial, completely described, and the identity that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bench.canonical import key_of
from bench.methods import METHODS, Dense, Method
from bench.trial.pack_kind import Pack
from bench.trial.search import Search
from bench.trial.step_kind import Step, no_sparse_step
from bench.trial.streams import SEED_LIMIT

ENGINE = 2  # raise it whenever a change of code changes a mask or a weight: the golden tests of the engine tell when

Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["cosine", "step", "constant"]
Precision = Literal["float32", "bfloat16", "float64"]
ScoringPrecision = Literal["float32", "float64"]
Statistics = Literal["batch", "running"]
Augmentation = Literal["none", "flip-translate"]


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One trial: every field that can change one of its numbers, resolved. The defaults are the default protocol."""

    dataset: str
    data_hash: str  # content hash of the data set
    model: str
    method: Method
    rate: Decimal  # fraction of the maskable weights that is not trained, in [0, 1)
    seed: int  # 32 bits; methods at one seed share init, split, order and criterion sample
    initialiser: str = "xavier-normal"
    epochs: int = 30
    batch_size: int = 100
    optimizer: Optimizer = "sgd"
    lr: float = 0.1
    momentum: float = 0.9  # of SGD; beta_1 of Adam and AdamW (beta_2 = 0.999, epsilon = 1e-8)
    nesterov: bool = False
    weight_decay: float = 5e-4  # on live weights only; none on biases and BatchNorm
    schedule: Schedule = "cosine"  # per step, towards 0
    milestones: tuple[float, ...] = ()  # of the step schedule, as fractions of the training
    gamma: float = 0.1  # of the step schedule
    warmup_epochs: float = 0.0  # linear, from lr / (number of its steps)
    validation_fraction: float = 0.1  # of the training images, stratified, drawn per seed
    criterion_per_class: int = 10  # un-augmented training images per class the criterion sees
    criterion_statistics: Statistics = "batch"  # BatchNorm's statistics while scoring
    criterion_precision: ScoringPrecision = "float64"
    augmentation: Augmentation = "none"  # of training images: `bench.datasets.augment`
    precision: Precision = "float32"
    tf32: bool = False
    deterministic: bool = True  # cuDNN's algorithms: those whose numbers repeat
    step: Step = "dense"  # resolved: `bench.trial.step_kind.resolve_step`
    pack: Pack = "single"  # resolved: `bench.trial.pack_kind.resolve_pack`
    tuning: Search | None = None  # how its searched fields were chosen; None = they are as given
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    engine: int = ENGINE

    def __post_init__(self) -> None:
        for name in ("lr", "momentum", "weight_decay", "gamma", "warmup_epochs", "validation_fraction"):
            object.__setattr__(self, name, float(getattr(self, name)))  # 1 and 1.0 are one value, so one key
        if self.rate == 0:  # any method at rate 0 is dense training, one trial under one key
            object.__setattr__(self, "method", METHODS["dense"])
        _check(self)

    def record(self) -> dict[str, Any]:
        """Every field (see LATER) as plain JSON values; the method as its own record: an alias is the same trial."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        values = {name: value for name, value in values.items() if name not in LATER or value != LATER[name]}
        return {
            **values,
            "method": self.method.record(),
            "rate": format(self.rate.normalize(), "f"),
            "milestones": list(self.milestones),
            **({"tuning": self.tuning.record()} if self.tuning else {}),
        }

    @property
    def run_key(self) -> str:
        """SHA-256 of the canonical JSON of all fields."""
        return key_of(self.record())

    @property
    def group_key(self) -> str:
        """The run key without the seed: what a table cell aggregates."""
        return group_key_of(self.record())

    @property
    def cell_key(self) -> str:
        """The group key without the fields that were searched: what `tune` chooses values for."""
        return key_of(self.cell_record())

    def cell_record(self) -> dict[str, Any]:
        """What `cell_key` is of: the record without seed and searched fields."""
        left_out = ("seed", *(self.tuning.fields if self.tuning else ()))
        return {name: value for name, value in self.record().items() if name not in left_out}


# Fields that came later, at the value that every trial had before: left out of the record there, so that no key moved.
LATER: dict[str, Any] = {"augmentation": "none", "deterministic": True, "tuning": None}


def group_key_of(record: Mapping[str, Any]) -> str:
    """The group key of a TrialSpec's record."""
    return key_of({name: value for name, value in record.items() if name != "seed"})


# field -> (allowed, test); a value outside is a one-line error that names it.
RANGES: dict[str, tuple[str, Any]] = {
    "rate": ("0 <= rate < 1", lambda v: 0 <= v < 1),
    "seed": (f"0 <= seed < {SEED_LIMIT}", lambda v: 0 <= v < SEED_LIMIT),
    "epochs": ("a whole number >= 1", lambda v: v >= 1),
    "batch_size": ("a whole number >= 1", lambda v: v >= 1),
    "lr": ("lr > 0", lambda v: 0 < v < float("inf")),
    "momentum": ("0 <= momentum < 1", lambda v: 0 <= v < 1),
    "weight_decay": ("weight_decay >= 0", lambda v: 0 <= v < float("inf")),
    "milestones": ("rising fractions of the training, in (0, 1)", lambda v: _rising((0.0, *v, 1.0))),
    "gamma": ("0 < gamma <= 1", lambda v: 0 < v <= 1),
    "warmup_epochs": ("warmup_epochs >= 0", lambda v: 0 <= v < float("inf")),
    "validation_fraction": ("0 < validation_fraction < 1", lambda v: 0 < v < 1),
    "criterion_per_class": ("a whole number >= 1", lambda v: v >= 1),
    "threads": ("a whole number >= 1", lambda v: v >= 1),
}  # fmt: skip


def _rising(values: tuple[float, ...]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _check(spec: TrialSpec) -> None:
    for name, kind in get_type_hints(type(spec)).items():
        value = getattr(spec, name)
        if get_origin(kind) is Literal and value not in get_args(kind):
            raise ValueError(f"{name} {value!r}: allowed are {', '.join(get_args(kind))}")
    for name, (allowed, test) in RANGES.items():
        value = getattr(spec, name)
        if not test(value):
            raise ValueError(f"{name} {value}: allowed is {allowed}")
    if isinstance(spec.method, Dense) and spec.rate != 0:
        raise ValueError(f"dense at rate {spec.rate}: allowed is 0")
    if spec.nesterov and (spec.optimizer != "sgd" or spec.momentum == 0):
        raise ValueError(f"nesterov with {spec.optimizer}, momentum {spec.momentum}: allowed is sgd with momentum > 0")
    if bool(spec.milestones) != (spec.schedule == "step"):
        raise ValueError(
            f"milestones {spec.milestones} with schedule {spec.schedule}: the step schedule, and it alone, has them"
        )
    if spec.step == "sparse" and not spec.rate:
        raise ValueError("step sparse at rate 0: allowed is dense")
    if spec.step == "sparse" and (reason := no_sparse_step(spec.device, spec.precision, spec.pack)):
        raise ValueError(f"step sparse {reason}")
    if spec.warmup_epochs >= spec.epochs:
        raise ValueError(f"warmup_epochs {spec.warmup_epochs}: allowed is less than the {spec.epochs} epochs")
