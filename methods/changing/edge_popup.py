"""Edge-popup: a mask is trained, and the weights keep their start. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from bench.methods.base import check_fixed
from bench.methods.changing.dense_at_first import DenseAtFirst
from bench.methods.types import Background, Criterion, Masks, Scope, Scores

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from torch.utils.hooks import RemovableHandle

    from bench.methods.changing.revision import Revision
    from bench.methods.changing.shaping import ShapedNetwork


@dataclass(frozen=True, kw_only=True)
class EdgePopup(DenseAtFirst):
    """Edge-popup (Ramanujan et al., CVPR 2020, arXiv:1911.13299): no weight is trained. Each has a score s, and the
    network computes with w₀ where |s| is among the highest of its layer, and 0 elsewhere.

    The gradient passes the choice as if it were |s|: with L the loss and w the weight computed with, after every step
    v ← momentum · v + ∂L/∂w · w₀ · sign(s) + decay · s and s ← s - lr · v, lr the trial's. At first s is uniform in
    ±1/√(inputs of an output), v is 0. Its file holds the mask, biases and BatchNorm; the weights are drawn from the
    seed again.

    Departs from the paper: the trial's initialiser, not scaled by the density; biases and BatchNorm are there and are
    trained, by the trial's optimizer.
    """

    criterion: str | Criterion = "edge-popup"
    scope: Scope = "uniform"  # the same density in every layer
    background: Background = "prune"
    momentum: float = 0.9  # of the scores
    decay: float = 1e-4  # of the scores
    trains_weights: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fixed(self, "criterion", "scope", "background", "control")
        for name in ("momentum", "decay"):  # 1 and 1.0 are one method
            object.__setattr__(self, name, float(getattr(self, name)))
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum {self.momentum}: must be 0 <= momentum < 1")
        if not 0 <= self.decay < float("inf"):
            raise ValueError(f"decay {self.decay}: must be at least 0")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """The end of the training, when the mask is final."""
        return (epochs,)

    def attach(self, at: ShapedNetwork) -> Sequence[RemovableHandle]:
        """Draw the scores, if the trial begins; every backward pass of the training adds to their velocity."""
        import torch

        from bench.methods.maskable import maskable

        weights = maskable(at.model)
        scores = at.state.setdefault("scores", {n: _drawn(w, at.generator) for n, w in weights.items()})
        velocity = at.state.setdefault("velocity", {n: torch.zeros_like(s) for n, s in scores.items()})
        _choose(at, scores)
        return [
            weight.register_post_accumulate_grad_hook(self._follow(at.initial[n], scores[n], velocity[n]))  # type: ignore[no-untyped-call]
            for n, weight in weights.items()
        ]

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """The step of the scores, and the weights that they choose."""
        scores, velocity = at.state["scores"], at.state["velocity"]
        for name, score in scores.items():
            score.sub_(velocity[name], alpha=lr)
        _choose(at, scores)

    def revise(self, at: Revision) -> Masks:
        """The mask that the scores choose."""
        return chosen(at.state["scores"], at.rate)

    def reset(self, at: Revision, masks: Masks) -> Mapping[str, Tensor]:
        """See `Method.reset`: every weight is what it was at the start."""
        return {name: at.initial[name] for name in masks}

    def _follow(self, initial: Tensor, score: Tensor, velocity: Tensor) -> Callable[[Tensor], None]:
        """A hook of a weight that adds its gradient to the velocity of its score."""

        def follow(weight: Tensor) -> None:
            assert weight.grad is not None
            slope = weight.grad.detach() * initial * score.sign()
            velocity.mul_(self.momentum).add_(slope).add_(score, alpha=self.decay)

        return follow


def chosen(scores: Scores, rate: Fraction) -> Masks:
    """Of every layer the weights of highest |score|, of as many as the rate says."""
    from bench.methods.scopes import uniform_scope

    return uniform_scope({name: score.abs() for name, score in scores.items()}, rate)


def _drawn(weight: Tensor, generator: np.random.RandomState) -> Tensor:
    """Scores uniform in ±1/√(inputs of an output): He et al.'s uniform rule with a slope of √5."""
    import torch

    bound = weight[0].numel() ** -0.5
    return torch.from_numpy(generator.uniform(-bound, bound, tuple(weight.shape))).to(weight)


def _choose(at: ShapedNetwork, scores: Scores) -> None:
    """Set every weight to where(chosen, initial, 0), in place."""
    import torch

    weights = dict(at.model.named_parameters())
    for name, mask in chosen(scores, at.rate).items():
        weights[name].detach().copy_(torch.where(mask, at.initial[name], 0.0))
