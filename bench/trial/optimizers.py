"""Optimizers: everything that is said of one, in one row. No torch: a row names its update rule.

To add one: a row here, and its rule in `bench.engine.steps.updates`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.methods.identity.code import root_of
from bench.references import Reference

LR = 0.1  # of SGD, and so of the default protocol


@dataclass(frozen=True, kw_only=True)
class OptimizerRow:
    """One optimizer."""

    words: str  # its name in a text
    # Of an `Update` (`bench.engine.steps.updates`), or a class of torch.optim: "module:name", or the class itself.
    rule: Reference
    momentum: str = ""  # "" = it has none; else what the protocol's `momentum` is for it
    lr: float | None = None  # if none is given; None = one must be given
    nesterov: bool = False  # whether it has Nesterov momentum
    # Whether each value's update follows from its own gradients alone, and a learning rate on the device is understood:
    # then trials of a batched step share a tensor.
    batched: bool = False
    follows_gradient: bool = False  # its first step is the live gradient times a number: `names.PREDICTED_DECREASE`
    # Whether it reads a weight only to decay it by the protocol's weight decay; then that can be towards the start too.
    displaceable: bool = False


UPDATES: dict[str, OptimizerRow] = {
    "sgd": OptimizerRow(
        words="SGD",
        rule="bench.engine.steps.updates:Sgd",
        momentum="Momentum",
        lr=LR,
        nesterov=True,
        batched=True,
        follows_gradient=True,
        displaceable=True,
    ),
    "adam": OptimizerRow(
        words="Adam", rule="bench.engine.steps.updates:Adam", momentum="beta_1", batched=True, displaceable=True
    ),
    "adamw": OptimizerRow(
        words="AdamW", rule="bench.engine.steps.updates:AdamW", momentum="beta_1", batched=True, displaceable=True
    ),
}


def optimizer_words(name: str) -> str:
    """Its name in a text; a name of another version as it is."""
    return UPDATES[name].words if name in UPDATES else name


def with_nesterov() -> list[str]:
    """The optimizers that have Nesterov momentum."""
    return [name for name, row in UPDATES.items() if row.nesterov]


def displaceable() -> list[str]:
    """The optimizers whose weight decay can be towards the start."""
    return [name for name, row in UPDATES.items() if row.displaceable]


def default_lr(optimizer: str) -> float:
    """The learning rate if none is given. Raises ValueError if the optimizer has no default."""
    if (lr := UPDATES[optimizer].lr) is None:
        known = ", ".join(f"{row.lr} is for {name}" for name, row in UPDATES.items() if row.lr is not None)
        raise ValueError(f"optimizer {optimizer}: needs --lr; the default {known}")
    return lr


def lr_help() -> str:
    """The help of --lr, with the defaults."""
    given = ", ".join(f"{row.lr} for {name}" for name, row in UPDATES.items() if row.lr is not None)
    others = [name for name, row in UPDATES.items() if row.lr is None]
    return f"Begin with this learning rate.  [default: {given}{f'; {_joined(others)} need one' if others else ''}]"


def momentum_help() -> str:
    """The help of --momentum: what it is of each optimizer."""
    roles = dict.fromkeys(row.momentum for row in UPDATES.values() if row.momentum)
    of_role = {role: [row.words for row in UPDATES.values() if row.momentum == role] for role in roles}
    return f"{'; '.join(f'{role} of {_joined(words)}' for role, words in of_role.items())}."


def nesterov_help() -> str:
    """The help of --nesterov."""
    return f"Use Nesterov momentum ({', '.join(with_nesterov())})."


def _joined(words: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def is_torch_optimizer(value: Any) -> bool:
    """Whether it is a class of torch.optim, or one made like these, perhaps with arguments of functools.partial."""
    root = root_of(value)
    return "torch" in sys.modules and isinstance(root, type) and issubclass(root, sys.modules["torch"].optim.Optimizer)
