"""Lottery tickets: the live weights are those that a training changed or grew most. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import count, takewhile
from math import floor
from typing import TYPE_CHECKING, ClassVar

from bench.methods.base import Method, check_fixed
from bench.methods.types import Background, Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

DECIMALS = 6  # of a level's rate
LEAST = 0.05  # of the fraction: the number of levels grows as its inverse
SCORES = ("trained-magnitude", "trained-change")


@dataclass(frozen=True, kw_only=True)
class LotteryTicket(Method):
    """Iterative magnitude pruning with rewinding (Frankle & Carbin, ICLR 2019, arXiv:1803.03635): in levels, each a
    training from the same start; of the weights live in it, those of highest |w trained| are live in the next.

    The first level is the dense trial, level i has rate 1 - (1 - fraction)^i to six decimals, and the last exactly the
    rate asked for. A level is a trial like any other, so that all rates share it. With the criterion `trained-change`,
    |w trained - w at the start|, and frozen weights it is LT-SFT (Ansell et al., ACL 2022, arXiv:2110.07560); with
    fraction 1 the dense training is the only one before.

    Departs from the paper: one ranking over all layers, as open_lth, and exact counts; rewinds to the start, not to an
    early epoch. From LT-SFT, which unfreezes equally many weights a round: the levels.
    """

    criterion: str | Criterion = "trained-magnitude"  # one of SCORES
    background: Background = "prune"
    fraction: float = 0.2  # of a level's live weights, those that are dead in the next
    reads_parent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fixed(self, "scope")
        object.__setattr__(self, "fraction", float(self.fraction))  # 1 and 1.0 are one method
        if self.criterion not in SCORES:
            raise ValueError(f"criterion {self.criterion!r} of {type(self).__name__}: must be {' or '.join(SCORES)}")
        if not LEAST <= self.fraction <= 1:
            raise ValueError(f"fraction {self.fraction}: must be {LEAST} <= fraction <= 1")

    def parent(self, rate: Decimal) -> tuple[Method, Decimal]:
        """The level of highest rate below this one; a sanity control is on the trial itself, not on its levels."""
        *_, level = takewhile(lambda of_level: of_level < rate, map(self._rate, count()))
        return replace(self, control="none"), level

    def _rate(self, level: int) -> Decimal:
        density = (1 - Fraction(str(self.fraction))) ** level
        return Decimal(floor((1 - density) * 10**DECIMALS + Fraction(1, 2))).scaleb(-DECIMALS).normalize()

    def select(
        self,
        model: nn.Module,
        batches: Batches,
        loss: Loss,
        rate: Fraction,
        generator: np.random.RandomState,
        *,
        trained: Mapping[str, Tensor] | None = None,
        live: Masks | None = None,
    ) -> Masks:
        """See `Method.select`.

        Args: trained: the weights after the training of `parent`. live: its masks, of which the result is a part.
        """
        from bench.methods.counts import live_count
        from bench.methods.maskable import maskable
        from bench.methods.rounds.loop import among

        if trained is None or live is None:
            raise ValueError(f"{type(self).__name__}: must be given the trained network of its parent")
        weights = maskable(model)
        scores = {name: self._score(w.detach(), trained[name].to(w)) for name, w in weights.items()}
        kept = {name: live[name].to(w.device) for name, w in weights.items()}
        return among(kept, scores, live_count(rate, sum(w.numel() for w in weights.values())))

    def _score(self, start: Tensor, trained: Tensor) -> Tensor:
        return trained.abs() if self.criterion == "trained-magnitude" else (trained - start).abs()
