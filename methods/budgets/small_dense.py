"""The baseline beside every table: a dense network that is as small as what a rate stores. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from bench.channels.budgets import Budget, check_budget, floor_of
from bench.channels.counts import counts
from bench.channels.groups import Channels
from bench.messages import one_of
from bench.methods.budgets.uniform_width import UniformWidth
from bench.methods.changing.schedule import share
from bench.methods.counts import live_count
from bench.methods.types import Criterion

if TYPE_CHECKING:
    import numpy as np

Equal = Literal["parameters", "bytes"]
EXACT = Context(prec=50)  # its logarithms are rounded correctly, so that a width is the same on every machine
VALUE = 4  # bytes of a stored number


@dataclass(frozen=True, kw_only=True)
class SmallDense(UniformWidth):
    """A dense network of the same family, trained in full: every width scaled by the same share, rounded down but to no
    less than `least`; the largest that stores no more than a frozen or pruned network of the rate.

    With equal=parameters that is S = k + b, with k the live weights of the rate and b all biases, scales and shifts of
    the whole network. With equal=bytes it is 4·S + ⌈N·H(k/N)/8⌉ bytes: numbers of four bytes, and the entropy of a mask
    of k live among N weights, which no mask needs more than; the small network has 4 bytes for each parameter, and a
    bit for each channel of the whole one. Header, checksums and BatchNorm's statistics are in neither.

    Departs from any paper: none proposes it.
    """

    criterion: str | Criterion = "small-dense"
    stream: bool = True  # every width, those of residual streams too, if they can be cut
    equal: str = "parameters"  # or bytes
    own_widths: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.equal not in get_args(Equal):
            raise ValueError(f"equal {self.equal!r}: {one_of(get_args(Equal))}")

    def budget(self, channels: Channels, rate: Fraction) -> Budget:
        """What a frozen or pruned network of the rate stores, and `macs` of the network's multiply-accumulates."""
        return self._budget(channels, live_count(rate, channels.maskable))

    def open_channels(
        self, channels: Channels, rate: Fraction, generator: np.random.RandomState
    ) -> dict[str, list[bool]]:
        """The first channels of every group. Raises ValueError, which names the largest rate, if that is exceeded."""
        budget = self.budget(channels, rate)
        if budget.parameters < floor_of(channels, self.least).parameters:
            try:
                check_budget(channels, budget, self.least)
            except ValueError as error:
                raise ValueError(f"{error}; must be at a rate of at most {self._largest(channels)}") from None
        return super().open_channels(channels, rate, generator)

    def _budget(self, channels: Channels, live: int) -> Budget:
        full = counts(channels, channels.widths)
        stored = live + full.parameters - channels.maskable
        if self.equal == "bytes":
            file = VALUE * stored + mask_bytes(channels.maskable, live)
            stored = (file - ceil(sum(channels.widths.values()) / 8)) // VALUE
        return Budget(parameters=stored, macs=floor(share(self.macs) * full.macs))

    def _largest(self, channels: Channels) -> str:
        """The largest rate at which a network with `least` channels in each group is within the budget, rounded down:
        the budget rises with the live weights.
        """
        least, weights = floor_of(channels, self.least).parameters, channels.maskable
        low, high = 0, weights  # live weights: too few, and enough
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._budget(channels, middle).parameters >= least else (middle, high)
        return f"{floor(10_000 * (1 - Fraction(high, weights))) / 10_000:g}"


def mask_bytes(weights: int, live: int) -> int:
    """⌈N·H(k/N)/8⌉: the entropy of a mask of k live among N weights, in whole bytes; H in bits.

    >>> mask_bytes(266_200, 2_662)
    2689
    >>> mask_bytes(8, 4), mask_bytes(8, 8)
    (1, 0)
    """
    with localcontext(EXACT):
        nats = sum((-c * (Decimal(c) / weights).ln() for c in (live, weights - live) if c), Decimal(0))
        return int((nats / Decimal(2).ln() / 8).to_integral_value(rounding=ROUND_CEILING))
