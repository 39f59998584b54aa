"""Whether a pack that does not fit comes back as halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bench.datasets.images import ImageData
from bench.engine.setup.memory import release
from bench.engine.setup.precision import settings
from bench.engine.steps.batched_networks import trial_bytes
from bench.speed.first_contact.scene import Scene
from bench.trial.spec import TrialSpec

TRIALS = 24
GIGABYTES = (6.0, 2.5)  # that the process may have


def step(scene: Scene) -> None:
    """Note what became of a pack that was not sized by the free memory, by the memory that the process may have."""
    data = scene.images()
    specs = [scene.spec("freeze", "0.9", seed, pack="unfold", epochs=1) for seed in range(2 if scene.tiny else TRIALS)]
    needed = len(specs) * trial_bytes(specs[0], data.image_shape, data.classes)
    scene.note("GB that the pack needs", round(needed / 1e9, 2))
    for gigabytes in scene.in_time(GIGABYTES if scene.device == "cuda" else (0.0,), 15):
        words = f"limit of {gigabytes:g} GB" if gigabytes else "no limit"
        with scene.trying(words):
            if gigabytes:
                whole = torch.cuda.get_device_properties(0).total_memory
                release(scene.device)  # what is kept for reuse is beyond the limit
                torch.cuda.set_per_process_memory_fraction(gigabytes * 1e9 / whole)
            scene.note(words, _trained(specs, data, scene.device))


def _trained(specs: Sequence[TrialSpec], data: ImageData, device: str) -> dict[str, Any]:
    """The outcomes, and how many trials were measured before training: the more, the more packs were begun again."""
    from bench.engine.member import Epoch  # these need the packages that a network is stored with
    from bench.engine.train import train_together

    with settings(specs[0]) as arithmetic:
        events = [*train_together(specs, data, device, None, arithmetic)]
    results = [event for event in events if not isinstance(event, Epoch)]
    return {
        "outcomes": sorted({f"{result.outcome} {result.reason}".strip() for result in results}),
        "trials ended": len(results),
        "trials begun": sum(isinstance(event, Epoch) and event.epoch == 0 for event in events),
    }
