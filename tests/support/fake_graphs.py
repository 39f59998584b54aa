"""CUDA graphs without a GPU: what is called while a graph is recorded computes nothing, and a replay calls it again.

As a real one does, a recording holds the very tensors that its operators read and write, not what Python did between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.engine.steps import cuda_graph
from bench.trial.spec import TrialSpec


class FakeGraph:
    """What was called while it was recorded, with its tensors."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.replays = 0

    def pool(self) -> object:
        return self

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for function, arguments, options, before in self.calls:
            after = function(*arguments, **options)
            for old, new in zip(tensors(before), tensors(after), strict=True):
                if old is not new:  # an operator in place gives what it was given
                    old.copy_(new)


class _Recorder(TorchDispatchMode):
    """Notes every operator that writes; what it wrote is taken back at the end, since recording computes nothing."""

    def __init__(self, graph: FakeGraph) -> None:
        super().__init__()
        self.graph, self.changed = graph, {}  # type: ignore[var-annotated]

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function._schema.is_mutable or "batch_norm" in str(function):  # whose schema leaves its statistics out
            for tensor in tensors((args, kwargs)):
                self.changed.setdefault(id(tensor), (tensor, tensor.clone()))
        result = function(*args, **kwargs)
        if not function.is_view:
            self.graph.calls.append((function, args, kwargs, result))
        return result


def tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


@contextmanager
def _recording(graph: FakeGraph, pool: Any = None, stream: Any = None) -> Iterator[None]:
    recorder = _Recorder(graph)
    with recorder:
        yield
    with torch.no_grad():
        for tensor, before in reversed(recorder.changed.values()):
            tensor.copy_(before)


class _Stream:
    def __init__(self, device: Any = None) -> None:
        pass

    def wait_stream(self, other: Any) -> None:
        pass


def install(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """Record on the CPU by the rule of CUDA; the graphs that are made."""
    graphs: list[FakeGraph] = []

    def made() -> FakeGraph:
        graphs.append(FakeGraph())
        return graphs[-1]

    rule: Callable[[TrialSpec, str], bool] = cuda_graph.is_recorded
    monkeypatch.setattr("bench.engine.trainers.is_recorded", lambda spec, device: rule(spec, "cuda"))
    monkeypatch.setattr("bench.engine.train.is_recorded", lambda spec, device: rule(spec, "cuda"))
    for name, fake in {
        "Stream": _Stream, "stream": lambda stream: nullcontext(), "current_stream": _Stream, "CUDAGraph": made,
        "graph": _recording,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(Tensor, "record_stream", lambda self, stream: None)
    return graphs
