"""A slice of the grid and its projection, the ratio to a researcher's loop, the table of packs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import cycle
from typing import Any

import torch

from bench.datasets.images import ImageData
from bench.engine.endless import endless_steps
from bench.engine.setup.memory import FILL, free_bytes, peak_bytes, release, reset_peak
from bench.engine.setup.precision import settings
from bench.engine.steps.batched_networks import trial_bytes
from bench.engine.trainers import Together, accuracies
from bench.speed.baseline_loop import loaded_batches, researchers_loop
from bench.speed.contenders import pack_steps
from bench.speed.first_contact.scene import Scene, many, prepared
from bench.speed.packs import as_lines, measure
from bench.trial.pack_kind import Pack
from bench.trial.spec import TrialSpec

GRID = (("dense", "0"), ("freeze", "0.5"), ("freeze", "0.9"), ("snip", "0.95"), ("random-prune", "0.99"))
GRID_TRIALS, GRID_EPOCHS = 155, 250  # FreezeNet's on MNIST: 5 methods × 6 rates × 5 seeds, and dense
PACKS = (("mnist", "lenet-5-caffe", (32, 155)), ("cifar10", "resnet20", (8, 32)))
FIGURES = {  # what an epoch takes besides its steps
    "gradient figures": lambda together: together.gradients(),
    "validation accuracy": lambda together: accuracies(together, "validation"),
    "test accuracy": lambda together: accuracies(together, "test"),
}


def grid(scene: Scene) -> None:
    """Note what a step and the figures of an epoch take in a pack of the grid, and how long the grid would take."""
    data = scene.images()
    for kind, tf32 in scene.in_time((("unfold", False), ("vmap", False), ("unfold", True)), 20):
        if scene.device != "cuda" and tf32:
            continue
        words = f"{kind}{', TF32' if tf32 else ''}"
        with scene.trying(words):
            specs = [scene.spec(m, r, i, pack=kind, tf32=tf32) for i, (m, r) in enumerate(GRID)]
            with settings(specs[0]):
                scene.note(words, _slice(scene, specs, data))
        release(scene.device)


def _slice(scene: Scene, specs: list[TrialSpec], data: ImageData) -> dict[str, Any]:
    needed = trial_bytes(specs[0], data.image_shape, data.classes)
    size = 3 if scene.tiny else max(1, min(GRID_TRIALS, int(FILL * free_bytes(scene.device) / needed)))
    reset_peak(scene.device)
    together = Together(specs[0], many(prepared(specs, data, scene.device), size))
    steps = batches_of(together, specs[0])
    step_ms = scene.milliseconds(lambda: next(steps), 5.0, warm=5)
    of_epoch = {name: scene.milliseconds(partial(work, together), 1.0, 1) for name, work in FIGURES.items()}
    count = -(-len(together.trials[0].train_indices) // specs[0].batch_size)
    epoch_ms = count * step_ms + sum(of_epoch.values())
    return {
        "trials": size,
        "packs of the grid": -(-GRID_TRIALS // size),
        "ms of a step": round(step_ms, 3),
        "ms of a trial's step": round(step_ms / size, 4),
        **{f"ms of {name}": round(milliseconds, 1) for name, milliseconds in of_epoch.items()},
        "peak MB of a trial": round(peak_bytes(scene.device) / size / 1e6, 1),
        "MB of a trial, as it is sized": round(needed / 1e6, 1),
        "minutes of the grid, without scoring and storing": round(
            -(-GRID_TRIALS // size) * GRID_EPOCHS * epoch_ms / 6e4, 1
        ),
    }


def batches_of(together: Together, spec: TrialSpec) -> Iterator[torch.Tensor]:
    """Train the pack for ever on the batches of one order, all of the same size; yields the losses."""
    trials = together.trials
    count = len(trials[0].train_indices) // spec.batch_size * spec.batch_size
    order = torch.randperm(len(trials[0].train_indices), generator=torch.Generator().manual_seed(0))[:count]
    samples = together.samples([order.to(spec.device)] * len(trials), [None] * len(trials))
    for batch in cycle(samples.split(spec.batch_size, dim=1)):  # type: ignore[no-untyped-call]
        yield together.step(batch, spec.lr)


def loop(scene: Scene) -> None:
    """Note what a step takes in a researcher's loop on this device, in a single trial and in packs, and the ratios."""
    data, spec = scene.images(), scene.spec()
    size = 2 if scene.tiny else 64
    with settings(spec):
        (trial,) = prepared([spec], data, scene.device)
        base = _of(scene, researchers_loop(spec, trial, data), 1)
        scene.note("researcher's loop", {"ms of a step": base})
        scene.note("its data alone", {"ms of a step": _of(scene, loaded_batches(spec, trial, data), 1)})
        kinds: tuple[Pack, ...] = ("vmap", "unfold")
        packs = {
            f"pack of {size}, {kind}": (partial(pack_steps, scene.spec(pack=kind), data, size), size) for kind in kinds
        }
        for words, (steps, trials) in {"single": (partial(endless_steps, spec, trial), 1), **packs}.items():
            with scene.trying(words):
                milliseconds = _of(scene, steps(), trials)
                scene.note(words, {"ms of a trial's step": milliseconds, "ratio": round(base / milliseconds, 2)})


def _of(scene: Scene, steps: Iterator[int], trials: int) -> float:
    return scene.milliseconds(lambda: next(steps), 2.0, warm=6) / trials


def packs(scene: Scene) -> None:
    """Note the table of `bench speed packs` for a small and a deep network, and what it proposes."""
    for name, model, sizes in scene.in_time(PACKS, 20):
        with scene.trying(model):
            data = scene.images(name)
            spec = scene.spec(dataset=name, model=model, batch_size=4 if scene.tiny else 100, criterion_per_class=2)
            rounds = (1, 1) if scene.tiny else (10, 10)
            result = measure(spec, data, (2,) if scene.tiny else sizes, *rounds, 0.8)
            scene.note(model, {"rows": as_lines(result), "auto": result["auto"], "proposed": result["proposed"]})
            release(scene.device)
