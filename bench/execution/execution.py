"""Execution: where and how trials run. Imports nothing, so that the command line can name the executors at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Executor = Literal["ray", "local"]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where and how the trials run: nothing here changes a number."""

    executor: Executor
    gpus_per_trial: float
    address: str | None
    max_retries: int
    storage: str | None  # the folder or object store that takes the checkpoints; None = there are none
