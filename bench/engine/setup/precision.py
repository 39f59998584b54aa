"""How a spec's numbers are computed: precision, threads, determinism."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.trial.spec import TrialSpec

DTYPES = {"float32": torch.float32, "bfloat16": torch.float32, "float64": torch.float64}  # of the stored weights


def autocast(precision: str, device: str) -> torch.autocast:
    """The arithmetic of a spec's precision."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Within it, torch computes with `count` threads."""
    previous = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(previous)


@contextmanager
def settings(spec: TrialSpec) -> Iterator[None]:
    """The process-wide settings of a spec, restored afterwards."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    previous = cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic
    cudnn.allow_tf32 = matmul.allow_tf32 = spec.tf32
    cudnn.deterministic = spec.deterministic
    try:
        with threads(spec.threads):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic = previous
