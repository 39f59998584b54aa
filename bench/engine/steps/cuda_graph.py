"""CUDA graphs: a step recorded once and replayed, so that its kernels are launched by one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3  # steps of each batch size that run as they are, before one is recorded
Step = Callable[[Tensor, Tensor], Tensor]  # (samples, lr) -> losses


@dataclass(frozen=True)
class Recording:
    """A recorded step, and the memory it reads its input from and leaves its answer in."""

    graph: torch.cuda.CUDAGraph
    given: Tensor
    answer: Tensor


class Replayed:
    """A training step (samples, lr) -> losses, on CUDA. Every call is one real step; recording itself computes nothing.

    The learning rate is a tensor on the device: a number would be recorded as it was.
    """

    def __init__(self, device: torch.device) -> None:
        self._lr = torch.zeros((), device=device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool: Any = None  # of the recordings' memory: one at a time runs, so they share it
        self._warm: dict[torch.Size, int] = {}
        self._recordings: dict[torch.Size, Recording] = {}

    def __call__(self, step: Step, samples: Tensor, lr: float) -> Tensor:
        """Run one step; always the same one, and not kept, so that nothing here holds its memory."""
        self._lr.fill_(lr)
        shape = samples.shape
        if self._warm.get(shape, 0) < WARM_UP:
            self._warm[shape] = self._warm.get(shape, 0) + 1
            return self._as_it_is(step, samples)
        if shape not in self._recordings:
            self._recordings[shape] = self._record(step, samples)
        recording = self._recordings[shape]
        recording.given.copy_(samples)
        recording.graph.replay()
        return recording.answer.clone()

    def _as_it_is(self, step: Step, samples: Tensor) -> Tensor:
        """On the stream that will record, so that its libraries have their work space."""
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            answer = step(samples, self._lr)
        here.wait_stream(self._stream)
        answer.record_stream(here)
        return answer

    def _record(self, step: Step, samples: Tensor) -> Recording:
        graph, given = torch.cuda.CUDAGraph(), samples.clone()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            answer = step(given, self._lr)
        self._pool = graph.pool()
        return Recording(graph, given, answer)
