"""TrialSpec: one trial, completely described, and the identity that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from bench.canonical import group_key_of, key_of
from bench.messages import counted
from bench.methods import METHODS, LastLayer, Method, only_rate
from bench.methods.identity.identify import identify
from bench.trial.changing_masks import check_changing
from bench.trial.field_row import KEY, FieldRow, Range, row, rows_of, says
from bench.trial.optimizers import UPDATES, displaceable, with_nesterov
from bench.trial.outside.sources import Sources, sources_of
from bench.trial.protocol import Protocol
from bench.trial.schedules import default_warmup, schedules_with
from bench.trial.search import Search
from bench.trial.start import GivenWeights, Pretraining, Start, start_words
from bench.trial.step_kind import no_sparse_step
from bench.trial.streams import SEED_LIMIT

DataKey = tuple[str, str]  # the label of a data set, and its content hash

ENGINE = 2  # raise it whenever a change of code changes a mask or a weight: the golden tests of the engine tell when


@dataclass(frozen=True, kw_only=True)
class TrialSpec(Protocol):
    """One trial: every field that can change one of its numbers, resolved. The defaults are the default protocol."""

    dataset: str
    data_hash: str  # content hash of the data set
    model: str
    method: Method
    # The fraction of the maskable weights that is not trained; 1 of the method that trains none.
    rate: Decimal = field(metadata=says(range=Range("0 <= {} < 1", lambda v: 0 <= v <= 1)))
    # 32 bits; methods at one seed share init, split, order and criterion sample.
    seed: int = field(metadata=says(range=Range(f"0 <= {{}} < {SEED_LIMIT}", lambda v: 0 <= v < SEED_LIMIT)))
    tuning: Search | None = row(None, later=True)  # how its searched fields were chosen; None = they are as given
    # What the weights are before training; None = drawn by the initialiser.
    start: Start | None = row(None, later=True, words=start_words)
    # (field, SHA-256) of what is from outside: where no name tells it, its source does. It follows from the names.
    sources: Sources = field(default=(), init=False, metadata={KEY: FieldRow(default=(), later=True)})
    engine: int = ENGINE

    def __post_init__(self) -> None:
        for name, field_row in FIELD_ROWS.items():
            if isinstance(field_row.default, float):  # 1 and 1.0 are one value, so one key
                object.__setattr__(self, name, float(getattr(self, name)))
        identify(self.method)
        if self.rate == 0:  # any method at rate 0 is dense training, one trial under one key
            object.__setattr__(self, "method", METHODS["dense"])
            object.__setattr__(self, "head", FIELD_ROWS["head"].default)  # all weights are trained, the head's too
        _check(self)
        object.__setattr__(self, "sources", sources_of(self.values()))

    def values(self) -> dict[str, Any]:
        """Field -> value. Unlike `vars`, without what was computed of them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def record(self) -> dict[str, Any]:
        """Every field as plain JSON values, without later ones at their default; an alias is the same trial."""
        values = {name: getattr(self, name) for name in FIELD_ROWS}
        stored = {n: v for n, v in values.items() if not (FIELD_ROWS[n].later and v == FIELD_ROWS[n].default)}
        return {
            **{name: list(value) if isinstance(value, tuple) else value for name, value in stored.items()},
            "method": self.method.record(),
            "rate": format(self.rate.normalize(), "f"),
            **({"tuning": self.tuning.record()} if self.tuning else {}),
            **({"start": self.start.record()} if self.start else {}),
            **({"sources": dict(self.sources)} if self.sources else {}),
        }

    @cached_property
    def run_key(self) -> str:
        """SHA-256 of the canonical JSON of all fields."""
        return key_of(self.record())

    @property
    def group_key(self) -> str:
        """The run key without the seed: what a table cell aggregates."""
        return group_key_of(self.record())

    def base(self) -> TrialSpec | None:
        """The dense trial whose trained weights this one starts from; None if no trial of ours gives them.

        Ours: it decays to zero whatever this trial decays to.
        """
        if self.start is None or not isinstance(base := self.start.base, Pretraining):
            return None
        return replace(
            self,
            dataset=base.dataset,
            data_hash=base.data_hash,
            method=METHODS["dense"],
            rate=Decimal(0),
            seed=self.seed if base.seed is None else base.seed,
            epochs=base.epochs,
            lr=base.lr,
            start=base.start,
            decay_to="zero",
            step="dense",
            tuning=None,
        )

    @property
    def data(self) -> DataKey:
        """What tells its data set from all others: the label alone is only the last component of a path."""
        return self.dataset, self.data_hash

    @property
    def base_key(self) -> str:
        """What names the base: the run key of the trial that trains it, or the SHA-256 of its weights; "" if none."""
        if self.start is not None and isinstance(self.start.base, GivenWeights):
            return self.start.base.sha256
        base = self.base()
        return base.run_key if base else ""

    def needs(self) -> tuple[TrialSpec, ...]:
        """The trials whose trained networks this one needs before it is set up, in no order."""
        return tuple(spec for spec in (self.base(), self.parent()) if spec is not None)

    def parent(self) -> TrialSpec | None:
        """The trial whose trained network the method reads, of the same data, seed, protocol and start; or None."""
        if not self.method.reads_parent:
            return None
        method, rate = self.method.parent(self.rate)
        if not rate < self.rate:  # else it could need itself
            raise ValueError(
                f"parent of {type(self.method).__name__} at rate {self.rate}: of rate {rate}; must be lower"
            )
        return replace(self, method=method, rate=rate, step=self.step if rate else "dense", tuning=None)

    @property
    def cell_key(self) -> str:
        """The group key without the fields that were searched: what `tune` chooses values for."""
        return key_of(self.cell_record())

    def cell_record(self) -> dict[str, Any]:
        """What `cell_key` is of: the record without seed and searched fields."""
        left_out = ("seed", *(self.tuning.fields if self.tuning else ()))
        return {name: value for name, value in self.record().items() if name not in left_out}


