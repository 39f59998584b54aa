"""What is there: versions, memory, the speed of products, of copies and of launches."""

from __future__ import annotations

import importlib.metadata
import os

import torch

from bench.engine.setup.memory import free_bytes
from bench.engine.setup.precision import settings
from bench.speed.first_contact.scene import Scene
from bench.speed.machine import machine

PACKAGES = ("torch", "torchvision", "numpy", "triton", "pydantic", "constriction", "platformdirs", "ray", "mlflow")
PRODUCTS = (  # words, type, whether in TF32
    ("float32", torch.float32, False), ("TF32", torch.float32, True),
    ("bfloat16", torch.bfloat16, False), ("float64", torch.float64, False),
)  # fmt: skip


def step(scene: Scene) -> None:
    """Note all of it."""
    scene.note("machine", machine())
    scene.note("packages", {name: _version(name) for name in PACKAGES})
    scene.note("CPU cores", os.cpu_count())
    scene.note("GB free", round(free_bytes(scene.device) / 1e9, 2))
    if scene.device == "cuda":
        card = torch.cuda.get_device_properties(0)
        scene.note("card", {"GB": round(card.total_memory / 1e9, 1), "processors": card.multi_processor_count})
    for words, dtype, tf32 in scene.in_time(PRODUCTS):
        with scene.trying(words):
            scene.note(f"product, {words}, TFLOP/s", _product(scene, dtype, tf32))
    with scene.trying("copy"):
        x = torch.randn(1 << (16 if scene.tiny else 28), device=scene.device)
        y = torch.empty_like(x)
        milliseconds = scene.milliseconds(lambda: y.copy_(x), 0.5)
        scene.note("copy, TB/s read and written", round(2e-9 * x.nbytes / milliseconds, 3))
    with scene.trying("launch"):
        one = torch.zeros(1, device=scene.device)
        scene.note("launch of a small kernel, µs", round(1e3 * scene.milliseconds(lambda: one.add_(1), 0.3), 2))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _product(scene: Scene, dtype: torch.dtype, tf32: bool) -> float:
    size = 128 if scene.tiny else 4_096 if dtype == torch.float64 else 8_192
    with settings(scene.spec(tf32=tf32)):
        a, b = (torch.randn(size, size, device=scene.device).to(dtype) for _ in range(2))
        return round(2e-9 * size**3 / scene.milliseconds(lambda: a @ b, 0.5), 2)
