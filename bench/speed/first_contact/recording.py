"""Whether steps are recorded as CUDA graphs, and what is left of a process in which one could not be."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.engine.setup.memory import is_out_of_memory
from bench.engine.steps.cuda_graph import WARM_UP, GraphedStep, RecordingFailed
from bench.messages import one_line
from bench.speed.first_contact.parity import after, differences
from bench.speed.first_contact.scene import CELLS, Scene

Step = Callable[[Tensor, Tensor], Tensor]


def step(scene: Scene) -> None:
    """Note whether replayed steps are the steps, for single trials and packs, then what a refused recording does."""
    data = scene.images()
    for kind in scene.in_time(("single", "vmap", "unfold")):
        with scene.trying(kind):
            specs = [scene.spec(m, r, s, batch_size=20, pack=kind) for m, r, s in CELLS]
            (plain, _), (replayed, _) = (after(specs, data, 8, recorded) for recorded in (False, True))
            scene.note(f"{kind}: largest difference of replayed from plain steps", differences(replayed, plain))
    if scene.device == "cuda":
        refused(scene)


def refused(scene: Scene) -> None:
    """A step that waits for the device may not be recorded: note what is said, and what works afterwards.

    The last thing that this process does: it may be of no more use.
    """
    x = torch.zeros(4, device="cuda")
    waiting: Step = lambda samples, lr: samples.sum() * lr + float(x.sum())  # noqa: E731
    scene.note("a step that waits", _recorded(waiting))
    works: dict[str, Callable[[], object]] = {
        "empty_cache": torch.cuda.empty_cache,
        "an allocation": lambda: torch.empty(1 << 28, device="cuda"),
        "another recording": lambda: _recorded(lambda samples, lr: samples * lr),
    }
    for words, work in works.items():
        try:
            scene.note(f"afterwards, {words}", str(work() or "works"))
        except Exception as error:
            scene.note(f"afterwards, {words}", one_line(error))


def _recorded(work: Step) -> str:
    """What becomes of a step that is run until it is recorded and replayed."""
    graphed, samples = GraphedStep(torch.device("cuda", 0)), torch.ones(3, device="cuda")
    try:
        for _ in range(WARM_UP + 2):
            graphed(work, samples, 0.1)
    except RecordingFailed as error:
        return f"{one_line(error)}; taken for want of memory: {is_out_of_memory(error)}"
    return "works"
