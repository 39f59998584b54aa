"""CUDA graphs: a step is recorded once and replayed, so that one call launches all its kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.messages import one_line
from bench.models import MODELS
from bench.trial.optimizers import UPDATES
from bench.trial.spec import TrialSpec

WARM_UP = 3  # unrecorded steps of each batch size, before one is recorded
StepFunction = Callable[[Tensor, Tensor], Tensor]  # (samples, lr) -> losses


@dataclass(frozen=True)
class Recording:
    """A recorded step, with the memory of its inputs and outputs."""

    graph: torch.cuda.CUDAGraph
    samples: Tensor
    losses: Tensor


class RecordingFailed(RuntimeError):
    """A step could not be recorded. CUDA may refuse every later call of this process, so it must end."""


def is_recorded(spec: TrialSpec, device: str) -> bool:
    """Whether a trial's steps, or its pack's, are recorded: on CUDA, but for float64 and code from outside.

    A Python number would be recorded as a constant, so the learning rate of a recorded step is a tensor on the device;
    torch's fused optimizers take a float32 one only there, and a float64 training would have a rate rounded to it.
    What code from outside does in Python is done once and not replayed. A network that can be in a pack does nothing
    there that depends on its values (`bench.models.structure.structure.no_pack`); one by itself is of this package.
    """
    ours = MODELS[spec.model].is_known and UPDATES[spec.optimizer].batched
    return device == "cuda" and spec.precision != "float64" and (spec.pack != "single" or ours)


class GraphedStep:
    """A training step (samples, lr) -> losses, on CUDA. Every call is one real step; recording computes nothing."""

    def __init__(self, device: torch.device) -> None:
        self._lr = torch.zeros((), device=device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool: Any = None  # of the recordings' memory: only one runs at a time, so they share it
        self._warm_up_steps: dict[torch.Size, int] = {}
        self._recordings: dict[torch.Size, Recording] = {}

    def __call__(self, step: StepFunction, samples: Tensor, lr: float) -> Tensor:
        """Run one step. `step` must always be the same; it is not kept, so that nothing here holds its memory."""
        self._lr.fill_(lr)
        shape = samples.shape
        if self._warm_up_steps.get(shape, 0) < WARM_UP:
            self._warm_up_steps[shape] = self._warm_up_steps.get(shape, 0) + 1
            return self._unrecorded(step, samples)
        if shape not in self._recordings:
            self._recordings[shape] = self._record(step, samples)
        recording = self._recordings[shape]
        recording.samples.copy_(samples)
        recording.graph.replay()
        return recording.losses.clone()

    def _unrecorded(self, step: StepFunction, samples: Tensor) -> Tensor:
        """Run the step on the stream that will record, so that its libraries allocate their work space."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            losses = step(samples, self._lr)
        current.wait_stream(self._stream)
        losses.record_stream(current)
        return losses

    def _record(self, step: StepFunction, samples: Tensor) -> Recording:
        """Raises RecordingFailed, also if the memory ends meanwhile: only a process that records nothing can go on."""
        graph, static_samples = torch.cuda.CUDAGraph(), samples.clone()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                losses = step(static_samples, self._lr)
        except Exception as error:
            raise RecordingFailed(f"a step could not be recorded as a CUDA graph ({one_line(error)})") from error
        self._pool = graph.pool()
        return Recording(graph, static_samples, losses)
