"""Random masks with the layer densities of a criterion: what its choice within the layers is worth. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from bench.methods.base import Method, check_fixed
from bench.methods.papers import SNIP, GraSP, ProsPr
from bench.methods.rounds.papers import FORCE, NTKSAP, PX, IterativeSNIP, SynFlow, SynFlowL2
from bench.methods.types import Background, Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

LIKE: Mapping[str, Method] = MappingProxyType(
    {
        "snip": SNIP(),
        "grasp": GraSP(),
        "synflow": SynFlow(),
        "synflow-l2": SynFlowL2(),
        "ntk-sap": NTKSAP(),
        "px": PX(),
        "iter-snip": IterativeSNIP(),
        "force": FORCE(),
        "prospr": ProsPr(),
        "magnitude": Method(criterion="magnitude", background="prune"),
        "scale-free-magnitude": Method(criterion="scale-free-magnitude", background="prune"),
    }
)


@dataclass(frozen=True, kw_only=True)
class RandomLike(Method):
    """Live weights drawn uniformly within each layer, as many as another criterion leaves live there.

    The same as shuffling that criterion's mask within every layer (Frankle et al. 2021, arXiv:2009.08576, and Su et
    al. 2020, arXiv:2009.11094, both for pruning).

    Departs from the paper: nothing for pruning; with the freeze background it is ours.
    """

    criterion: str | Criterion = "random-like"  # no other method's name: no table takes it for the plain random
    background: Background = "prune"
    like: str = "snip"  # a row of LIKE, at its defaults

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fixed(self, "criterion", "scope")
        if self.like not in LIKE:
            raise ValueError(f"like {self.like!r}: must be one of {', '.join(LIKE)}")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.criteria import random
        from bench.methods.scopes import top

        masks = LIKE[self.like].select(model, batches, loss, rate, generator)
        scores = random(model, batches, loss, generator)
        return {n: top(scores[n].view(-1), int(mask.sum())).view(mask.shape) for n, mask in masks.items()}
