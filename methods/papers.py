"""The papers' one-shot methods, each a few declarative lines. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bench.methods.base import Method, check_fixed
from bench.methods.last_layer import LastLayer
from bench.methods.types import Background, Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class FreezeNet(Method):
    """Train the weights of highest |w · ∂L/∂w|, freeze the others (Wimmer et al., ACCV 2020, arXiv:2011.14087).

    Departs from the paper: nothing known; the paper's scoring sample is not published, ours is stated in the spec.
    """

    criterion: str | Criterion = "snip"
    background: Background = "freeze"


@dataclass(frozen=True, kw_only=True)
class SNIP(Method):
    """Keep the weights of highest |w · ∂L/∂w|, prune the others (Lee et al., ICLR 2019, arXiv:1810.02340).

    Departs from the paper: one class-balanced sample instead of one random mini-batch. Departs from its released code,
    which also masks biases and trains freshly drawn weights: here only weights are masked, and the scored ones trained.
    """

    criterion: str | Criterion = "snip"
    background: Background = "prune"


@dataclass(frozen=True, kw_only=True)
class GraSP(Method):
    """Prune the weights whose removal keeps most gradient flow (Wang et al., ICLR 2020, arXiv:2002.07376).

    Departs from the paper's code: no halves of the sample, no augmentation, no re-initialised copy is scored.
    With the freeze background only the ranking carries over: the rationale, a perturbation of -w, describes zeroing.
    """

    criterion: str | Criterion = "grasp"
    background: Background = "prune"
    temperature: float = 200.0  # the logits are divided by it while scoring; the paper's code uses 200

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "temperature", float(self.temperature))  # 200 and 200.0 are one method
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature {self.temperature}: must be temperature > 0")


@dataclass(frozen=True, kw_only=True)
class ProsPr(Method):
    """Keep the weights whose masking at the start would change the loss after a few steps of training most (Alizadeh et
    al., ICLR 2022, arXiv:2202.08132).

    Departs from the paper: every inner step sees the same class-balanced sample instead of a new batch.
    """

    criterion: str | Criterion = "prospr"
    background: Background = "prune"
    inner_steps: int = 3
    inner_lr: float = 0.1
    inner_momentum: float = 0.0  # 0.9 with an inner_lr of 0.5 in an example of the paper's code
    first_order: bool = False  # without the Hessians of the steps

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("inner_lr", "inner_momentum"):  # 1 and 1.0 are one method
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.inner_steps < 1:
            raise ValueError(f"inner_steps {self.inner_steps}: must be a whole number >= 1")
        if not 0 < self.inner_lr < float("inf"):
            raise ValueError(f"inner_lr {self.inner_lr}: must be inner_lr > 0")
        if not 0 <= self.inner_momentum < 1:
            raise ValueError(f"inner_momentum {self.inner_momentum}: must be 0 <= inner_momentum < 1")


@dataclass(frozen=True, kw_only=True)
class Fisher(Method):
    """Train the weights of highest Fisher information, the mean squared gradient of the single images; the others keep
    their values: the FISH mask (Sung et al., NeurIPS 2021, arXiv:2111.09839), or are pruned.

    Departs from the paper, where the background is a pre-trained network and the classifier is always trained: here
    the classifier is masked like any layer. With the prune background it is ours.
    """

    criterion: str | Criterion = "fisher"
    expectation: bool = False  # over the labels that the model expects, instead of those of the sample
    # BatchNorm's while scoring, whatever the protocol says: one image has no statistics of its own.
    statistics: str = field(default="running", init=False)

    def parameters(self) -> dict[str, Any]:
        """The criterion's keywords; it knows its statistics."""
        return {"expectation": self.expectation}


@dataclass(frozen=True, kw_only=True)
class RandomFreezing(Method):
    """Train weights drawn uniformly without replacement over all layers, freeze the others.

    Departs from the paper: none proposes it; the control for FreezeNet's criterion.
    """

    criterion: str | Criterion = "random"
    background: Background = "freeze"


@dataclass(frozen=True, kw_only=True)
class RandomPruning(Method):
    """Keep weights drawn uniformly without replacement over all layers, prune the others.

    Departs from the paper: exact counts, while Bernoulli masks meet the rate only on average.
    """

    criterion: str | Criterion = "random"
    background: Background = "prune"


@dataclass(frozen=True, kw_only=True)
class Dense(Method):
    """Train every weight: the baseline, and what any method is at rate 0."""

    criterion: str | Criterion = "none"
    background: Background = "freeze"  # of no weight

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale is not None:
            raise ValueError(f"scale {self.scale} of Dense: must be left out; it has no dead weights")
        check_fixed(self, "fade")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """All weights live. Raises ValueError at any rate but 0."""
        import torch

        from bench.methods.maskable import maskable

        if rate != 0:
            raise ValueError(f"dense at rate {rate}: must be 0")
        return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in maskable(model).items()}


@dataclass(frozen=True, kw_only=True)
class Biases(Method):
    """Train biases, BatchNorm's scale and shift, and no maskable weight: the floor under every freezing method (Frankle
    et al., ICLR 2021, arXiv:2003.00152), and what any of them is at rate 1.

    Departs from the paper, which trains BatchNorm alone: biases are trained too, as under every method here. Nothing is
    to be seen with the prune background: a network of zero weights answers every image alike.
    """

    criterion: str | Criterion = "none"
    background: Background = "freeze"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fixed(self, "criterion", "scope", "background", "fade")
        if self.scale is not None:
            raise ValueError(f"scale {self.scale} of Biases: must be left out; it is the floor under freezing")
        if self.control == "shuffle":
            raise ValueError("control shuffle of Biases: must be another; its mask has no live weight")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """No weight live. Raises ValueError at any rate but 1."""
        import torch

        from bench.methods.maskable import maskable

        if rate != 1:
            raise ValueError(f"biases at rate {rate}: must be 1")
        return {name: torch.zeros_like(weight, dtype=torch.bool) for name, weight in maskable(model).items()}


def only_rate(method: Method) -> int | None:
    """The rate of a method that has a single one, the same with every network; None of the others."""
    return 0 if isinstance(method, Dense) else 1 if isinstance(method, Biases) else None


def has_rates(method: Method) -> bool:
    """Whether a method has every rate from 0 up to 1, and not a single one: its own, or its network's."""
    return only_rate(method) is None and not isinstance(method, LastLayer)
