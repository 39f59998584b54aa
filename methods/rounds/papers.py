"""The papers' methods in rounds: `select` loops over the masked model. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from bench.methods.base import LATER
from bench.methods.rounds.iterative import Iterative, released_schedule, schedule
from bench.methods.types import Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from bench.methods.types import Scores


@dataclass(frozen=True, kw_only=True)
class IterativeSNIP(Iterative):
    """SNIP in rounds: score |w · ∂L/∂w| on the net pruned so far; what is removed never returns (de Jorge et al. 2021,
    arXiv:2006.09081).

    Departs from the paper: one class-balanced sample for all rounds, exact counts.
    """

    criterion: str | Criterion = "snip"

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.derivatives import gradient, leaves
        from bench.methods.rounds.loop import in_rounds

        def score(masked: dict[str, Tensor]) -> Scores:
            return {n: (masked[n].detach() * g).abs() for n, g in gradient(model, masked, batches, loss).items()}

        weights = leaves(model)
        return in_rounds(weights, self.live_after(weights, rate), score)


@dataclass(frozen=True, kw_only=True)
class FORCE(Iterative):
    """SNIP in rounds, but what is removed may return: score |w_initial · ∂L/∂θ|, θ the masked net (de Jorge et al.
    2021, arXiv:2006.09081).

    Departs from the paper: one class-balanced sample for all rounds, exact counts. Departs from its code, which scores
    with the negative log-likelihood of raw logits: the loss is the training loss.
    """

    criterion: str | Criterion = "force"

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.derivatives import gradient, leaves
        from bench.methods.rounds.loop import in_rounds

        weights = leaves(model)

        def score(masked: dict[str, Tensor]) -> Scores:
            return {n: (weights[n].detach() * g).abs() for n, g in gradient(model, masked, batches, loss).items()}

        return in_rounds(weights, self.live_after(weights, rate), score, revive=True)


@dataclass(frozen=True, kw_only=True)
class SynFlow(Iterative):
    """Keep the weights that most synaptic flow passes, |θ · ∂R/∂θ|, in 100 rounds; without data (Tanaka et al. 2020,
    arXiv:2006.05467).

    R is the sum of the outputs for an image of ones, all weights, biases and statistics replaced by their absolute
    values, BatchNorm in evaluation mode, in float64: whatever the protocol's statistics and precision are.

    Departs from the paper's code: counts rounded half up in every round, where it truncates the number removed; of
    equal scores the earlier weight is kept, where all that score as much as the highest that is removed go with it.
    `counts=released` has the code's rule in all rounds but the last, which keeps exactly `live_count`: at most one
    weight fewer than the code if no scores are equal there. The code scores in float32.
    """

    criterion: str | Criterion = "synflow"
    rounds: int = 100
    counts: str = field(default="exact", metadata=LATER)  # or "released"
    power: ClassVar[int] = 1  # of the absolute values

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.counts not in ("exact", "released"):
            raise ValueError(f"counts {self.counts!r} of {type(self).__name__}: must be exact or released")

    def live_after(self, weights: Mapping[str, Tensor], rate: Fraction) -> list[int]:
        """See `Iterative.live_after`."""
        rule = schedule if self.counts == "exact" else released_schedule
        return rule(rate, sum(w.numel() for w in weights.values()), self.rounds)

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.maskable import maskable
        from bench.methods.rounds.loop import in_rounds
        from bench.methods.rounds.synflow import ones, positive, synaptic_flow

        flowing = positive(model, self.power)
        weights = maskable(flowing)
        image = ones(batches, next(iter(weights.values())))

        def score(masked: dict[str, Tensor]) -> Scores:
            return synaptic_flow(flowing, masked, image)

        return in_rounds(weights, self.live_after(weights, rate), score, ties_fall=self.counts == "released")


@dataclass(frozen=True, kw_only=True)
class SynFlowL2(SynFlow):
    """SynFlow with squares in place of absolute values, |θ² · ∂R/∂(θ²)|: the squared paths through a weight (Gebhart et
    al. 2021, arXiv:2101.10552; a control in Patil and Dovrolis 2021, arXiv:2010.11354).

    Departs from the papers: as `SynFlow`. The derivative is multiplied by θ², as R asks for, where the code of PX
    multiplies it by |θ|.
    """

    criterion: str | Criterion = "synflow-l2"
    power: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class NTKSAP(Iterative):
    """Keep the weights on whose mask the spectrum of the tangent kernel depends most, over redrawn weights: without
    data, whatever the initial weights are (Wang et al., ICLR 2023, arXiv:2304.02840).

    The score is |∂S/∂m|, S the sum over the redraws and over normal random images, as many as the sample has, of
    ‖f(x; m·w') - f(x; m·(w' + ε·z))‖², z standard normal; BatchNorm has the statistics that w' gives on the images. In
    float64, whatever the protocol's statistics and precision are.

    Departs from the paper's code: w' is the layer's own weights in another order, an exact draw for initialisers of
    independent entries; biases and BatchNorm's scale and shift stay; exact counts; the network is trained from its own
    weights, where the code trains the last redraw.
    """

    criterion: str | Criterion = "ntk-sap"
    rounds: int = 20
    redraws: int = 5
    epsilon: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "epsilon", float(self.epsilon))  # 1 and 1.0 are one method
        if self.redraws < 1:
            raise ValueError(f"redraws {self.redraws}: must be a whole number >= 1")
        if not 0 < self.epsilon < float("inf"):
            raise ValueError(f"epsilon {self.epsilon}: must be epsilon > 0")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.rounds.loop import in_rounds, whole
        from bench.methods.rounds.ntk_sap import draws, sensitivity

        masks = whole(model)

        def score(mask: dict[str, Tensor]) -> Scores:
            return sensitivity(model, mask, draws(model, batches, self.redraws, generator), self.epsilon)

        return in_rounds(masks, self.live_after(masks, rate), score)


@dataclass(frozen=True, kw_only=True)
class PX(Iterative):
    """Keep the weights of the heaviest paths that the images make active, |w² · ∂R/∂(w²)|, in 100 rounds: Path
    eXclusion (Iurada et al., CVPR 2024, arXiv:2406.01820).

    R = Σ z1 · z2 over images and classes: z1 of a network of ones for the squared images, whose ReLU let pass what
    those of the masked network do; z2 of the squared weights for an image of ones, without ReLU. In float64.

    BatchNorm is a constant factor of each channel, by its running statistics. With `classifier=squared` R is the sum
    over all paths of their squared weights.

    Departs from the paper's formula, as its code does: the classifier's weights are neither squared nor ones.
    Departs from its code: there BatchNorm normalises by the batch in both networks, `batchnorm=batch`; behind a mean
    over the map nothing but rounding is then left of the scores, which is refused. Biases are 0 in both networks, where
    it squares them or makes them ones; the classifier is the last layer that runs, where it is what is called "fc";
    exact counts; the protocol's sample.
    """

    criterion: str | Criterion = "px"
    rounds: int = 100
    classifier: str = "kept"  # or "squared", as the other layers
    batchnorm: str = "running"  # or "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("classifier", ("kept", "squared")), ("batchnorm", ("running", "batch"))):
            if (value := getattr(self, name)) not in values:
                raise ValueError(f"{name} {value!r} of PX: must be {' or '.join(values)}")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`. Raises ValueError if the network has anything but ReLU that is not linear."""
        from bench.methods.rounds.loop import in_rounds, whole
        from bench.methods.rounds.px import Paths

        paths, masks = Paths.of(model, batches, self.classifier, self.batchnorm), whole(model)
        return in_rounds(masks, self.live_after(masks, rate), paths.scores)
