"""What `bench speed step` times: a training step as a researcher writes it, and the engine's, singly and in packs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

import torch
from torch.profiler import ProfilerActivity, profile

from bench import names
from bench.datasets.images import ImageData
from bench.engine.endless import endless_epochs, endless_steps
from bench.engine.measures.cost import counts
from bench.engine.setup.background import apply_background
from bench.engine.setup.memory import wait_for
from bench.engine.setup.prepare import Trial, prepare, residents
from bench.engine.steps.cuda_graph import WARM_UP
from bench.engine.trainers import Together
from bench.methods import METHODS
from bench.methods.maskable import maskable
from bench.models import MODELS
from bench.models.channels.surgery import shrunk as cut
from bench.speed.baseline_loop import loaded_batches, researchers_loop
from bench.storage.ownership.working_folder import working_folder
from bench.trial.pack_kind import Pack, resolve_pack
from bench.trial.protocol import Precision
from bench.trial.spec import TrialSpec

LOOP = "researcher's loop"
DATA = "data alone"
FIRST_STEPS = WARM_UP + 2  # before anything is timed: the last is replayed; memory is measured over them


@dataclass
class Contender:
    """One variant while it runs."""

    method: str
    variant: str
    spec: TrialSpec
    macs: float  # multiply-accumulates per image
    steps: Iterator[int]
    trials: int = 1  # that a step trains at once
    base: Contender | None = None  # what its time is compared with; None = the researcher's loop
    peak_bytes: int = 0

    def run(self, count: int) -> float:
        """Seconds per trial and step of the next `count` steps."""
        start = time.perf_counter()
        for _ in range(count):
            next(self.steps)
        wait_for(self.spec.device)
        return (time.perf_counter() - start) / count / self.trials


def contenders(
    name: str,
    spec: TrialSpec,
    data: ImageData,
    packs: Sequence[int],
    precisions: Sequence[Precision],
    shrunk: bool = False,
) -> list[Contender]:
    """The researcher's loop, the dense step, the sparse one if the engine would take it, and the packs.

    The loop is in float32; the dense step also in each of `precisions`, and if it is `shrunk`, of the network without
    its closed channels. Of a dense trial also the data path by itself.
    """
    trial = prepare(spec, data, spec.device)
    apply_background(trial.model, trial.masks, spec)
    shape, background = trial.train.image_shape, spec.method.background
    dense = counts(trial.model, {n: torch.ones_like(m) for n, m in trial.masks.items()}, background, shape)
    masked = counts(trial.model, trial.masks, background, shape)
    macs = [c[names.FORWARD_MACS] + c[names.BACKWARD_MACS] for c in (dense, masked)]
    variants = [Contender(name, LOOP, spec, macs[0], researchers_loop(spec, trial, data))]
    for step in ("dense", "sparse") if spec.step == "sparse" else ("dense",):
        stepped = replace(spec, step=step)
        variants.append(Contender(name, f"{step} step", spec, macs[step == "sparse"], endless_steps(stepped, trial)))
    if shrunk and trial.selection is not None and trial.whole is None:
        variants.append(Contender(name, "dense step, shrunk", spec, macs[1], shrunk_steps(spec, trial)))
    for precision in precisions:
        narrowed = replace(spec, step="dense", precision=precision)
        variants.append(Contender(name, f"dense step, {precision}", narrowed, macs[0], endless_steps(narrowed, trial)))
    if not spec.rate:
        variants += data_paths(name, spec, trial, data)
    for size, pack in product(packs, kinds_of(spec, data)):
        steps = pack_steps(replace(spec, step="dense", pack=pack), data, size)
        variants.append(Contender(name, f"pack of {size}, {pack}", spec, macs[0], steps, trials=size))
    for size in packs if spec.device == "cuda" else ():
        steps = streams_steps(replace(spec, step="dense"), data, size)
        variants.append(Contender(name, f"{size} streams", spec, macs[0], steps, trials=size))
    for contender in variants:
        contender.peak_bytes = first_steps(contender)
    return variants


def shrunk_steps(spec: TrialSpec, trial: Trial) -> Iterator[int]:
    """Train the network without its closed channels for ever; yields the number of images of each step."""
    assert trial.selection is not None
    small = cut(trial.model, trial.selection.channels, trial.selection.open)
    masks = {n: torch.ones_like(w, dtype=torch.bool) for n, w in maskable(small).items()}
    stepped = replace(spec, method=METHODS["dense"], rate=Decimal(0), step="dense")
    return endless_steps(stepped, replace(trial, model=small, masks=masks, selection=None))


def data_paths(name: str, spec: TrialSpec, trial: Trial, data: ImageData) -> list[Contender]:
    """The loop's loader by itself, and the engine's batches by themselves."""
    loader = Contender(name, f"{DATA}, {LOOP}", spec, 0.0, loaded_batches(spec, trial, data))
    loader.base = loader
    return [loader, Contender(name, f"{DATA}, resident", spec, 0.0, resident_batches(spec, trial), base=loader)]


def resident_batches(spec: TrialSpec, trial: Trial) -> Iterator[int]:
    """The engine's data path by itself, for ever; yields the number of images of each batch."""
    for permutation, moves in endless_epochs(spec, trial):
        for _, y in trial.train.epoch(trial.train_indices[permutation], spec.batch_size, moves):
            yield len(y)


def kinds_of(spec: TrialSpec, data: ImageData) -> list[Pack]:
    """The kinds of batched step of a spec's network."""
    shapes = MODELS[spec.model].layers(data.classes, data.image_shape)
    return list(dict.fromkeys(resolve_pack(pack, device=spec.device, shapes=shapes) for pack in ("vmap", "unfold")))


def pack_steps(spec: TrialSpec, data: ImageData, size: int) -> Iterator[int]:
    """Train `size` trials of a spec, each with a seed of its own, in one step for ever; yields its images."""
    trials = _prepared(spec, data, size)
    together = Together(spec, trials)
    for order, moves in endless_epochs(spec, trials[0]):
        for batch in together.samples([order] * size, [moves] * size).split(spec.batch_size, dim=1):  # type: ignore[no-untyped-call]
            together.step(batch, spec.lr)
            yield batch[..., 0].numel()


def streams_steps(spec: TrialSpec, data: ImageData, size: int) -> Iterator[int]:
    """The same, each trial by itself: on CUDA on a stream of its own, else in turn. No kind of pack of the engine."""
    on_cuda = spec.device == "cuda"
    streams = [
        (torch.cuda.Stream() if on_cuda else None, endless_steps(spec, trial))  # type: ignore[no-untyped-call]
        for trial in _prepared(spec, data, size)
    ]
    while True:
        images = 0
        for stream, steps in streams:
            with torch.cuda.stream(stream):
                images += next(steps)
        yield images


def _prepared(spec: TrialSpec, data: ImageData, size: int) -> list[Trial]:
    images = residents(spec, data, spec.device)
    trials = [prepare(replace(spec, seed=seed), data, spec.device, images) for seed in range(size)]
    for trial in trials:
        apply_background(trial.model, trial.masks, spec)
    return trials


def first_steps(contender: Contender) -> int:
    """Run the first steps; the most bytes that torch's allocator held meanwhile, less what it held before."""
    if contender.spec.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        contender.run(FIRST_STEPS)
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        contender.run(FIRST_STEPS)
    with working_folder() as folder:
        path = folder / "trace.json"
        record.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    held = peak = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"]):
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    return peak
