"""The options of the protocol, which `run` and `tune` share, and the fields of TrialSpec that they give. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import click

from bench.trial.pack_kind import Pack
from bench.trial.spec import Augmentation, Optimizer, Precision, Schedule, Statistics, TrialSpec

DEFAULTS = TrialSpec.__dataclass_fields__
FIELDS = (
    "epochs", "batch_size", "optimizer", "momentum", "nesterov", "weight_decay", "schedule", "warmup_epochs",
    "validation_fraction", "criterion_per_class", "criterion_statistics", "augmentation", "precision", "tf32",
    "deterministic", "step", "pack",
)  # fmt: skip


def _field(name: str, flag: str, help_text: str, **kwargs: Any) -> Any:
    """An option that is a field of TrialSpec; its default is the field's."""
    default = DEFAULTS[name].default
    return click.option(flag, name, default=default, show_default=True, help=help_text, **kwargs)


PROTOCOL = [
    _field("epochs", "--epochs", "Epochs of training.", type=int),
    _field("batch_size", "--batch-size", "Images per step.", type=int),
    _field("optimizer", "--optimizer", "Optimizer.", type=click.Choice(get_args(Optimizer))),
    click.option("--lr", type=float, help="Learning rate.  [default: 0.1 for sgd; adam and adamw need it given]"),
    _field("momentum", "--momentum", "Momentum of SGD; beta_1 of Adam and AdamW.", type=float),
    _field("nesterov", "--nesterov/--no-nesterov", "Nesterov momentum (sgd).", is_flag=True),
    _field("weight_decay", "--weight-decay", "On live weights only.", type=float),
    _field("schedule", "--schedule", "Learning rate over the steps.", type=click.Choice(get_args(Schedule))),
    click.option("--milestones", default="", help="Of the step schedule: fractions of the training, as 0.5,0.75."),
    click.option("--gamma", type=float, help="Of the step schedule: factor at a milestone.  [default: 0.1]"),
    _field("warmup_epochs", "--warmup-epochs", "Linear warm-up.", type=float),
    _field("initialiser", "--initialiser", "How initial weights are drawn.", type=str),
    _field("validation_fraction", "--validation-fraction", "Share of train held out per seed.", type=float),
    _field("criterion_per_class", "--criterion-per-class", "Images per class the criterion sees.", type=int),
    _field("criterion_statistics", "--criterion-statistics", "Of BatchNorm while the criterion scores.", type=click.Choice(get_args(Statistics))),
    _field("augmentation", "--augmentation", "Of training images: flip, translation by up to 4 pixels.", type=click.Choice(get_args(Augmentation))),
    _field("precision", "--precision", "Arithmetic.", type=click.Choice(get_args(Precision))),
    click.option("--step", type=click.Choice(["auto", "dense", "sparse"]), default="auto", show_default=True,
                 help="Gradients of all weights, or of the live ones alone; auto: what is faster at the rate."),
    click.option("--pack", type=click.Choice(["auto", *get_args(Pack)]), default="auto", show_default=True,
                 help="Each trial alone, or all of one protocol in one batched step, its convolutions grouped (vmap) or as"
                 " products of their patches (unfold); auto: single on the cpu, unfold on cuda."),
    _field("tf32", "--tf32", "TF32 matrix products (cuda).", is_flag=True),
    _field("deterministic", "--deterministic/--no-deterministic", "cuDNN algorithms whose numbers repeat (cuda)."),
]  # fmt: skip


def read_protocol(values: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol's fields of a TrialSpec; `step` and `pack` may be "auto".

    Args:   values: option of PROTOCOL -> its value, as click gives it.
    Raises: ValueError, in one line, if a value is none, or belongs to another choice.
    """
    protocol = {name: values[name] for name in FIELDS}
    protocol |= {
        "initialiser": values["initialiser"],
        "lr": _lr(values),
        "milestones": _milestones(values["milestones"]),
    }
    if values["gamma"] is not None:
        if values["schedule"] != "step":
            raise ValueError(f"--gamma with schedule {values['schedule']}: the step schedule alone has it")
        protocol["gamma"] = values["gamma"]
    return protocol


def _lr(values: Mapping[str, Any]) -> float:
    if values["lr"] is not None:
        return float(values["lr"])
    if values["optimizer"] != "sgd":
        raise ValueError(f"optimizer {values['optimizer']}: needs --lr; the default 0.1 is for sgd")
    return 0.1


def _milestones(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(item) for item in text.split(",")) if text else ()
    except ValueError:
        raise ValueError(f"milestones {text!r}: allowed are fractions of the training, as 0.5,0.75") from None
