"""Peak memory of a stretch of work: the device's allocator on a GPU, the process's resident set on a CPU."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def reset_peak(device: str) -> None:
    """Start measuring. Where the system cannot reset its mark, the peak is the process's since its start."""
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
