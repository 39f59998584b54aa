"""Checkpoints: what a trial needs to go on after its last whole epoch, in one file that is replaced as a whole.

On a CPU a trial that goes on gives the bits of one that was never stopped. Random streams are not in the file: they
follow from the seed and the number of epochs. The file is a SHA-256 [32 bytes] and what it is of, written by torch and
read by its loader of plain values and tensors, which executes nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.storage.environment import environment
from bench.storage.files import files_at

if TYPE_CHECKING:
    from torch import Tensor

SECONDS = 60.0  # of training between two checkpoints of a trial: writing one costs a fraction of a second
SUFFIX = ".checkpoint"
SAME = ("bench.torch", "bench.numpy")  # tags of the libraries that may compute other bits in another version


State = dict[
    str, list["Tensor"]
]  # of an optimizer, by parameter: `bench.engine.steps.live_optimizer.LiveOptimizer.state`


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A trial after an epoch."""

    run_key: str
    model: dict[str, Tensor]  # its state, dead weights included
    masks: dict[str, Tensor]
    update: State
    init_sha256: str
    dead_sha256: str
    metrics: dict[str, float]
    epochs: list[dict[str, float]]
    layers: dict[str, dict[str, Any]]
    tags: dict[str, str]
    started: float
    seconds: float
    best: float


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a folder or an object store (`bench.storage.files`). Made by a driver, which needs no torch.

    Args: seconds: of training between two checkpoints of a trial; one that takes less writes none.
    """

    place: str
    seconds: float = SECONDS

    def write(self, saved: Saved) -> None:
        """Keep the state of a trial, in the place of an earlier one. Raises OSError."""
        import torch

        buffer = io.BytesIO()
        torch.save(vars(saved), buffer)
        body = buffer.getvalue()
        files_at(self.place).write(saved.run_key + SUFFIX, hashlib.sha256(body).digest() + body)

    def read(self, run_key: str) -> Saved | None:
        """The state of a trial; None where it is missing, damaged, not to be had, or of another torch or numpy."""
        import torch

        try:
            data = files_at(self.place).read(run_key + SUFFIX)
            if data is None or hashlib.sha256(data[32:]).digest() != data[:32]:
                return None
            saved = Saved(**torch.load(io.BytesIO(data[32:]), map_location="cpu", weights_only=True))
        except Exception:  # no answer, or a file of another version of this project; the trial starts again
            return None
        here = environment()
        same = all(saved.tags.get(tag) == here.get(tag) for tag in SAME)
        return saved if same and saved.run_key == run_key else None

    def remove(self, run_keys: Collection[str]) -> None:
        """Remove the checkpoints of these trials, where there are any; one that cannot be removed stays."""
        try:
            files = files_at(self.place)
            for name in files.names():
                if name.lstrip(".").partition(SUFFIX)[0] in run_keys:  # or what a killed process left of one
                    files.remove(name)
        except OSError:
            pass
