"""One trial of a pack while it is trained: what is known of it so far, and what becomes of it."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import isfinite
from typing import Any

from torch import Tensor

from bench import names
from bench.artefact.artefact import write
from bench.artefact.header import BaseRecord
from bench.artefact.shrink import proved
from bench.datasets.images import ImageData
from bench.datasets.loader import Resident
from bench.engine.measures.evaluate import fraction
from bench.engine.measures.gradients import Measured
from bench.engine.measures.moment import Moment, measure, measure_again
from bench.engine.needs import NONE, Needs
from bench.engine.outcome import Diverged, outcome_of
from bench.engine.revision import revised
from bench.engine.setup.background import apply_background
from bench.engine.setup.checksums import mask_checksum
from bench.engine.setup.kept_state import check_state
from bench.engine.setup.prepare import Trial, prepare, prepare_again
from bench.engine.steps.fading import Fading
from bench.engine.steps.live_optimizer import dead_checksum
from bench.methods.fading import fades, last_epoch, scale_after
from bench.methods.maskable import maskable
from bench.metrics import When
from bench.models.channels.filters import filters_of
from bench.models.channels.surgery import close
from bench.models.initialise import checksum
from bench.storage.checkpoint import Checkpoint, OptimizerState
from bench.storage.environment import environment
from bench.test_right import encoded
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import GivenWeights


@dataclass(frozen=True)
class Epoch:
    """A trial finished an epoch; 0 is before training."""

    spec: TrialSpec
    epoch: int
    figures: Mapping[str, float]


class Member:
    """A trial of a pack; whatever happens to it, this much is reported. `trial` is there once it is prepared."""

    trial: Trial

    def __init__(self, spec: TrialSpec) -> None:
        self.spec = spec
        self.metrics: dict[str, float] = {}
        self.epochs: list[dict[str, float]] = []
        self.layers: dict[str, dict[str, Any]] = {}
        self.tags = environment()
        self.started, self.seconds = time.time(), 0.0
        self.artefact = b""
        self.update: OptimizerState = {}  # of the optimizer, if the trial is about to go on
        self.ended = False
        self._best = -1.0
        self._owed = 0  # the best epoch so far, if its test accuracy is not known yet
        self._dead = ""

    def prepare(self, data: ImageData, device: str, images: tuple[Resident, Resident], needs: Needs = NONE) -> None:
        """Set the trial up at its effective initial weights, from the trials that it needs."""
        base, parent = needs.base(self.spec), needs.parent(self.spec)
        self.begin(prepare(self.spec, data, device, images, base, parent))
        if base is not None and self.trial.taken is not None:
            self.tags |= {names.BASE_KEY: base.key, names.BASE_SHA256: base.sha256}
            self.tags[names.BASE_TAKEN] = self.trial.taken.words
            if self.spec.start and isinstance(given := self.spec.start.base, GivenWeights) and given.label:
                self.tags[names.BASE_LABEL] = given.label
        if parent is not None:
            self.tags |= {names.PARENT_KEY: parent.key, names.PARENT_SHA256: parent.sha256}

    def begin(self, trial: Trial) -> None:
        """Take a prepared trial; note what is known of it before training."""
        self.trial = trial
        self.metrics |= self._measure("initial")
        apply_background(trial.model, trial.masks, self.spec)
        self.metrics |= self._measure("start")
        self.tags |= {names.INIT_SHA256: trial.init_sha256, names.MASK_SHA256: mask_checksum(trial.stored_masks)}
        if trial.changed:
            self.tags[names.CHANGED] = ", ".join(trial.changed)
        for name, mask in trial.stored_masks.items():
            self.layers[name] = {"weights": mask.numel(), "live": int(mask.sum())}
            if self._moments:
                self.layers[name][names.REVISIONS] = [{"epoch": 0, "live": int(mask.sum())}]
        self._dead = self._dead_at_the_end()

    def _dead_at_the_end(self) -> str:
        """The checksum of the dead weights, which training does not change unless their background fades."""
        if not fades(self.spec.method):
            return dead_checksum(self.trial.model, self.trial.masks)
        ended = copy.deepcopy(self.trial.model)
        Fading(maskable(ended), self.trial.masks, self.trial.unscaled).hold(self.spec.method.fade_to)
        return dead_checksum(ended, self.trial.masks)

    def scale_after(self, done: int, steps: int) -> float:
        """The scale of the background after so many steps of the training, of so many an epoch."""
        method = self.spec.method
        return scale_after(method, done, last_epoch(method, self.spec.epochs) * steps)

    def revise(self) -> bool:
        """Have the method choose masks again if it does at the end of the last epoch; returns whether it did.

        Raises: Diverged if a weight is NaN or infinite. RuntimeError if a dead weight is not what it was.
        """
        if (epoch := len(self.epochs)) not in self._moments:
            return False
        self._check_dead()
        before = self.trial.masks
        self.trial, changed = revised(self.spec, self.trial, epoch)
        for name, mask in self.trial.masks.items():
            live, grown = int(mask.sum()), int((mask & ~before[name]).sum())
            self.layers[name]["live"] = live
            self.layers[name][names.REVISIONS].append({"epoch": epoch, "live": live, "grown": grown})
        self.metrics |= measure_again(self._moment())
        self.tags[names.MASK_SHA256] = mask_checksum(self.trial.masks)
        self.tags[names.REVISED] = ",".join(filter(None, [self.tags.get(names.REVISED, ""), str(epoch)]))
        if changed:
            self.tags[names.CHANGED] = ", ".join(dict.fromkeys([*self._changed(), *changed]))
        self._dead = dead_checksum(self.trial.model, self.trial.masks, self.trial.fixed)
        return True

    def _changed(self) -> list[str]:
        return self.tags[names.CHANGED].split(", ") if names.CHANGED in self.tags else []

    @property
    def _moments(self) -> tuple[int, ...]:
        """The epochs at whose end the method chooses masks again."""
        method = self.spec.method
        return method.moments(self.spec.epochs) if method.changes_masks else ()

    @property
    def is_changing(self) -> bool:
        """Whether the masks will be chosen again."""
        return bool(self._moments) and self.epoch < self._moments[-1]

    @property
    def is_at_last_moment(self) -> bool:
        """Whether the epoch just trained is the last at whose end the method chooses masks."""
        return self._moments[-1:] == (len(self.epochs),)

    @property
    def _is_fading(self) -> bool:
        """Whether the background is another than at the end."""
        method = self.spec.method
        return fades(method) and self.epoch < last_epoch(method, self.spec.epochs)

    def _check_dead(self) -> None:
        if dead_checksum(self.trial.model, self.trial.masks, self.trial.fixed) != self._dead:
            raise RuntimeError("a dead weight was changed by training")

    def _measure(self, when: When) -> dict[str, float]:
        """The metrics of this moment that have a function."""
        return measure(when, self._moment())

    def _moment(self) -> Moment:
        return Moment(spec=self.spec, trial=self.trial, epochs=self.epochs, artefact=self.artefact, layers=self.layers)

    def saved(self, update: OptimizerState) -> Checkpoint:
        """What `resume` needs, with the optimizer's state."""
        return Checkpoint(
            run_key=self.spec.run_key,
            model=dict(self.trial.model.state_dict()),
            masks=dict(self.trial.masks),
            update=update,
            init_sha256=self.trial.init_sha256,
            dead_sha256=self._dead,
            metrics=self.metrics,
            epochs=self.epochs,
            layers=self.layers,
            tags=self.tags,
            started=self.started,
            seconds=self.seconds,
            best=self._best,
            fixed=dict(self.trial.fixed),
            initial=dict(self.trial.initial),
            state=self.trial.state,
            unscaled=dict(self.trial.unscaled),
        )

    def resume(self, saved: Checkpoint, data: ImageData, device: str, images: tuple[Resident, Resident]) -> None:
        """Set the trial up as it was when it was saved."""
        self.trial, self._dead = prepare_again(self.spec, data, device, images, saved), saved.dead_sha256
        self.update = saved.update
        self.metrics, self.epochs, self.layers = saved.metrics, saved.epochs, saved.layers
        self.started, self.seconds, self._best = saved.started, saved.seconds, saved.best
        before = [saved.tags[names.RESUMED]] if names.RESUMED in saved.tags else []
        elsewhere = {tag: text for tag, text in saved.tags.items() if self.tags.get(tag, text) != text}
        if elsewhere:
            self.tags[names.RESUMED_FROM] = json.dumps(elsewhere, sort_keys=True)
        self.tags = {**saved.tags, **self.tags, names.RESUMED: ",".join([*before, str(self.epoch)])}

    @property
    def epoch(self) -> int:
        """The number of epochs trained."""
        return max(0, len(self.epochs) - 1)

    def measured(self, measured: Measured, validation: float, loss: float | None) -> Epoch:
        """Note the figures of the epoch that just ended; per layer at the first and the last.

        Raises: Diverged if the loss or a gradient is NaN or infinite.
                ValueError if a checkpoint could not keep what the method does.
        """
        check_state(self.spec.method, self.trial.state, self.trial.train_indices.device)
        figures, layers = measured
        epoch = len(self.epochs)
        if loss is not None and not isfinite(loss):
            raise Diverged(f"training loss {loss} in epoch {epoch}")
        self.epochs.append({names.VALIDATION_ACCURACY: validation, **figures})
        if loss is not None:
            self.epochs[-1][names.TRAIN_LOSS] = loss
        if epoch in (0, self.spec.epochs):
            suffix = "first" if epoch == 0 else "last"
            for name, values in layers.items():
                self.layers[name] |= {f"{figure}_{suffix}": value for figure, value in values.items()}
        if not all(map(isfinite, figures.values())):
            raise Diverged(f"gradient norm {figures[names.GRAD_NORM_ALL]} after epoch {epoch}")
        self.epochs[-1] |= self._measure("epoch")
        return Epoch(self.spec, epoch, self.epochs[-1])

    def is_best(self) -> bool:
        """Whether the last trained epoch has the best validation accuracy so far; the earliest on ties.

        Epochs before the last moment, or before the background has faded, are out of the question: their masks, or
        their dead weights, are not those of the stored network.
        """
        accuracy = self.epochs[-1][names.VALIDATION_ACCURACY]
        better = len(self.epochs) > 1 and not (self.is_changing or self._is_fading) and accuracy > self._best
        if better:
            self._best, self._owed = accuracy, self.epoch
        return better

    @property
    def owes_best(self) -> bool:
        """Whether the test accuracy of the best epoch so far is still to be told."""
        return self._owed > 0 and not self.ended

    def tell_best(self, test: float) -> None:
        """Note the test accuracy of the best epoch so far, unless it is known."""
        if self.owes_best:
            self.metrics |= {names.BEST_EPOCH: self._owed, names.TEST_ACCURACY_BEST: test}
            self._owed = 0

    def finish(self, right: Tensor) -> None:
        """Note the final test accuracy and weights, and store the network.

        Args:   right: whether each test image is classified right, bool [images].
        Raises: RuntimeError if a dead weight is not what it was.
        """
        test = fraction(right)
        if len(right):
            self.tags[names.TEST_RIGHT] = encoded(right.cpu().numpy())
        stored = self.trial.stored_model
        self.metrics |= {names.TEST_ACCURACY: test, names.TRAINING_SECONDS: self.seconds}
        self._check_dead()
        if (selection := self.trial.selection) is not None:
            close(stored, selection.channels, selection.open)  # the statistics that nothing reads
            self.tags[names.SHRUNK] = str(proved(stored, selection, self.trial.test))
        self._note_slack()
        self.tags[names.WEIGHTS_SHA256] = checksum(stored)
        self.artefact = self._stored(test)
        self.metrics |= self._measure("trained")

    def _note_slack(self) -> None:
        """Note what the network leaves of its budgets, if its method has some and it fills neither."""
        trial, method = self.trial, self.spec.method
        if not (method.closes_channels or method.ends_at_budget):
            return  # earlier plug-ins may have a field or a helper named `slack`
        filters = partial(filters_of, trial.model, trial.train.image_shape)
        if slack := method.slack(Fraction(self.spec.rate), trial.masks, trial.selection, filters):
            self.tags[names.BUDGET_SLACK] = slack

    def _stored(self, test: float) -> bytes:
        """The file of the trained network."""
        return write(
            spec=self.spec.record(),
            model=self.trial.stored_model,
            masks=self.trial.stored_masks,
            init_sha256=self.trial.init_sha256,
            image_shape=self.trial.train.image_shape,
            classes=self.trial.classes,
            test_accuracy=test,
            base=self._base(),
            selection=self.trial.selection,
        )

    def _base(self) -> BaseRecord | None:
        """What names the base in the file."""
        if self.spec.start is None:
            return None
        return BaseRecord(key=self.tags[names.BASE_KEY], weights=self.tags[names.BASE_SHA256])

    def result(self, peak_bytes: float, error: Exception | None = None) -> TrialResult:
        """The outcome: done, or what the error says; the first error counts, also one of a metric taken here."""
        self.metrics[names.PEAK_MEMORY] = max(peak_bytes, self.metrics.get(names.PEAK_MEMORY, 0.0))
        try:
            self.metrics |= self._measure("ended") if self.epochs else {}
        except Exception as raised:
            error = error or raised
        self.ended = True
        outcome, reason = outcome_of(error)
        return TrialResult(
            run_key=self.spec.run_key,
            outcome=outcome,
            reason=reason,
            metrics=_finite(self.metrics),
            epochs=[_finite(e) for e in self.epochs],
            layers=[{"name": name, **values} for name, values in self.layers.items()],
            tags=self.tags,
            artefact=self.artefact if error is None else b"",
            started=self.started,
            ended=time.time(),
        )


def _finite(figures: Mapping[str, float]) -> dict[str, float]:
    """JSON and the store take finite numbers only; what is not finite is named in the outcome's reason."""
    return {name: float(value) for name, value in figures.items() if isfinite(value)}
