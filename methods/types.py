"""The types that methods, criteria and scopes share. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

Background = Literal["freeze", "prune"]
Fade = Literal["none", "linear", "cosine"]  # the rows of `bench.methods.fading.PATHS`
Scope = Literal["global", "uniform", "er", "erk", "filter"]  # the rows of `bench.methods.scopes.SCOPES`
Control = Literal["none", "shuffle", "reinitialise", "invert", "redraw", "sign", "mean"]  # of `controls.CONTROLS`
Batches = Sequence[tuple["Tensor", "Tensor"]]  # (x [N,C,H,W], y [N]) pairs
Loss = Callable[["Tensor", "Tensor"], "Tensor"]  # (logits [N,K], y [N]) -> scalar
Scores = dict[str, "Tensor"]  # weight name -> score, of the weight's shape
Masks = dict[str, "Tensor"]  # weight name -> bool, True = live
Criterion = Callable[..., Scores]
State = dict[str, Any]  # what a method keeps of one trial: tensors and plain values; in its checkpoints
