"""Peak memory of a stretch of work: the device's allocator on a GPU, the process's resident set on a CPU."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import torch

FILL = 0.5  # of the free memory, for a pack: the estimate of a trial's needs leaves out the libraries' work space
CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
MEMORY = Path("/proc/meminfo")
# How allocators and libraries say that memory is short, in lower case: torch's on the host; CUDA and its driver; cuBLAS
# and cuDNN, when they make a handle or their work space.
OUT_OF_MEMORY = ("defaultcpuallocator", "out of memory", "status_alloc_failed", "allocation_failed")


def reset_peak(device: str) -> None:
    """Start measuring. If the system cannot reset its mark, the peak is that of the process since its start."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR_REFS.exists():
        try:
            CLEAR_REFS.write_text("5")  # Linux: sets the peak resident set to the present one
        except OSError:
            return


def peak_bytes(device: str) -> int:
    """The largest since `reset_peak`: bytes allocated on the GPU, or the whole process's resident set."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_bytes(device: str) -> int:
    """What can be allocated now: free on the GPU or held there by torch for reuse, within the share of it that this
    process has; available on the machine.
    """
    if device == "cuda":
        (free, total), allocated = torch.cuda.mem_get_info(), torch.cuda.memory_allocated()
        share = torch.cuda.get_per_process_memory_fraction()  # 1 unless a worker has set it
        return int(min(free + torch.cuda.memory_reserved(), share * total)) - allocated
    if MEMORY.exists():
        for line in MEMORY.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def release(device: str) -> None:
    """Give unused memory back to the system; after an error that sticks to CUDA's context, what can be given."""
    gc.collect()
    if device == "cuda":
        with suppress(RuntimeError):
            torch.cuda.empty_cache()
    elif sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)  # glibc keeps freed memory, so it would count as used


def timed(work: Callable[[], object], device: str) -> tuple[float, int]:
    """Seconds that the work takes, and bytes of its peak above the memory in use before."""
    release(device)
    reset_peak(device)
    bytes_before, start = peak_bytes(device), perf_counter()
    work()
    wait_for(device)
    seconds = perf_counter() - start
    return seconds, peak_bytes(device) - bytes_before


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether the error, or one during whose handling it was raised, says that the GPU or the machine is out of memory.

    Running out of memory while a CUDA graph is recorded makes the end of the recording fail too, with another error.
    """
    if error is None:
        return False
    words = str(error).lower()
    said = isinstance(error, RuntimeError) and any(text in words for text in OUT_OF_MEMORY)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or said or is_out_of_memory(error.__context__)
