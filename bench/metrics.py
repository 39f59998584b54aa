"""The figures of a trial, a row each: how it is shown, when and by which function it is computed.

To add one: a row here, and its function. With `names` the one list shared by the writers (`bench.engine`,
`bench.storage`) and the reader (`bench.results`). Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench import names

When = Literal[
    "initial",  # at the initial weights, under the mask, before the dead weights get their background
    "start",  # at the effective initial weights
    "epoch",  # before training and after every epoch
    "trained",  # after the last epoch, of the stored network
    "ended",  # from the figures of the epochs, however the trial ended
    "later",  # by a command of its own: a trial may have it
]
# What MLflow's pages show together, a section each, in this order. A constant is the same for all methods and rates of
# a network: a parameter there.
Group = Literal["accuracy", "cost", "curve", "flow", "mask", "storage", "constant"]
NONE = "–"  # if there is no number


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of a trial. Shown are values times `factor`; `better` is 1 (higher), -1 (lower) or 0 (neither).

    `function` is "module:function", resolved when it is first needed. It takes a `bench.engine.measures.moment.Moment`
    and returns name -> value, of one row or of several that name the same function. Without one, the training loop
    itself has the value, for all trials of a pack at once.
    """

    name: str
    words: str
    when: When
    group: Group = "curve"  # over the epochs
    function: str = ""
    factor: float = 1.0
    form: str = ".4g"  # of a number
    unit: str = ""  # of a value
    step: str = ""  # of a difference of two values
    better: int = 0
    of_masks: bool = False  # whether its function follows from the masks, and is called again when they change

    @property
    def is_accuracy(self) -> bool:
        return self.unit == "%"

    @property
    def caption(self) -> str:
        """The words, of one number a trial: the last of an epoch's figures."""
        return f"Last epoch: {self.words}" if self.when == "epoch" else self.words

    def number(self, value: float, sign: str = "") -> str:
        """The value in the metric's unit; "–" for NaN."""
        if math.isnan(value):
            return NONE
        form = f"{sign}{self.form}"
        text = format(value * self.factor, form)
        return format(0.0, form) if float(text.replace(",", "")) == 0 else text.replace("-", "−")  # no −0.00

    def difference(self, value: float) -> str:
        return self.number(value, "+")


ACCURACY: dict[str, Any] = {"factor": 100, "form": ".2f", "unit": "%", "step": "points", "better": 1}
FINAL_ACCURACY = {**ACCURACY, "group": "accuracy"}
BYTES: dict[str, Any] = {"group": "storage", "form": ",.0f", "unit": "bytes", "step": "bytes", "better": -1}
MEASURES = "bench.engine.measures"
COST, FLOW, SETUP = f"{MEASURES}.cost:costs", f"{MEASURES}.flow:changes", f"{MEASURES}.moment:setup"
TRAINING = f"{MEASURES}.training_cost:over_training"
STORAGE, EPOCHS = "bench.engine.file_size:storage", f"{MEASURES}.epochs:over_epochs"

# Of the probe's gradient, of all trials of a pack in one batched pass; summed up over the epochs, see SUMMARIES.
GRADIENTS = (
    Metric(name=names.GRAD_NORM_ALL, when="epoch", words="gradient norm over all maskable weights, ‖g‖₂"),
    Metric(name=names.GRAD_NORM_LIVE, when="epoch", words="gradient norm over the live weights, ‖m·g‖₂"),
    Metric(name=names.GRAD_ABS_ALL, when="epoch", words="mean |gradient| over all maskable weights"),
    Metric(name=names.GRAD_ABS_LIVE, when="epoch", words="mean |gradient| over the live weights"),
    Metric(name=names.FLOW_1, when="epoch", words="effective gradient flow, mean over layers of ‖m·g‖₁/k"),
    Metric(name=names.FLOW_2, when="epoch", words="effective gradient flow, mean over layers of ‖m·g‖₂/k"),
    Metric(name=names.FLOW_SUM, when="epoch", words="gradient flow, sum over layers of ‖m·g‖₂"),
)
# Of every gradient figure its value before training, and its mean over the epochs trained.
SUMMARIES = tuple(
    replace(row, name=name(row.name), words=f"{words}: {row.words}", when="ended", group="flow", function=EPOCHS)
    for name, words in (
        (names.initial, "Before training"),
        (names.mean, "Mean over the epochs trained"),
    )
    for row in GRADIENTS
)
# The same network with its live values in fewer bits.
NARROW = tuple(
    row
    for dtype in names.VALUE_DTYPES[1:]
    for row in (
        Metric(
            name=f"{names.STORED_BYTES}_{dtype}", when="later", **BYTES,
            words=f"Bytes of the trained network's file, live values stored as {dtype}",
        ),
        Metric(
            name=f"{names.TEST_ACCURACY}_{dtype}", when="later", **FINAL_ACCURACY,
            words=f"Test accuracy after the last epoch, live values stored in {dtype}",
        ),
    )
)  # fmt: skip

