"""Checkpoints: what a trial needs to resume after its last whole epoch, in one file that is replaced as a whole.

On a CPU a resumed trial gives the bits of one that was never stopped. Random streams are not in the file: they follow
from the seed and the number of epochs. The file is a SHA-256 [32 bytes] and the bytes that it is computed from. torch
writes them, and reads them with its loader of plain values and tensors, which executes nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.storage.environment import environment
from bench.storage.files import files_at

if TYPE_CHECKING:
    from torch import Tensor

SECONDS = 60.0  # of training between two checkpoints of a trial; writing one costs a fraction of a second
SUFFIX = ".checkpoint"
VERSION_TAGS = ("bench.torch", "bench.numpy")  # tags of the libraries that may compute other bits in another version


# By parameter: `bench.engine.steps.live_optimizer.LiveOptimizer.state`.
OptimizerState = dict[str, list["Tensor"]]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a trial after an epoch."""

    run_key: str
    model: dict[str, Tensor]  # its state, dead weights included
    masks: dict[str, Tensor]
    update: OptimizerState
    init_sha256: str
    dead_sha256: str
    metrics: dict[str, float]
    epochs: list[dict[str, float]]
    layers: dict[str, dict[str, Any]]
    tags: dict[str, str]
    started: float
    seconds: float
    best: float
    # Of a method whose masks change while training.
    fixed: dict[str, Tensor] = field(default_factory=dict)
    initial: dict[str, Tensor] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    unscaled: dict[str, Tensor] = field(default_factory=dict)  # of a method whose background fades


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a folder or an object store (`bench.storage.files`). Made by a driver, which needs no torch.

    Args: seconds: of training between two checkpoints of a trial; one that takes less writes none.
    """

    storage: str
    seconds: float = SECONDS

    def write(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint of a trial over an earlier one. Raises OSError."""
        import torch

        buffer = io.BytesIO()
        torch.save(vars(checkpoint), buffer)
        body = buffer.getvalue()
        files_at(self.storage).write(checkpoint.run_key + SUFFIX, hashlib.sha256(body).digest() + body)

    def read(self, run_key: str) -> Checkpoint | None:
        """The checkpoint of a trial; None if it is missing, damaged, unreachable, or of another torch or numpy."""
        import torch

        try:
            data = files_at(self.storage).read(run_key + SUFFIX)
            if data is None or hashlib.sha256(data[32:]).digest() != data[:32]:
                return None
            checkpoint = Checkpoint(**torch.load(io.BytesIO(data[32:]), map_location="cpu", weights_only=True))
        except Exception:  # no answer, or a file of another version of this project: the trial starts again
            return None
        here = environment()
        same = all(checkpoint.tags.get(tag) == here.get(tag) for tag in VERSION_TAGS)
        return checkpoint if same and checkpoint.run_key == run_key else None

    def remove(self, run_keys: Collection[str]) -> None:
        """Remove the checkpoints of these trials, if there are any; one that cannot be removed stays."""
        try:
            files = files_at(self.storage)
            for name in files.names():
                if name.lstrip(".").partition(SUFFIX)[0] in run_keys:  # or what a killed process left of one
                    files.remove(name)
        except OSError:
            pass
