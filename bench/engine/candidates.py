"""Candidates for hyper-parameters: trained without the test images, judged by validation accuracy. Imports no Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from bench import names
from bench.datasets.images import ImageData
from bench.engine.member import Epoch
from bench.engine.train import train_epochs
from bench.trial.result import Tried
from bench.trial.search import Search
from bench.trial.spec import TrialSpec


def best(tried: Sequence[Tried], epochs: int) -> Tried | None:
    """The candidate of the highest validation accuracy after the last epoch, the first of equals; None if none was
    trained to the end."""
    trained = [c for c in tried if c.outcome == names.DONE and len(c.validation_accuracy) == epochs]
    return max(trained, key=lambda candidate: candidate.validation_accuracy[-1], default=None)


def specs_of(cell: TrialSpec, search: Search, values: Mapping[str, float]) -> list[TrialSpec]:
    """The trials of a candidate: one per seed of the search."""
    fields: dict[str, Any] = dict(values)
    return [replace(cell, seed=seed, **fields) for seed in search.seeds]


def without_test(data: ImageData) -> ImageData:
    """The data set without its test images, so that they cannot choose anything."""
    return replace(data, test_images=data.test_images[:0], test_labels=data.test_labels[:0])


class Candidate:
    """Trials that differ only in the seed, trained side by side, epoch by epoch.

    Args: unrecorded: as that of `train_epochs`.
    """

    def __init__(self, specs: Sequence[TrialSpec], data: ImageData, device: str, unrecorded: str = "") -> None:
        data = without_test(data)
        self._trainings = [train_epochs([spec], data, device, unrecorded=unrecorded) for spec in specs]
        self.epoch = 0  # the last one trained
        self.outcome, self.reason = names.DONE, ""  # of a trial that ended early

    def advance(self) -> float:
        """Train one more epoch at every seed; the mean validation accuracy, 0 if a trial diverged or failed."""
        accuracies = []
        for training in self._trainings:
            event = next(training)
            while isinstance(event, Epoch) and event.epoch <= self.epoch:  # the figures before training
                event = next(training)
            if not isinstance(event, Epoch):
                self.outcome, self.reason = event.outcome, event.reason
                return 0.0
            accuracies.append(event.figures[names.VALIDATION_ACCURACY])
        self.epoch += 1
        return fmean(accuracies)

    def close(self) -> None:
        """Stop training."""
        for training in reversed(self._trainings):  # each restores the settings that were in force when it started
            training.close()
