"""The mask-selection interface: what a method is.

A method is criterion × scope × background. `select` decides, before training, which weights are trained (live); the
background says what the others (dead) hold. This module imports no torch, so that listing the methods stays instant.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

Background = Literal["freeze", "prune"]
Batches = Sequence[tuple["Tensor", "Tensor"]]
Loss = Callable[["Tensor", "Tensor"], "Tensor"]
Scores = dict[str, "Tensor"]
Masks = dict[str, "Tensor"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to choose the live weights, and what the dead ones hold.

    A one-shot method names a criterion and a scope and inherits `select`. Any further dataclass field (a temperature,
    a number of rounds) is handed to the criterion as a keyword and enters the run key. An iterative method overrides
    `select`.
    """

    criterion: str  # a name of CRITERIA, or "module:function"
    scope: str = "global"  # a name of SCOPES
    background: Background  # dead weights keep their initial value ("freeze") or are 0 ("prune")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """Choose the live weights of `model` in one shot: masks = scope(criterion(...), rate).

        Args:    model: at its initial weights, in the BatchNorm mode the criterion is to see; never changed.
                 batches: (x [N,C,H,W] float, y [N] int64) pairs, the criterion sample.
                 loss: (logits [N,K], y [N]) -> scalar mean loss.
                 rate: fraction of the maskable weights that is not trained, in [0, 1).
                 generator: the trial's own stream for this purpose.
        Returns: name -> bool mask of the weight's shape, True = live; exactly `live_count(rate, N)` live in all.
        Raises:  ValueError if a score is NaN or infinite.
        """
        from methods.criteria import resolve
        from methods.scopes import SCOPES

        scores = resolve(self.criterion)(model, batches, loss, generator, **self.parameters())
        return SCOPES[self.scope](scores, rate)

    def parameters(self) -> dict[str, Any]:
        """The fields a subclass adds: the criterion's keywords."""
        own = {f.name for f in fields(Method)}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in own}

    def record(self) -> dict[str, Any]:
        """What identifies the method: how it selects and every field. Two names with one record are one method.

        Code from outside this package (a plug-in) adds the SHA-256 of its source.
        """
        owner = next(c for c in type(self).__mro__ if "select" in vars(c))
        record: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        record["select"] = "one-shot" if owner is Method else owner.__qualname__
        source = _foreign_source(owner, self.criterion)
        return {**record, "source": source} if source else record


def _foreign_source(owner: type, criterion: str) -> str:
    """SHA-256 over the source files of a plug-in's class and criterion; "" where both are ours."""
    modules = {owner.__module__, criterion.partition(":")[0] if ":" in criterion else __name__}
    foreign = sorted(m for m in modules if m.partition(".")[0] != __package__)
    if not foreign:
        return ""
    import importlib

    for name in foreign:
        importlib.import_module(name)
    texts = (Path(inspect.getfile(sys.modules[name])).read_bytes() for name in foreign)
    return hashlib.sha256(b"\x00".join(texts)).hexdigest()
