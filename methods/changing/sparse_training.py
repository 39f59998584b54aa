"""Dynamic sparse training: of each layer some live weights change places. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, get_args

from bench.methods.base import Method
from bench.methods.changing.schedule import before, cosine_count, share
from bench.methods.types import Background, Batches, Criterion, Loss, Masks, Scope

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from bench.methods.changing.revision import Revision
    from bench.methods.types import Scores

Importance = Literal["distance", "magnitude"]
Growth = Literal["gradient", "random"]


@dataclass(frozen=True, kw_only=True)
class SparseTraining(Method):
    """RigL (Evci et al., ICML 2020, arXiv:1911.11134), or SET (Mocanu et al. 2018, arXiv:1707.04780): every so often,
    of each layer the live weights nearest to their background die, and as many of those not kept come alive: those of
    the largest gradient on a batch (RigL), or drawn at random (SET).

    Frozen, what dies goes back to its value at the start, and what comes alive goes on from there, as SpIEL does with a
    language model (Ansell et al. 2024, arXiv:2401.16405). First masks: by criterion and scope, as a rule random ones
    with the densities of Erdős–Rényi-Kernel.

    Departs from the paper: revises at ends of epochs; exact counts; the gradient is that of un-augmented images.
    """

    criterion: str | Criterion = "random"  # of the first masks
    scope: Scope = "erk"  # of the first masks; every layer keeps its count
    background: Background = "prune"
    fraction: float = 0.3  # of a layer's live weights that change places, at first; it falls by a cosine
    every: int = 1  # epochs from one moment to the next
    until: float = 0.75  # of the training: after it the masks stay
    importance: Importance = "distance"  # from the background; frozen, it can be |w|
    growth: Growth = "gradient"  # largest |gradient|, or at random

    def __post_init__(self) -> None:
        if self.scope == "filter":
            raise ValueError("scope filter: must be global, uniform, er or erk; weights change places one by one")
        super().__post_init__()
        for name in ("fraction", "until"):  # 1 and 1.0 are one method
            object.__setattr__(self, name, float(getattr(self, name)))
        check_schedule(self.every, self.until)
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"fraction {self.fraction}: must be 0 <= fraction <= 1")
        for name, known in (("importance", get_args(Importance)), ("growth", get_args(Growth))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r}: must be {' or '.join(known)}")
        if self.background == "prune":  # both are |w|: one method, one record
            object.__setattr__(self, "importance", "distance")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """See `Method.moments`."""
        return before(share(self.until), epochs, self.every)

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """The first masks; see `Method.select`."""
        first = Method(criterion=self.criterion, scope=self.scope, background=self.background)
        return first.select(model, batches, loss, rate, generator)

    def revise(self, at: Revision) -> Masks:
        """Every layer with as many live weights as before; one that dies and is grown at once goes on as it was."""
        end, grow = share(self.until) * at.epochs, self._growth(at)
        return {name: self._revised(at, name, score, grow[name], end) for name, score in self._importance(at).items()}

    def _revised(self, at: Revision, name: str, importance: Tensor, growth: Tensor, end: Fraction) -> Tensor:
        from bench.methods.scopes import among_flat

        live = at.masks[name].reshape(-1)
        count = int(live.sum())
        moved = cosine_count(share(self.fraction), count, at.epoch, end)
        kept = among_flat(live, importance.reshape(-1), count - moved)
        return (kept | among_flat(~kept, growth.reshape(-1), moved)).view(at.masks[name].shape)

    def _importance(self, at: Revision) -> Scores:
        from bench.methods.changing.revision import distances
        from bench.methods.scopes import comparable

        return comparable(distances(at, self.background if self.importance == "distance" else "prune"))

    def _growth(self, at: Revision) -> Scores:
        from torch.nn.functional import cross_entropy

        from bench.methods.criteria import random
        from bench.methods.scopes import comparable

        if self.growth == "random":
            return random(at.model, [], cross_entropy, at.generator)  # which looks at no image
        return comparable({name: g.abs() for name, g in at.gradients().items()})


def check_schedule(every: int, until: float) -> None:
    """Raise ValueError if moments are not some epochs apart, up to a fraction of the training."""
    if every < 1:
        raise ValueError(f"every {every}: must be a whole number of epochs >= 1")
    if not 0 < until <= 1:
        raise ValueError(f"until {until}: must be 0 < until <= 1")
