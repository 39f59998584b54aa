"""The weights of a trial before training: they follow from its seed, initialiser, method and masks."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from bench.methods.maskable import maskable
from bench.models.initialise import initialise
from bench.trial.streams import stream


class MethodLike(Protocol):
    """The fields used here of a method, or of a stored method's record."""

    @property
    def background_scale(self) -> float:
        """How many times their value at the start dead weights hold: 1 frozen, 0 pruned; of a background that fades, a
        method's at first, a stored record's at the end.
        """

    @property
    def control(self) -> str:
        """A name of `bench.methods.types.Control`."""


class SpecLike(Protocol):
    """The fields used here of a TrialSpec, or of a stored spec's record."""

    @property
    def seed(self) -> int:
        """Of 32 bits."""

    @property
    def initialiser(self) -> str:
        """A name of `bench.models.initialisers.INITIALISERS`."""

    @property
    def method(self) -> MethodLike:
        """How the trial chooses its masks, and what its dead weights hold."""


def draw(model: nn.Module, spec: SpecLike, purpose: str = "init") -> None:
    """Set the model to the initial values of a purpose: "init" is what is scored; controls have others."""
    initialise(model, spec.initialiser, lambda name: stream(spec.seed, purpose, name))


def trained_from(spec: SpecLike) -> str:
    """The purpose of the values that training starts from."""
    return "reinit" if spec.method.control == "reinitialise" else "init"


@torch.no_grad()
def apply_background(model: nn.Module, masks: Mapping[str, Tensor], spec: SpecLike) -> None:
    """Set every maskable weight to where(mask, initial, background), in place; the model is at `trained_from`."""
    if (scale := spec.method.background_scale) == 0:
        for name, weight in maskable(model).items():
            weight.copy_(torch.where(masks[name], weight, 0.0))
        return
    for name, weight, dead in _frozen(model, spec):
        weight.copy_(torch.where(masks[name], weight, scaled(dead, scale)))


@torch.no_grad()
def unscaled_background(model: nn.Module, spec: SpecLike) -> dict[str, Tensor]:
    """Weight name -> what its dead entries hold at scale 1; the model is at `trained_from`."""
    return {name: dead.clone() for name, _, dead in _frozen(model, spec)}


def _frozen(model: nn.Module, spec: SpecLike) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each maskable weight, and what its dead entries hold if they are frozen."""
    control, redrawn = spec.method.control, dict[str, Tensor]()
    if control == "redraw":
        other = copy.deepcopy(model)
        draw(other, spec, "redraw")
        redrawn = {name: weight.detach() for name, weight in maskable(other).items()}
    for name, weight in maskable(model).items():
        yield name, weight.detach(), redrawn[name] if redrawn else FROZEN.get(control, torch.clone)(weight.detach())


def scaled(values: Tensor, scale: float) -> Tensor:
    """scale · values in their own precision, the scale rounded to float32; by 1 as they are, by 0 without a sign.

    One product of two numbers that are stored: the same bits on every machine, so that the weights can be rebuilt.
    """
    if scale == 1:
        return values
    return values * torch.tensor(scale, dtype=torch.float32) if scale else torch.zeros_like(values)


def _sign(weight: Tensor) -> Tensor:
    """sign(w) · the standard deviation of the tensor."""
    return weight.sign() * _moments(weight)[1]


def _mean(weight: Tensor) -> Tensor:
    return torch.full_like(weight, _moments(weight)[0])


def _moments(weight: Tensor) -> tuple[float, float]:
    """Mean and standard deviation from exact sums: the same on every machine, so that the weights can be rebuilt."""
    values = weight.detach().cpu().double().flatten().numpy()
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum(np.square(values - mean)) / len(values))


# control -> the values of frozen weights, from their initial values; without a control they keep those.
FROZEN: dict[str, Callable[[Tensor], Tensor]] = {"sign": _sign, "mean": _mean}
