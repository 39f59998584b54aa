"""Gradual magnitude pruning and DropBack: all layers are ranked together. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.methods.base import check_fixed
from bench.methods.changing.dense_at_first import DenseAtFirst
from bench.methods.changing.schedule import before, cubic_rate, rising, share, span
from bench.methods.changing.sparse_training import check_schedule
from bench.methods.types import Background, Criterion, Masks

if TYPE_CHECKING:
    from bench.methods.changing.revision import Revision
    from bench.methods.types import Scores


@dataclass(frozen=True, kw_only=True)
class Ranked(DenseAtFirst):
    """A method that begins with all weights live, and ranks them by their distance from the background."""

    background: Background = "prune"
    every: int = 1  # epochs from one moment to the next
    until: float = 0.75  # of the training: after it the masks stay

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "until", float(self.until))  # 1 and 1.0 are one method
        check_fixed(self, "criterion", "scope")
        check_schedule(self.every, self.until)


@dataclass(frozen=True, kw_only=True)
class GradualMagnitude(Ranked):
    """Gradual magnitude pruning: of the live weights, those nearest to their background die, over all layers together,
    at a rate that rises as rate · (1 - (1 - t)³) (Zhu & Gupta 2017, arXiv:1710.01878).

    Pruned, the distance is |w|. Frozen, it is |w - w at the start|, and what dies goes back to its value at the start.

    Departs from the paper: one ranking over all layers, where the paper prunes each to the same rate; exact counts;
    revises at ends of epochs, from a fifth of the training on.
    """

    criterion: str | Criterion = "gradual-magnitude"
    begin: float = 0.2  # of the training: up to it the network is dense

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "begin", float(self.begin))
        if not 0 <= self.begin < self.until:
            raise ValueError(f"begin {self.begin}: must be 0 <= begin < until, here {self.until}")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """See `Method.moments`."""
        return rising(share(self.begin), share(self.until), epochs, self.every)

    def revise(self, at: Revision) -> Masks:
        """Nested masks, of as many live weights as the cubic rate says."""
        from bench.methods.changing.revision import distances
        from bench.methods.counts import live_count
        from bench.methods.rounds.loop import among

        scores = distances(at, self.background)
        rate = cubic_rate(at.rate, at.epoch, *span(share(self.begin), share(self.until), at.epochs))
        return among(
            {n: at.masks[n] for n in scores}, scores, live_count(rate, sum(s.numel() for s in scores.values()))
        )


@dataclass(frozen=True, kw_only=True)
class DropBack(Ranked):
    """The weights that training moved farthest from their start are live, over all layers; every other one is set back
    to its start (Golub, Lemieux & Lis, MLSys 2019, arXiv:1806.06949).

    A dead weight is ranked by how far a step of plain gradient descent would move it, learning rate · |gradient|: what
    the paper's code ranks it by, which lets every weight take a step before it chooses. Pruned, the ranking is by
    distance from 0, and 0 is what dead weights hold.

    Departs from the paper: chooses at ends of epochs and not at every step, so all weights are trained in the first;
    exact counts; biases are always trained; any optimizer.
    """

    criterion: str | Criterion = "dropback"

    def moments(self, epochs: int) -> tuple[int, ...]:
        """See `Method.moments`."""
        return before(share(self.until), epochs, self.every)

    def revise(self, at: Revision) -> Masks:
        """Live are the farthest over all layers."""
        from bench.methods.scopes import global_scope

        return global_scope(self._scores(at), at.rate)

    def _scores(self, at: Revision) -> Scores:
        import torch

        from bench.methods.changing.revision import distances

        scores = distances(at, self.background)
        if all(bool(at.masks[name].all()) for name in scores):
            return scores
        steps = {name: at.lr * g.abs() for name, g in at.gradients().items()}
        return {name: torch.where(at.masks[name], s, steps[name]) for name, s in scores.items()}
