"""The mask-selection interface: what a method is.

A method is criterion × scope × background. `select` decides, before training, which weights are trained (live); the
background says what the others (dead) hold. This module imports no torch, so that listing the methods stays instant.
"""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bench.methods.types import Background, Batches, Control, Criterion, Loss, Masks, Scope

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

FROZEN_ONLY = ("redraw", "sign", "mean")  # controls of what frozen weights hold


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to choose the live weights, and what the dead ones hold.

    A one-shot method names a criterion and a scope and inherits `select`. Any further dataclass field (a temperature,
    a number of rounds) is handed to the criterion as a keyword and enters the run key. An iterative method overrides
    `select`.
    """

    criterion: str | Criterion  # a row of CRITERIA in `bench.methods.criteria`, or a function with `snip`'s signature
    scope: Scope = "global"  # a row of SCOPES in bench.methods.scopes
    background: Background  # dead weights keep their initial value ("freeze") or are 0 ("prune")
    control: Control = "none"  # a sanity control on top; a row of CONTROLS in bench.methods.controls
    source: str = ""  # SHA-256 of the source of a method from outside this package; computed if it is not given

    def __post_init__(self) -> None:
        for name, value, values in (
            ("scope", self.scope, get_args(Scope)),
            ("background", self.background, get_args(Background)),
            ("control", self.control, get_args(Control)),
        ):
            if value not in values:
                raise ValueError(f"{name} {value!r}: must be one of {', '.join(values)}")
        if self.control in FROZEN_ONLY and self.background != "freeze":
            raise ValueError(f"background {self.background} with control {self.control}: must be freeze")
        if self.control == "invert" and type(self).select is not Method.select:
            raise ValueError(
                f"control invert of {type(self).__name__}: must be of a one-shot method, which ranks by one score"
            )
        if callable(self.criterion):
            _check_function(self.criterion)
        if not self.source:
            object.__setattr__(self, "source", _foreign_source(type(self), self.criterion))

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
                 Of the controls, "invert" is at work here; the others change the masks, or the weights, afterwards.
        Raises:  ValueError if a score is NaN or infinite.
        """
        from bench.methods.criteria import resolve
        from bench.methods.scopes import SCOPES

        scores = resolve(self.criterion)(model, batches, loss, generator, **self.parameters())
        if self.control == "invert":
            scores = {name: -score for name, score in scores.items()}
        return SCOPES[self.scope](scores, rate)

    def parameters(self) -> dict[str, Any]:
        """The fields a subclass adds: the criterion's keywords."""
        shared = {f.name for f in fields(Method)}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in shared}

    def record(self) -> dict[str, Any]:
        """What identifies the method: how it selects and every field. Two names with one record are one method."""
        owner = next(c for c in type(self).__mro__ if "select" in vars(c))
        record: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        record["select"] = "one-shot" if owner is Method else owner.__qualname__
        if callable(self.criterion):
            record["criterion"] = self.criterion.__qualname__
        if not self.source:
            del record["source"]
        if self.control == "none":  # a method is the same as before there were controls
            del record["control"]
        return record


def check_fixed(method: Method, *names: str) -> None:
    """Raise ValueError if a field that the method's `select` does not read is not its class's default."""
    defaults = {f.name: f.default for f in fields(method)}
    for name in names:
        if (value := getattr(method, name)) != defaults[name]:
            raise ValueError(f"{name} {value!r} of {type(method).__name__}: must be {defaults[name]!r}")


def _check_function(criterion: Criterion) -> None:
    """Name and source must identify a criterion, or two different ones would share a run key."""
    name = getattr(criterion, "__qualname__", "")
    if not name or "<lambda>" in name or getattr(criterion, "__closure__", None):
        raise ValueError(
            f"criterion {criterion!r}: must be a named function that captures no variables; parameters are fields of"
            " the method"
        )


def _foreign_source(owner: type, criterion: str | Criterion) -> str:
    """SHA-256 over the files that define a class, its bases and a criterion, ours left out; "" if all are ours."""
    pieces: list[Any] = [c for c in owner.__mro__ if c is not object]
    pieces += [criterion] if callable(criterion) else []
    foreign = [_source(p) for p in pieces if not p.__module__.startswith(f"{__package__}.")]
    return hashlib.sha256(b"\x00".join(dict.fromkeys(foreign))).hexdigest() if foreign else ""


def _source(piece: Any) -> bytes:
    try:
        return Path(inspect.getfile(piece)).read_bytes()
    except (TypeError, OSError):  # defined in a notebook or at a prompt: no file, but perhaps its own lines
        return inspect.getsource(piece).encode()
