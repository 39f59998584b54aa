"""The machine that the figures depend on."""

from __future__ import annotations

import platform

import torch

from bench.storage.environment import environment


def machine() -> dict[str, str]:
    """What the figures depend on; names no host."""
    known = {name.removeprefix("bench."): value for name, value in environment().items()}
    known |= {"instruction set": torch.backends.cpu.get_cpu_capability(), "system": platform.system()}
    wanted = ("cpu", "cores", "gpu", "gpu_runtime", "instruction set", "system", "python", "torch", "torchvision")
    return {name: known[name] for name in wanted if name in known}
