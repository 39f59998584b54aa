"""The training engine: packs of trials in, results out. Knows nothing of Ray and MLflow."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from bench import names
from bench.arithmetic import autocast, settings
from bench.cost import counts
from bench.environment import environment
from bench.gradients import gradient_figures
from bench.learning_rate import learning_rate
from bench.live import LiveOptimizer, apply_background, dead_checksum
from bench.memory import peak_bytes, reset_peak
from bench.network import Network, network_of
from bench.prepare import DTYPES, Trial, mask_checksum, prepare
from bench.result import TrialResult
from bench.spec import TrialSpec
from bench.streams import stream
from datasets.images import ImageData
from models.initialise import checksum

CHUNK = 500  # images per forward pass of an evaluation


@dataclass(frozen=True)
class Epoch:
    """A trial finished an epoch; 0 is before training."""

    spec: TrialSpec
    epoch: int
    figures: Mapping[str, float]


class Diverged(Exception):
    """The loss or a gradient became NaN or infinite: an outcome, not an error."""


@dataclass
class Record:
    """What is known of a trial so far; whatever happens to it, this much is reported."""

    metrics: dict[str, float] = field(default_factory=dict)
    epochs: list[dict[str, float]] = field(default_factory=list)
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def train(
    pack: Sequence[TrialSpec], data: ImageData, device: str, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> list[TrialResult]:
    """Train a pack of trials, calling `on_epoch` after every epoch of each; see `train_epochs`."""
    epochs = train_epochs(pack, data, device)
    while True:
        try:
            on_epoch(next(epochs))
        except StopIteration as end:
            results: list[TrialResult] = end.value
            return results


def train_epochs(pack: Sequence[TrialSpec], data: ImageData, device: str) -> Generator[Epoch, None, list[TrialResult]]:
    """Train the trials of a pack, yielding after every epoch of each; returns their results in the order of the pack.

    A trial that diverges or raises becomes a result that says so, and leaves the others undisturbed.
    """
    results = []
    for spec in pack:
        with settings(spec):
            results.append((yield from _trial(spec, data, device)))
    return results


def _trial(spec: TrialSpec, data: ImageData, device: str) -> Generator[Epoch, None, TrialResult]:
    record, started = Record(tags=environment()), time.time()
    outcome, reason = names.DONE, ""
    reset_peak(device)
    try:
        yield from train_trial(spec, prepare(spec, data, device), record)
    except Diverged as error:
        outcome, reason = names.DIVERGED, str(error)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = " ".join(str(error).split())
        outcome = names.FAILED
        reason = f"{type(error).__name__}: {message} ({where.filename.rpartition('/')[2]}:{where.lineno})"
    record.metrics[names.PEAK_MEMORY] = peak_bytes(device)
    return TrialResult(
        run_key=spec.run_key,
        outcome=outcome,
        reason=reason,
        metrics=_finite(record.metrics),
        epochs=[_finite(e) for e in record.epochs],
        layers=[{"name": name, **values} for name, values in record.layers.items()],
        tags=record.tags,
        started=started,
        ended=time.time(),
    )


def train_trial(spec: TrialSpec, trial: Trial, record: Record) -> Iterator[Epoch]:
    """Train one prepared trial in place, writing into `record` what becomes known.

    Raises: Diverged where the training loss or a gradient is NaN or infinite at the end of an epoch.
    """
    apply_background(trial.model, trial.masks, spec.method.background)
    record.metrics |= counts(trial.model, trial.masks, spec.method.background, trial.train.image_shape)
    record.metrics[names.SCORING_SECONDS] = trial.scoring_seconds
    record.tags |= {names.INIT_SHA256: trial.init_sha256, names.MASK_SHA256: mask_checksum(trial.masks)}
    for name, mask in trial.masks.items():
        record.layers[name] = {"weights": mask.numel(), "live": int(mask.sum())}
    dead = dead_checksum(trial.model, trial.masks)
    yield _measure(spec, trial, record)
    network = network_of(spec, trial)
    optimizer = LiveOptimizer(trial.model, trial.masks, spec, network.values)
    order = stream(spec.seed, "order")
    best, seconds = -1.0, 0.0
    for epoch in range(1, spec.epochs + 1):
        permutation = torch.from_numpy(order.permutation(len(trial.train_indices))).to(trial.train_indices.device)
        start = time.perf_counter()
        loss = _train_epoch(spec, network, optimizer, permutation, epoch - 1)
        seconds += time.perf_counter() - start
        yield _measure(spec, trial, record, loss)
        if (accuracy := record.epochs[epoch][names.VALIDATION_ACCURACY]) > best:
            best = accuracy
            record.metrics |= {names.BEST_EPOCH: epoch, names.TEST_ACCURACY_BEST: _test_accuracy(spec, trial)}
    record.metrics |= {names.TEST_ACCURACY: _test_accuracy(spec, trial), names.TRAINING_SECONDS: seconds}
    if dead_checksum(trial.model, trial.masks) != dead:
        raise RuntimeError("a dead weight was changed by training")
    record.tags[names.WEIGHTS_SHA256] = checksum(trial.model)


def _train_epoch(spec: TrialSpec, network: Network, optimizer: LiveOptimizer, permutation: Tensor, epoch: int) -> float:
    """One pass over the training split in the given order; returns the mean loss over its images."""
    per_epoch = -(-len(permutation) // spec.batch_size)
    losses, sizes = [], []
    one = torch.ones((), dtype=DTYPES[spec.precision], device=permutation.device)  # else each backward makes its own
    for i, (loss, images) in enumerate(network.losses(permutation, spec.batch_size)):
        loss.backward(one)  # type: ignore[no-untyped-call]
        optimizer.step(learning_rate(spec, epoch * per_epoch + i, spec.epochs * per_epoch))
        losses.append(loss.detach())
        sizes.append(images)
    network.write_back()
    sums = (torch.stack(losses) * torch.tensor(sizes, device=permutation.device)).double()
    # Added one after the other, so that no library's order of adding counts; the one point that waits for the device.
    mean = float(sums.cumsum(0)[-1]) / len(permutation)
    if not isfinite(mean):
        raise Diverged(f"training loss {mean} in epoch {epoch + 1}")
    return mean


def _measure(spec: TrialSpec, trial: Trial, record: Record, loss: float | None = None) -> Epoch:
    """The figures of the epoch that just ended, appended to the record; per layer at the first and the last."""
    epoch = len(record.epochs)
    figures, layers = gradient_figures(trial.model, trial.masks, *trial.probe)
    accuracy = _accuracy(spec, trial, trial.train, trial.validation_indices)
    record.epochs.append({names.VALIDATION_ACCURACY: accuracy, **figures})
    if loss is not None:
        record.epochs[-1][names.TRAIN_LOSS] = loss
    if epoch in (0, spec.epochs):
        suffix = "first" if epoch == 0 else "last"
        for name, values in layers.items():
            record.layers[name] |= {f"{figure}_{suffix}": value for figure, value in values.items()}
    if not all(map(isfinite, figures.values())):
        raise Diverged(f"gradient norm {figures[names.GRAD_NORM_ALL]} after epoch {epoch}")
    return Epoch(spec, epoch, record.epochs[-1])


def _test_accuracy(spec: TrialSpec, trial: Trial) -> float:
    indices = torch.arange(len(trial.test.labels), device=trial.train_indices.device)
    return _accuracy(spec, trial, trial.test, indices)


@torch.no_grad()
def _accuracy(spec: TrialSpec, trial: Trial, images: Any, indices: Tensor) -> float:
    """Fraction of the images classified right, by image, not by batch."""
    trial.model.eval()
    right = torch.zeros((), device=indices.device, dtype=torch.int64)
    for x, y in images.epoch(indices, CHUNK):
        with autocast(spec, indices.device.type):
            right += (trial.model(x).argmax(1) == y).sum()
    return int(right) / len(indices)


def _finite(figures: Mapping[str, float]) -> dict[str, float]:
    """JSON and the store take finite numbers only; what is not finite is named in the outcome's reason."""
    return {name: float(value) for name, value in figures.items() if isfinite(value)}
