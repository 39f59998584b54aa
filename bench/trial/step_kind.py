"""The step kind of a trial, and of each of its layers: a fixed function of rate and shapes. Imports no torch.

A number never depends on a timing: the limits below were measured once (results/reports/steps.md) and are committed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import Literal

from bench.methods.counts import live_count
from bench.methods.types import Background
from bench.trial.pack_kind import Pack
from bench.trial.protocol import Step

Kind = Literal["first", "linear", "conv"]  # first: a Linear layer on the images themselves
Shape = tuple[int, ...]  # of a weight: [out, in] of a Linear layer, [out, in, height, width] of a convolution

# The largest live fraction of a layer at which its sparse step is faster than its dense one.
LIMITS: dict[tuple[Kind, Background], Fraction] = {
    ("first", "prune"): Fraction(3, 10),
    ("first", "freeze"): Fraction(3, 10),
    ("linear", "prune"): Fraction(3, 10),
    ("linear", "freeze"): Fraction(1, 10),
    ("conv", "prune"): Fraction(3, 20),
    ("conv", "freeze"): Fraction(1, 10),
}
FIRST_CONVOLUTION = Fraction(3, 4)  # the same, of a pruned convolution that lets a fused tail start at the images
SMALLEST = 10_000  # weights of a layer; below, starting the operations costs more than they save


def layer_step(kind: Kind, weights: int, live: int, background: Background) -> Step:
    """The step kind of one layer with `live` of its weights live, in a trial whose step is sparse."""
    return "sparse" if weights >= SMALLEST and live <= LIMITS[kind, background] * weights else "dense"


def first_convolution_step(weights: int, live: int, background: Background) -> Step:
    """The step kind of a convolution of the images if all behind it is a fused tail (`bench.engine.steps.fused_tail`).

    A sparse one gives its outputs as the tail needs them, and leaves pooling to the tail; singly it is no faster.
    """
    return "sparse" if background == "prune" and live <= FIRST_CONVOLUTION * weights else "dense"


def resolve_step(
    asked: str,
    *,
    device: str,
    precision: str,
    pack: Pack,
    background: Background,
    rate: Decimal,
    shapes: Mapping[str, Shape],
    steppable: Collection[str] | None = None,
    obstacle: str = "",
) -> Step:
    """The step kind of a trial: `asked`; for "auto" sparse if that is faster for a layer or more at its rate.

    Rate 0 is dense whatever is asked for: the baseline is one trial.

    Args:    shapes: weight name -> shape, in the order in which the layers run.
             steppable: the weights whose layers can be stepped sparsely; None = as far as their shapes tell, all.
             obstacle: why none can.
    Raises:  ValueError if a sparse step is asked for and there is none.

    >>> shapes = {"fc1.weight": (300, 784), "fc2.weight": (10, 300)}
    >>> how = {"device": "cpu", "precision": "float32", "pack": "single", "background": "freeze", "shapes": shapes}
    >>> [resolve_step("auto", rate=Decimal(rate), **how) for rate in ("0", "0.5", "0.7", "0.99")]
    ['dense', 'dense', 'sparse', 'sparse']
    """
    if asked == "dense" or rate == 0:
        return "dense"
    reason = no_sparse_step(device, precision, pack) or (
        obstacle and f"of this network: {obstacle}; must be dense or auto"
    )
    if asked == "sparse":
        if reason:
            raise ValueError(f"step sparse {reason}")
        return "sparse"
    sizes = (
        (kind_of(shape, position == 0), prod(shape))
        for position, (name, shape) in enumerate(shapes.items())
        if steppable is None or name in steppable
    )
    steps = [layer_step(kind, size, live_count(Fraction(rate), size), background) for kind, size in sizes]
    return "sparse" if "sparse" in steps and not reason else "dense"


def kind_of(shape: Shape, is_first: bool) -> Kind:
    """The kind of the layer with this weight; the first layer reads the images."""
    if len(shape) == 4:
        return "conv"
    return "first" if is_first else "linear"


def no_sparse_step(device: str, precision: str, pack: Pack) -> str:
    """Why there is no sparse step on this device in this precision and pack kind; "" if there is one."""
    if device != "cpu":
        return f"on {device}: the device must be cpu"
    if pack != "single":
        return f"with pack {pack}: the pack must be single"
    return "" if precision in ("float32", "float64") else f"in {precision}: the precision must be float32 or float64"
