"""What a step of the first contact is given: device, sizes, images, trials, a clock."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import datasets
from bench.datasets.errors import DataError
from bench.datasets.images import ImageData
from bench.engine.setup.background import apply_background
from bench.engine.setup.memory import wait_for
from bench.engine.setup.prepare import Trial, prepare, residents
from bench.messages import one_line
from bench.methods import METHODS
from bench.trial.spec import TrialSpec

CELLS = (("dense", "0", 0), ("freeze", "0.9", 0), ("snip", "0.99", 1), ("random-prune", "0.5", 2))
MADE = {"mnist": ((1, 28, 28), 60_000, 10_000), "cifar10": ((3, 32, 32), 10_000, 1_000)}  # shape, training, test images
TINY = (300, 60)  # images of the tiny form


@dataclass
class Scene:
    """A step's device and means. `figures` is what it found so far."""

    device: str
    tiny: bool  # a test of the steps themselves, on any device
    data_root: Path | None
    until: float  # by `time.time`
    keep: Callable[[dict[str, Any]], None]  # writes the figures
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, name: str, value: Any) -> None:
        """Keep a figure at once: what is known when a step is stopped is not lost."""
        self.figures[name] = value
        self.keep(self.figures)

    @contextmanager
    def trying(self, name: str) -> Iterator[None]:
        """One measurement; if it fails, why is noted, and the step goes on."""
        try:
            yield
        except Exception as error:
            self.note(f"failed: {name}", one_line(error))

    def in_time(self, things: Iterable[Any], seconds: float = 5.0) -> Iterator[Any]:
        """The things while at least so many seconds are left; what is left out is noted."""
        for thing in things:
            if self.until - time.time() < seconds:
                self.note("left out for want of time, from", str(thing))
                return
            yield thing

    def milliseconds(self, work: Callable[[], object], seconds: float = 1.0, warm: int = 2) -> float:
        """The time of one call, by the clock around many, with a wait for the device on either side."""
        for _ in range(warm):
            work()
        once = self._clocked(work, 1)
        allowed = min(seconds, max(self.until - time.time() - 5, 0.1))
        count = 1 if self.tiny else max(1, min(1_000, int(allowed / max(once, 1e-6))))
        return 1e3 * self._clocked(work, count) / count

    def _clocked(self, work: Callable[[], object], count: int) -> float:
        wait_for(self.device)
        start = time.perf_counter()
        for _ in range(count):
            work()
        wait_for(self.device)
        return time.perf_counter() - start

    def images(self, name: str = "mnist") -> ImageData:
        """The data set, if it lies at the data root, else images of its shape and number that are made here."""
        if not self.tiny and self.data_root is not None:
            try:
                return datasets.load(name, self.data_root)
            except (DataError, OSError) as error:
                self.note(f"{name} is made of noise", one_line(error))
        shape, train, test = MADE[name]
        if self.tiny:
            train, test = TINY
        return made(name, shape, train, test)

    def spec(self, method: str = "freeze", rate: str = "0.9", seed: int = 0, **fields: Any) -> TrialSpec:
        """A trial of lenet-5-caffe on MNIST, but for these fields."""
        given: dict[str, Any] = {
            "dataset": "mnist",
            "data_hash": "0",
            "model": "lenet-5-caffe",
            "lr": 0.02,
            "epochs": 2,
        }
        given |= {"device": self.device, "batch_size": 20 if self.tiny else 100}
        if method == "dense":
            rate = "0"
        return TrialSpec(method=METHODS[method], rate=Decimal(rate), seed=seed, **{**given, **fields})


def made(name: str, shape: tuple[int, ...], train: int, test: int) -> ImageData:
    """Noise of ten classes, each with a bright row of its own."""
    random, count = np.random.RandomState(7), train + test
    labels = np.arange(count) % 10
    pixels = random.randint(0, 120, (count, *shape), dtype=np.uint8)
    pixels[np.arange(count), :, labels * 2 + 4, :] += 130
    x, y = torch.from_numpy(pixels), torch.from_numpy(labels)
    channels = shape[0]
    return ImageData(
        name=name, classes=10, train_images=x[test:], train_labels=y[test:], test_images=x[:test], test_labels=y[:test],
        mean=(0.25,) * channels, std=(0.2,) * channels,
    )  # fmt: skip


def prepared(specs: Sequence[TrialSpec], data: ImageData, device: str) -> list[Trial]:
    """The trials at their effective initial weights, on shared images."""
    shared = residents(specs[0], data, device)
    trials = [prepare(spec, data, device, shared) for spec in specs]
    for spec, trial in zip(specs, trials, strict=True):
        apply_background(trial.model, trial.masks, spec)
    return trials


def many(trials: Sequence[Trial], size: int) -> list[Trial]:
    """So many trials, of which only the given ones were scored: the others are copies of them."""
    chosen = [trials[index % len(trials)] for index in range(size)]
    return [replace(trial, model=copy.deepcopy(trial.model)) for trial in chosen]
