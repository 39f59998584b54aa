"""How a machine says that its memory is too small, and what is done about it."""

from __future__ import annotations

import pytest
import torch

from bench.engine.setup import memory

SPELLINGS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: 12 bytes"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
]


@pytest.mark.parametrize("error", SPELLINGS, ids=str)
def test_every_spelling_is_known(error: Exception) -> None:
    assert memory.is_out_of_memory(error)
    later = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    later.__context__ = error
    assert memory.is_out_of_memory(later)


@pytest.mark.parametrize(
    "error",
    [
        None,
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        ValueError("the plug-in ran out of memory cells"),
    ],
    ids=str,
)
def test_other_errors_are_not(error: Exception | None) -> None:
    assert not memory.is_out_of_memory(error)


def test_memory_is_given_back_only_while_the_device_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a recording that failed every call may raise: the trials' own error must be told, not this one."""
    asked: list[str] = []

    def raises() -> None:
        asked.append("empty_cache")
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "empty_cache", raises)
    memory.release("cuda")
    assert asked == ["empty_cache"]


@pytest.mark.parametrize(
    ("share", "free"),
    [(1.0, 50 + 12 - 7), (0.25, 30 - 7), (0.6, 50 + 12 - 7)],  # GB of a card of 120, of which this process holds 12
)
def test_a_process_has_no_more_than_its_share_of_a_card(
    monkeypatch: pytest.MonkeyPatch, share: float, free: int
) -> None:
    gigabyte = 10**9
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (50 * gigabyte, 120 * gigabyte))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 12 * gigabyte)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 7 * gigabyte)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda: share)
    assert memory.free_bytes("cuda") == free * gigabyte