FIELD_ROWS = rows_of(TrialSpec)


def _check(spec: TrialSpec) -> None:
    for name, field_row in FIELD_ROWS.items():
        field_row.check(name, getattr(spec, name))
    if (only := only_rate(spec.method)) is not None and spec.rate != only:
        raise ValueError(f"{type(spec.method).__name__.lower()} at rate {spec.rate}: must be {only}")
    if spec.method.closes_channels and spec.head == "trained":
        raise ValueError(f"head trained with {type(spec.method).__name__}: must be masked; it loses columns")
    if only == 1 and spec.head == "trained":
        raise ValueError("head trained with biases: must be masked; biases train no weight")
    if isinstance(spec.method, LastLayer) and spec.head == "trained":
        raise ValueError("head trained with last-layer: must be masked; last-layer trains the head alone")
    if spec.method.own_widths and spec.step != "dense":
        raise ValueError(f"step {spec.step} with small-dense: must be dense; all weights of its network are trained")
    if only is None and spec.rate == 1:
        raise ValueError(f"rate {spec.rate}: must be 0 <= rate < 1, or the method biases")
    if spec.method.changes_masks:
        check_changing(type(spec.method).__name__, spec.method, spec.values())
    _check_update(spec)
    _check_start(spec)
    if spec.step == "sparse" and not spec.rate:
        raise ValueError("step sparse at rate 0: must be dense")
    if spec.step == "sparse" and (reason := no_sparse_step(spec.device, spec.precision, spec.pack)):
        raise ValueError(f"step sparse {reason}")
    if spec.warmup_epochs >= spec.epochs:
        raise ValueError(
            f"warmup-epochs {spec.warmup_epochs:g}: must be less than the {counted(spec.epochs, 'epoch')}; "
            f"of that many the default is {default_warmup(spec.epochs):g}"
        )


def _check_update(spec: TrialSpec) -> None:
    """Raise ValueError if the fields of optimizer and schedule do not go together."""
    if spec.nesterov and (spec.optimizer not in with_nesterov() or spec.momentum == 0):
        raise ValueError(
            f"nesterov with {spec.optimizer}, momentum {spec.momentum}: "
            f"must be {' or '.join(with_nesterov())} with momentum > 0"
        )
    if not UPDATES[spec.optimizer].momentum and spec.momentum != FIELD_ROWS["momentum"].default:
        raise ValueError(f"momentum {spec.momentum} with {spec.optimizer}: it has none; must be left out")
    if spec.pack != "single" and not UPDATES[spec.optimizer].batched:
        raise ValueError(f"pack {spec.pack} with {spec.optimizer}: must be single; its row does not say batched=True")
    for name, field_row in FIELD_ROWS.items():
        if field_row.default != () or not (schedules := schedules_with(name)):
            continue
        if bool(value := getattr(spec, name)) != (spec.schedule in schedules):
            must = f"the schedule must be {' or '.join(schedules)}" if value else "must be given"
            raise ValueError(f"{name} {value} with schedule {spec.schedule}: {must}")


def _check_start(spec: TrialSpec) -> None:
    """Raise ValueError if the start makes no sense, or does not go with the method's control."""
    if spec.decay_to == "start" and not spec.weight_decay:
        raise ValueError("decay_to start with weight_decay 0.0: must be zero, since nothing decays")
    if spec.decay_to == "start" and spec.optimizer not in displaceable():
        raise ValueError(
            f"decay_to start with {spec.optimizer}: must be zero; its row does not say displaceable=True, which those "
            f"of {', '.join(displaceable())} do"
        )
    if spec.start is None:
        return
    if spec.method.control == "reinitialise":
        raise ValueError("control reinitialise with a pre-trained start: must be redraw, or the start scratch")
    if spec.method.closes_channels and not spec.method.changes_masks:
        raise ValueError(f"{type(spec.method).__name__} with a pre-trained start: must be trained from scratch")
    if isinstance(base := spec.start.base, Pretraining):
        for name in ("epochs", "lr"):
            FIELD_ROWS[name].check(f"start-{name}", getattr(base, name))
        if base.seed is not None:
            FIELD_ROWS["seed"].check("seed of the base", base.seed)