ROWS = (
    # What is known of a trial before it is trained; a diverged trial has these too.
    Metric(name=names.CLASSES, when="start", group="constant", function=SETUP, words="Classes of the data set"),
    Metric(
        name=names.TOTAL_PARAMETERS, when="start", group="constant", function=COST,
        words="Parameters of the network",
    ),
    Metric(name=names.MASKABLE_WEIGHTS, when="start", group="constant", function=COST, words="Maskable weights"),
    Metric(name=names.LIVE_WEIGHTS, when="start", group="mask", function=COST, of_masks=True, words="Live weights"),
    Metric(name=names.STORED_PARAMETERS, when="start", group="storage", function=COST, words="Stored parameters"),
    Metric(
        name=names.COMPRESSION, when="start", group="storage", function=COST,
        words="All parameters over the stored ones",
    ),
    Metric(name=names.LAYERS, when="start", group="constant", function=COST, words="Layers with maskable weights"),
    Metric(
        name=names.COLLAPSED_LAYERS, when="start", group="mask", function=COST, better=-1,
        words="Layers without a live weight",
    ),
    Metric(
        name=names.DISCONNECTED, when="start", group="mask", function=f"{MEASURES}.connectivity:unconnected",
        of_masks=True,
        words="Live weights on no path of live weights from the input to the output",
    ),
    Metric(
        name=names.FORWARD_MACS, when="start", group="cost", function=COST, better=-1,
        words="Multiply-accumulates of the forward pass, per image",
    ),
    Metric(
        name=names.BACKWARD_MACS, when="start", group="cost", function=COST, better=-1,
        words="Multiply-accumulates of the backward pass, per image",
    ),
    Metric(
        name=names.SCORING_SECONDS, when="start", group="cost", function=SETUP, better=-1,
        words="Seconds to choose the live weights",
    ),
    Metric(
        name=names.TRAINING_EPOCHS, when="start", group="cost", function=COST, better=-1,
        words="Epochs of training, those of the trials that it needs included",
    ),
    Metric(
        name=names.MEAN_LIVE_WEIGHTS, when="ended", group="mask", function=TRAINING,
        words="Live weights, mean over the epochs trained, if the masks change",
    ),
    Metric(
        name=names.TRAINING_MACS, when="ended", group="cost", function=TRAINING, better=-1,
        words="Multiply-accumulates of the training, per image over all epochs, if the masks change",
    ),
    Metric(
        name=names.FLOW_CHANGE, when="initial", group="flow", function=FLOW,
        words="Change of the gradient flow gᵀg if the dead weights are set to zero, before training",
    ),
    Metric(
        name=names.FLOW_CHANGE_PREDICTED, when="initial", group="flow", function=FLOW,
        words="The same change to first order, 2 δᵀHg (GraSP), as if no ReLU changed sides",
    ),
    Metric(
        name=names.PREDICTED_DECREASE, when="ended", group="flow", function=f"{MEASURES}.epochs:predicted_decrease",
        words="Decrease of the loss by SGD's first step, to first order: lr·‖m·g‖₂²",
    ),
    *SUMMARIES,
    Metric(
        name=names.STORED_BYTES, when="trained", function=STORAGE, **BYTES,
        words="Bytes of the trained network's file",
    ),
    Metric(
        name=names.MASK_BYTES, when="trained", function=STORAGE, **BYTES, words="Bytes of the entropy-coded mask"
    ),
    Metric(name=names.VALUE_BYTES, when="trained", function=STORAGE, **BYTES, words="Bytes of the trained values"),
    Metric(
        name=names.COMPRESSION_BYTES, when="trained", group="storage", function=STORAGE,
        words="Bytes of all parameters over the file's",
    ),
    Metric(name=names.TEST_ACCURACY, when="trained", **FINAL_ACCURACY, words="Test accuracy after the last epoch"),
    Metric(
        name=names.TEST_ACCURACY_BEST, when="trained", **FINAL_ACCURACY,
        words="Test accuracy at the epoch of the best validation accuracy",
    ),
    Metric(name=names.BEST_EPOCH, when="trained", group="accuracy", words="Epoch of the best validation accuracy"),
    Metric(name=names.TRAINING_SECONDS, when="trained", group="cost", better=-1, words="Seconds of training"),
    Metric(name=names.PEAK_MEMORY, when="ended", group="cost", better=-1, words="Peak memory in bytes"),
    *NARROW,
    Metric(name=names.TRAIN_LOSS, when="epoch", better=-1, words="training loss, mean over the images"),
    Metric(name=names.VALIDATION_ACCURACY, when="epoch", **ACCURACY, words="validation accuracy"),
    *GRADIENTS,
)  # fmt: skip

METRICS = {row.name: row for row in ROWS}


def names_of(holds: Callable[[Metric], bool]) -> tuple[str, ...]:
    """The names of the metrics of which something holds."""
    return tuple(row.name for row in METRICS.values() if holds(row))


def per_epoch() -> tuple[str, ...]:
    """The figures of an epoch; MLflow's step is the epoch, 0 = before training."""
    return names_of(lambda row: row.when == "epoch")


def final() -> tuple[str, ...]:
    """What a trial that is done can have."""
    return names_of(lambda row: row.when not in ("epoch", "later"))


def counts() -> tuple[str, ...]:
    """What is known of a trial before it is trained; of a diverged one too."""
    return names_of(lambda row: row.when == "start")


def sizes() -> tuple[str, ...]:
    """What is known of the file of a trial that is done."""
    return names_of(lambda row: row.function == STORAGE)


def accuracies() -> tuple[str, ...]:
    """The accuracies, as fractions of images."""
    return names_of(lambda row: row.is_accuracy)
