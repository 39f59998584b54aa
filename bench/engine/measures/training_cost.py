"""What the training of a trial costs whose masks, or background, change while it is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bench import names
from bench.engine.measures.cost import at_the_end, counts_of_live, live_entries
from bench.engine.measures.moment import Moment
from bench.methods.fading import fades, last_epoch


def over_training(moment: Moment) -> dict[str, float]:
    """Live weights, mean over the epochs trained, and multiply-accumulates per image over all of them; nothing of
    other trials. Of a background that fades the second alone.

    Of an epoch count the masks that it was trained under. The one batch whose gradient a moment may take is left out.
    """
    if fades(moment.spec.method):
        return _while_fading(moment)
    if not moment.spec.method.changes_masks:
        return {}
    epochs = Counter(frozenset(live.items()) for live in _live_of_epochs(moment))  # live entries -> epochs trained so
    if not epochs:
        return {}
    background = moment.spec.method.background
    counted = [(_counts(moment, dict(live), background), number) for live, number in epochs.items()]
    return {
        names.MEAN_LIVE_WEIGHTS: sum(n * counts[names.LIVE_WEIGHTS] for counts, n in counted) / epochs.total(),
        names.TRAINING_MACS: sum(n * (c[names.FORWARD_MACS] + c[names.BACKWARD_MACS]) for c, n in counted),
    }


def _while_fading(moment: Moment) -> dict[str, float]:
    """Multiply-accumulates of a background that fades: of a frozen network until it is 0, if it ever is."""
    method, trained = moment.spec.method, len(moment.epochs) - 1
    if trained < 1:
        return {}
    fading = min(trained, last_epoch(method, moment.spec.epochs))
    live = {name: int(layer["live"]) for name, layer in moment.layers.items()}
    of_epochs = ((method.background, fading), (at_the_end(method), trained - fading))
    counted = [(_counts(moment, live, background), number) for background, number in of_epochs]
    return {names.TRAINING_MACS: sum(n * (c[names.FORWARD_MACS] + c[names.BACKWARD_MACS]) for c, n in counted)}


def _live_of_epochs(moment: Moment) -> Iterator[dict[str, int]]:
    """Of each epoch trained, the live entries of each maskable weight."""
    for epoch in range(1, len(moment.epochs)):
        yield {name: _live_before(layer, epoch) for name, layer in moment.layers.items()}


def _live_before(layer: Mapping[str, Any], epoch: int) -> int:
    """The live entries of a weight in that epoch: those of the last revision before its end."""
    return int([revision["live"] for revision in layer[names.REVISIONS] if revision["epoch"] < epoch][-1])


def _counts(moment: Moment, live: Mapping[str, int], background: str) -> dict[str, float]:
    trial = moment.trial
    entries = {**live_entries(trial.model, {}), **live}
    return counts_of_live(trial.model, entries, background, trial.train.image_shape)
