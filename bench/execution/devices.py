"""The devices: which are trained on, and why the others are not. Torch is asked only if a CUDA driver is installed."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.messages import counted, one_of
from bench.trial.spec import TrialSpec

NAMES = ("auto", "cpu", "cuda")  # what can be asked for


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """A kind of device besides the CPU."""

    words: str
    is_there: Callable[[], bool]  # by its driver: imports no torch
    refusal: str = ""  # why nothing is trained on it; "" = it is


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


ACCELERATORS: dict[str, Accelerator] = {
    "cuda": Accelerator(words="an NVIDIA driver", is_there=lambda: _loads("libcuda.so.1")),
    "rocm": Accelerator(
        words="an AMD driver (ROCm)",
        is_there=lambda: Path("/dev/kfd").exists(),
        refusal="was never tried, and torch calls it cuda: its numbers would pass for those of CUDA",
    ),
    "mps": Accelerator(
        words="an Apple GPU (MPS)",
        is_there=lambda: sys.platform == "darwin" and platform.machine() == "arm64",
        refusal="has no float64, in which criteria score",
    ),
    "xpu": Accelerator(
        words="an Intel driver (XPU)", is_there=lambda: _loads("libze_loader.so.1"), refusal="was never tried"
    ),
}


def device_of(name: str, *, elsewhere: bool = False) -> str:
    """The device of that name, "auto" being what there is.

    Args:   elsewhere: whether the trials run on other machines, so that this one may lack what is asked for by name.
    Raises: ValueError if there is none of that name, or nothing is trained on it.
    """
    if name in ACCELERATORS and (refusal := ACCELERATORS[name].refusal):
        raise ValueError(f"device {name}: {refusal}; {one_of(NAMES)}")
    if name not in NAMES:
        raise ValueError(f"device {name!r}: {one_of(NAMES)}")
    if name == "cuda" and elsewhere:
        return name
    if name == "cpu" or (name == "auto" and not ACCELERATORS["cuda"].is_there()):
        return "cpu"
    reason = _no_cuda()
    if name == "cuda" and reason:
        raise ValueError(f"device cuda: {reason}; must be auto or cpu")
    return "cpu" if reason else "cuda"


def _no_cuda() -> str:
    """Why torch has no CUDA device here; "" if it has one."""
    import torch

    if torch.version.hip:
        return f"torch is built for ROCm here, which {ACCELERATORS['rocm'].refusal}"
    return "" if torch.cuda.is_available() else "torch finds none here"


def left_out() -> str:
    """What this machine has and nothing is trained on, with the reasons; "" if there is nothing."""
    there = {name: accelerator for name, accelerator in ACCELERATORS.items() if accelerator.is_there()}
    reasons = [f"{a.words}: {a.refusal or _no_cuda()}" for a in there.values()]
    return "; ".join(reasons)


def chosen_words(device: str, pack: str, trials: Sequence[TrialSpec]) -> str:
    """What `auto` took of several, in a line; "" where there was nothing to choose.

    Args: device, pack: as they were asked for.
    """
    words = []
    taken = trials[0].device
    if device == "auto" and (taken == "cuda" or left_out()):
        words.append(f"device {taken}" if taken == "cuda" else f"device cpu, for there is {left_out()}")
    if pack == "auto" and taken == "cuda":
        kinds = Counter(spec.pack for spec in trials)
        words += [f"pack {kind} for {counted(count, 'trial')}" for kind, count in kinds.items()]
    return f"auto: {'; '.join(words)}" if words else ""
