"""How a figure of the store is shown: its words, its unit and which way is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench import names

NONE = "–"  # where there is no number


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A metric of the store as shown. Values are times `factor`; `better` is 1 (high), -1 (low) or 0 (neither)."""

    metric: str
    words: str
    factor: float = 1.0
    form: str = ".4g"  # of a number
    unit: str = ""  # of a value
    step: str = ""  # of a difference of two values
    better: int = 0

    @property
    def is_accuracy(self) -> bool:
        return self.unit == "%"

    def number(self, value: float, sign: str = "") -> str:
        """The value in the figure's unit; "–" for NaN."""
        if math.isnan(value):
            return NONE
        form = f"{sign}{self.form}"
        text = format(value * self.factor, form)
        return format(0.0, form) if float(text.replace(",", "")) == 0 else text.replace("-", "−")  # no −0.00

    def difference(self, value: float) -> str:
        return self.number(value, "+")


ACCURACIES = {
    names.TEST_ACCURACY: "Test accuracy after the last epoch",
    names.TEST_ACCURACY_BEST: "Test accuracy at the epoch of the best validation accuracy",
    names.VALIDATION_ACCURACY: "Validation accuracy after the last epoch",
    **{
        f"{names.TEST_ACCURACY}_{dtype}": f"Test accuracy after the last epoch, live values stored in {dtype}"
        for dtype in names.VALUE_DTYPES[1:]
    },
}
SIZES = {
    names.STORED_BYTES: "Bytes of the trained network's file",
    names.MASK_BYTES: "Bytes of the entropy-coded mask",
    names.VALUE_BYTES: "Bytes of the trained values",
}
SIZES |= {
    f"{names.STORED_BYTES}_{kind}": f"Bytes of the trained network's file, live values stored as {kind}"
    for kind in names.VALUE_DTYPES[1:]
}
FLOW = {
    names.GRAD_NORM_ALL: "gradient norm over all maskable weights, ‖g‖₂",
    names.GRAD_NORM_LIVE: "gradient norm over the live weights, ‖m·g‖₂",
    names.GRAD_ABS_ALL: "mean |gradient| over all maskable weights",
    names.GRAD_ABS_LIVE: "mean |gradient| over the live weights",
    names.FLOW_1: "effective gradient flow, mean over layers of ‖m·g‖₁/k",
    names.FLOW_2: "effective gradient flow, mean over layers of ‖m·g‖₂/k",
    names.FLOW_SUM: "gradient flow, sum over layers of ‖m·g‖₂",
}
WORDS = {
    **{name: f"Last epoch: {text}" for name, text in FLOW.items()},
    **{names.INITIAL[name]: f"Before training: {text}" for name, text in FLOW.items()},
    **{names.MEAN[name]: f"Mean over the epochs trained: {text}" for name, text in FLOW.items()},
    names.FLOW_CHANGE: "Change of the gradient flow gᵀg if the dead weights are set to zero, before training",
    names.FLOW_CHANGE_PREDICTED: "The same change to first order, 2 δᵀHg (GraSP)",
    names.PREDICTED_DECREASE: "Decrease of the loss by SGD's first step, to first order: lr·‖m·g‖₂²",
    names.DISCONNECTED: "Live weights on no path of live weights from the input to the output",
}
LOWER = (
    names.TRAIN_LOSS, names.TRAINING_SECONDS, names.SCORING_SECONDS, names.PEAK_MEMORY, names.FORWARD_MACS,
    names.BACKWARD_MACS, names.COLLAPSED_LAYERS,
)  # fmt: skip


def figure(metric: str) -> Figure:
    """The figure of a metric; unknown ones are shown as they are stored."""
    if metric in ACCURACIES:
        return Figure(
            metric=metric, words=ACCURACIES[metric], factor=100, form=".2f", unit="%", step="points", better=1
        )
    if metric in SIZES:
        return Figure(metric=metric, words=SIZES[metric], form=",.0f", unit="bytes", step="bytes", better=-1)
    words = WORDS.get(metric) or metric.replace("_", " ").capitalize()
    return Figure(metric=metric, words=words, better=-1 if metric in LOWER else 0)


def p_value(p: float) -> str:
    """A p-value in three decimals, small ones as a bound."""
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(least: float, largest: float, form: str = ",.0f") -> str:
    """One number, or `least–largest` where they differ."""
    low, high = format(least, form), format(largest, form)
    return low if low == high else f"{low}–{high}"


def ranges(numbers: list[int]) -> str:
    """Whole numbers as a short text: 0–4, 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)
