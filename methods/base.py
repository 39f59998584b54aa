"""The mask-selection interface: what a method is.

A method is criterion × scope × background. `select` decides, before training, which weights are trained (live); the
background says what the others (dead) hold. This module imports no torch, so that listing the methods stays instant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from bench.methods.background import recorded, scale_of
from bench.methods.fading import UNTIL
from bench.methods.identity.classes import class_name
from bench.methods.identity.identify import check_shared, identify
from bench.methods.types import Background, Batches, Control, Criterion, Fade, Loss, Masks, Scope

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

    from bench.channels.filters import Filters
    from bench.channels.groups import Channels
    from bench.channels.selection import Selection
    from bench.methods.changing.revision import Revision
    from bench.methods.changing.shaping import ShapedNetwork

LATER = {"later": True}  # metadata of a field that came later: left out of the record at its default, so no key moved


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to choose the live weights, and what the dead ones hold.

    A one-shot method names a criterion and a scope and inherits `select`. Any further dataclass field (a temperature,
    a number of rounds) is handed to the criterion as a keyword and enters the run key. An iterative method overrides
    `select`. One whose masks change while training overrides `moments` and `revise`.
    """

    criterion: str | Criterion  # a row of CRITERIA in `bench.methods.criteria`, or a function with `snip`'s signature
    scope: Scope = "global"  # a row of SCOPES in bench.methods.scopes
    background: Background  # dead weights keep their initial value ("freeze") or are 0 ("prune")
    # How many times their initial value dead weights hold, of frozen ones; None = once. 1 is freeze, 0 is prune.
    scale: float | None = None
    # How the scale falls while training, to what, and by the end of which share of the training.
    fade: Fade = field(default="none", metadata=LATER)
    fade_to: float = field(default=0.0, metadata=LATER)
    fade_until: float = field(default=UNTIL, metadata=LATER)
    control: Control = "none"  # a sanity control on top; a row of CONTROLS in bench.methods.controls
    # Whether `select` is also given the trained network of another trial, that of `parent`: as the keywords `trained`,
    # weight name -> trained value, and `live`, its masks.
    reads_parent: ClassVar[bool] = False
    # Whether it closes whole channels, which are then cut out of the network: `open_channels` says which are open.
    closes_channels: ClassVar[bool] = False
    # Whether the live weights are trained; else they keep their initial values, and a file holds none of them.
    trains_weights: ClassVar[bool] = True
    # Whether its last masks have as many live weights as a budget of its own allows, and not as many as the rate says.
    ends_at_budget: ClassVar[bool] = False
    # Whether a network of its own widths is trained; stored is the whole one with closed channels.
    own_widths: ClassVar[bool] = False
    # SHA-256 of the source of a method from outside this package; `identify` notes it.
    source: str = field(default="", init=False)

    def __post_init__(self) -> None:
        check_shared(self)

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """Choose the live weights of `model` in one shot: masks = scope(criterion(...), rate).

        Args:    model: at its initial weights, in the BatchNorm mode the criterion is to see; never changed.
                 batches: (x [N,C,H,W] float, y [N] int64) pairs, the criterion sample.
                 loss: (logits [N,K], y [N]) -> scalar mean loss.
                 rate: fraction of the maskable weights that is not trained, in [0, 1]; 1 only if `only_rate` is 1.
                 generator: the trial's own stream for this purpose.
        Returns: name -> bool mask of the weight's shape, True = live; exactly `live_count(rate, N)` live in all, of
                 scope filter whole filters and at most as many (`bench.methods.filters`).
                 Of the controls, "invert" is at work here; the others change the masks, or the weights, afterwards.
        Raises:  ValueError if the scores are not a finite real number for every weight.
        """
        from bench.methods.criteria import resolve
        from bench.methods.maskable import maskable
        from bench.methods.scopes import SCOPES, inverted, scored

        weights = maskable(model)
        scores = scored(resolve(self.criterion)(model, batches, loss, generator, **self.parameters()), weights)
        return SCOPES[self.scope](inverted(scores) if self.control == "invert" else scores, rate)

    def parent(self, rate: Decimal) -> tuple[Method, Decimal]:
        """Method and rate of the trial whose trained network `select` reads; of a lower rate, where 0 is dense."""
        raise NotImplementedError(f"{type(self).__name__}.parent: must be there, since reads_parent is True")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """The epochs at whose end `revise` is asked for masks, rising, in 1 … epochs; none if masks are chosen once."""
        return ()

    def start_rate(self, rate: Fraction) -> Fraction:
        """The rate of the masks that `select` gives in a trial of this rate, which holds from the last moment on."""
        return rate

    def revise(self, at: Revision) -> Masks:
        """The masks from a moment on, of every maskable weight; after the last moment as many are live as `rate` says.

        Masks of other parameters, such as the scale and shift of BatchNorm, may be among them: their dead entries hold
        the background too, and are never trained. Those left out are live.
        """
        return at.masks

    def reset(self, at: Revision, masks: Masks) -> Mapping[str, Tensor]:
        """The values that parameters are given at a moment, whole tensors by name; those left out keep theirs.

        Args: masks: what `revise` gave; a dead entry holds the background whatever is given here.
        """
        return {}

    def restarted(self, at: Revision, masks: Masks) -> Masks:
        """The live entries that go on from a moment without their state of the optimizer, by parameter: True = so.

        Args: masks: what `revise` gave; what was dead before has no state anyway.
        """
        return {}

    def attach(self, at: ShapedNetwork) -> Sequence[RemovableHandle]:
        """Register forward hooks on the network, again if a trial resumes; all are removed at the last moment."""
        return ()

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """Change live parameters of the network in place, after every step of the optimizer before the last moment.

        Args: done: steps of the training so far. lr: the learning rate of the last of them.
        """

    @property
    def changes_masks(self) -> bool:
        """Whether the masks change while training."""
        moments = type(self).moments  # earlier plug-ins may have a field of this name
        return callable(moments) and moments is not Method.moments

    def open_channels(
        self, channels: Channels, rate: Fraction, generator: np.random.RandomState
    ) -> dict[str, list[bool]]:
        """Which channels are open at first: group -> a flag of each.

        Raises: ValueError if the network cannot be so small.
        """
        raise NotImplementedError(f"{type(self).__name__}.open_channels: must be there, since closes_channels is True")

    def slack(self, rate: Fraction, masks: Masks, selection: Selection | None, filters: Callable[[], Filters]) -> str:
        """What a trained network leaves of its budgets, in words; "" if it fills one of them, or has none."""
        return ""

    def check_budget(self, rate: Fraction, filters: Callable[[], Filters]) -> None:
        """Raise ValueError if the budget of a method that ends at one is too small for the network."""

    @property
    def background_scale(self) -> float:
        """How many times their value at the start dead weights hold: 1 frozen, 0 pruned, or what `scale` says; of a
        background that fades, at first.
        """
        return scale_of(recorded(self))

    @property
    def at_initialisation(self) -> bool:
        """Whether the masks are chosen before anything is trained; other methods are in groups of their own."""
        return not (self.reads_parent or self.changes_masks)

    def parameters(self) -> dict[str, Any]:
        """The fields a subclass adds: the criterion's keywords."""
        shared = {f.name for f in fields(Method)}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in shared}

    def record(self) -> dict[str, Any]:
        """What identifies the method: how it selects and every field. Two names with one record are one method."""
        identify(self)
        owner = next(c for c in type(self).__mro__ if "select" in vars(c))
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        later = {f.name: f.default for f in fields(self) if f.metadata.get("later")}
        record: dict[str, Any] = {name: v for name, v in values.items() if name not in later or v != later[name]}
        record["background"] = recorded(self)
        del record["scale"]
        record["select"] = "one-shot" if owner is Method else owner.__qualname__
        if callable(self.criterion):
            record["criterion"] = self.criterion.__qualname__
        if not self.source:
            del record["source"]
        if self.control == "none":  # a method is the same as before there were controls
            del record["control"]
        record |= {} if self.at_initialisation else {"at_initialisation": False}
        record |= {"closes_channels": True} if self.closes_channels else {}
        record |= {"ends_at_budget": True} if self.ends_at_budget else {}
        record |= {} if self.trains_weights else {"trains_weights": False}
        record |= {"changes_masks": True} if self.changes_masks else {}
        return record | ({"class": name} if (name := class_name(self)) else {})


def check_fixed(method: Method, *names: str) -> None:
    """Raise ValueError if a field that the method's `select` does not read is not its class's default."""
    defaults = {f.name: f.default for f in fields(method)}
    for name in names:
        if (value := getattr(method, name)) != defaults[name]:
            raise ValueError(f"{name} {value!r} of {type(method).__name__}: must be {defaults[name]!r}")
