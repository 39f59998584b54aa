"""Protocol: how a trial is trained. One row per field, which everything else reads; neither torch nor methods.

To add a field: a row here (`later=True`, so that no key moves), and its use in the engine. Its option, its check, its
part of the run key and its words in the tables follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from bench.messages import plural
from bench.trial.field_row import Clause, Range, row, rows_of
from bench.trial.optimizers import LR, UPDATES, lr_help, momentum_help, nesterov_help, optimizer_words
from bench.trial.pack_kind import Pack
from bench.trial.schedules import SCHEDULES, schedule_words, schedules_with

Precision = Literal["float32", "bfloat16", "float64"]
ScoringPrecision = Literal["float32", "float64"]
Statistics = Literal["batch", "running"]
Augmentation = Literal["none", "flip-translate"]
Step = Literal["dense", "sparse"]
Head = Literal["masked", "trained"]
DecayTo = Literal["zero", "start"]

INFINITY = float("inf")
COUNT = Range("a whole number >= 1", lambda v: v >= 1)
POSITIVE = Range("{} > 0", lambda v: 0 < v < INFINITY)
NOT_NEGATIVE = Range("{} >= 0", lambda v: 0 <= v < INFINITY)
RISING = Range("rising fractions of the training, in (0, 1)", lambda v: all(x < y for x, y in pairwise((0.0, *v, 1.0))))
GAMMA = 0.1


def _fractions(milestones: str) -> tuple[float, ...]:
    try:
        return tuple(float(fraction) for fraction in milestones.split(","))
    except ValueError:
        raise ValueError(f"milestones {milestones!r}: must be fractions of the training, such as 0.5,0.75") from None


def _initialisers() -> Iterable[str]:
    from bench.models import INITIALISERS

    return INITIALISERS


def _counted(number: float, noun: str) -> str:
    return f"{number:g} {plural(number, noun)}"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a trial is trained, every field resolved. The defaults are the default protocol."""

    # fmt: off
    epochs: int = row(
        30, range=COUNT, flag="--epochs", help="Train for this many epochs.", words=lambda v: _counted(v, "epoch")
    )
    batch_size: int = row(
        100, range=COUNT, flag="--batch-size", help="Take this many images a step.", words=lambda v: f"batch {v}"
    )
    optimizer: str = row(
        "sgd", choices=UPDATES, flag="--optimizer", help="Update the weights with this optimizer.", clause="update",
        words=optimizer_words,
    )
    lr: float = row(
        LR, range=POSITIVE, owner="optimizer", search="learning rate", flag="--lr", help=lr_help, unset=True,
        clause="update", words=lambda v: f"learning rate {v:g}",
    )
    momentum: float = row(  # beta_2 of Adam and AdamW is 0.999, their epsilon 1e-8
        0.9, range=Range("0 <= {} < 1", lambda v: 0 <= v < 1), owner="optimizer", flag="--momentum",
        help=momentum_help, clause="update", words=lambda v: f"momentum {v:g}",
    )
    nesterov: bool = row(
        False, owner="optimizer", flag="--nesterov/--no-nesterov", help=nesterov_help, clause="update",
        words=lambda v: "Nesterov" if v else "",
    )
    weight_decay: float = row(  # none on biases and BatchNorm
        5e-4, range=NOT_NEGATIVE, search="weight decay", flag="--weight-decay",
        help="Decay the live weights by this factor, and nothing else.",
        words=lambda v: f"weight decay {v:g} on live weights only",
    )
    decay_to: DecayTo = row(  # "start": L2-SP (Li et al., ICML 2018)
        "zero", later=True, flag="--decay-to", plain=("zero",),
        help="Decay the live weights towards zero, or towards their value before training.",
        words=lambda v: "towards the start" if v == "start" else "towards zero",
    )
    schedule: str = row(
        "cosine", choices=SCHEDULES, flag="--schedule", clause="update", words=schedule_words,
        help="Change the learning rate over the steps by this schedule.",
    )
    milestones: tuple[float, ...] = row(
        (), range=RISING, owner="schedule", flag="--milestones", read=_fractions, clause="update",
        help="Put the milestones of the step schedule at these fractions of the training, such as 0.5,0.75.",
        words=lambda v: f"milestones at {', '.join(f'{m:g}' for m in v)} of the training",
    )
    gamma: float = row(
        GAMMA, range=Range("0 < {} <= 1", lambda v: 0 < v <= 1), owner="schedule", flag="--gamma",
        clause="update",
        help=f"Multiply the learning rate by this at each milestone of the step schedule.  [default: {GAMMA}]",
        words=lambda v: f"learning rate × {v:g} at each",
    )
    warmup_epochs: float = row(  # linear, from lr / (number of its steps)
        0.0, range=NOT_NEGATIVE, flag="--warmup-epochs", clause="update", unset=True,
        help="Warm up linearly over this many epochs.  [default: 1, or a tenth of fewer than 10 epochs]",
        words=lambda v: _counted(v, "warm-up epoch") if v else "no warm-up",
    )
    initialiser: str = row(
        "xavier-normal", flag="--initialiser", known=_initialisers,
        help="Draw the initial weights by this initialiser.", words=lambda v: f"{v} initial weights",
    )
    validation_fraction: float = row(  # stratified
        0.1, range=Range("0 < {} < 1", lambda v: 0 < v < 1), flag="--validation-fraction",
        help="Hold out this share of the training images for validation, drawn per seed.", clause="sample",
        words=lambda v: f"{100 * v:g} % of the training images held out for validation, drawn per seed",
    )
    criterion_per_class: int = row(
        10, range=COUNT, flag="--criterion-per-class", clause="sample",
        help="Show the criterion this many images per class.",
        words=lambda v: f"criterion sample of {v} un-augmented training images per class",
    )
    head: Head = row(  # of live weights there are as many in all
        "masked", later=True, flag="--head", plain=("masked",),
        help="Mask the last Linear layer like every other, or train it whole, first of the live weights.",
        words=lambda v: "head trained whole" if v == "trained" else "head masked",
    )
    criterion_statistics: Statistics = row(
        "batch", flag="--criterion-statistics", help="Use these statistics in BatchNorm while the criterion scores.",
        clause="sample", plain=("batch",),
    )
    augmentation: Augmentation = row(  # `bench.datasets.augment`
        "none", later=True, flag="--augmentation", clause="images",
        help="Augment the training images: flip, and translate by up to 4 pixels.",
        words=lambda v: "training images flipped and moved by up to 4 pixels" if v == "flip-translate" else v,
    )
    precision: Precision = row(
        "float32", flag="--precision", clause="arithmetic", words=lambda v: str(v),
        help="Train in this precision; the criterion scores in float64 whatever it is.",
    )
    criterion_precision: ScoringPrecision = row(
        "float64", clause="arithmetic", stated=False, words=lambda v: "(criterion in float64)" if v == "float64" else ""
    )
    step: Step = row(  # resolved: `bench.trial.step_kind.resolve_step`
        "dense", flag="--step", group="speed", auto=True, plain=("dense",), stated=False,
        help="Compute the gradients of all weights, or only of the live ones; auto takes what is faster at the rate.",
    )
    pack: Pack = row(  # resolved: `bench.trial.pack_kind.resolve_pack`
        "single", flag="--pack", group="speed", auto=True, plain=("single",), stated=False,
        help="Train each trial by itself, or all of one protocol in one batched step, its convolutions grouped (vmap)"
        " or as products of their patches (unfold); auto takes single on the cpu, on cuda one by the size of kernels.",
    )
    tf32: bool = row(
        False, flag="--tf32", group="speed", help="Multiply matrices in TF32 (cuda).", plain=(False,), stated=False
    )
    deterministic: bool = row(
        True, later=True, flag="--deterministic/--no-deterministic", group="speed", stated=False,
        help="Use only cuDNN algorithms whose numbers repeat (cuda).",
    )
    device: Literal["cpu", "cuda"] = row("cpu", clause="arithmetic", stated=False, words=lambda v: f"on {v}")
    threads: int = row(
        1, range=COUNT, clause="arithmetic", stated=False, words=lambda v: f"with {_counted(v, 'thread')}"
    )
    # fmt: on


ROWS = rows_of(Protocol)
CLAUSES: tuple[str, ...] = get_args(Clause)


def has_effect(name: str, fields: Mapping[str, Any]) -> bool:
    """Whether a field says anything beside those fields.

    It does not if only other schedules than theirs have it, nor does the momentum of an optimizer that has none; of an
    optimizer that is not known here, what was not chosen is not said to be.
    """
    if name == "momentum" and name in fields:
        row = UPDATES.get(fields.get("optimizer", ""))
        return fields[name] != ROWS[name].default if row is None else bool(row.momentum)
    return not (schedules := schedules_with(name)) or fields.get("schedule") in schedules
