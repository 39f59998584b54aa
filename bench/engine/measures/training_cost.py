"""What the training of a trial costs whose masks change while it is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bench import names
from bench.engine.measures.cost import counts_of_live, live_entries
from bench.engine.measures.moment import Moment


def over_training(moment: Moment) -> dict[str, float]:
    """Live weights, mean over the epochs trained, and multiply-accumulates per image over all of them; nothing of
    other trials.

    Of an epoch count the masks that it was trained under. The one batch whose gradient a moment may take is left out.
    """
    if not moment.spec.method.changes_masks:
        return {}
    epochs = Counter(frozenset(live.items()) for live in _live_of_epochs(moment))  # live entries -> epochs trained so
    if not epochs:
        return {}
    counted = [(_counts(moment, dict(live)), number) for live, number in epochs.items()]
    return {
        names.MEAN_LIVE_WEIGHTS: sum(n * counts[names.LIVE_WEIGHTS] for counts, n in counted) / epochs.total(),
        names.TRAINING_MACS: sum(n * (c[names.FORWARD_MACS] + c[names.BACKWARD_MACS]) for c, n in counted),
    }


def _live_of_epochs(moment: Moment) -> Iterator[dict[str, int]]:
    """Of each epoch trained, the live entries of each maskable weight."""
    for epoch in range(1, len(moment.epochs)):
        yield {name: _live_before(layer, epoch) for name, layer in moment.layers.items()}


def _live_before(layer: Mapping[str, Any], epoch: int) -> int:
    """The live entries of a weight in that epoch: those of the last revision before its end."""
    return int([revision["live"] for revision in layer[names.REVISIONS] if revision["epoch"] < epoch][-1])


def _counts(moment: Moment, live: Mapping[str, int]) -> dict[str, float]:
    trial = moment.trial
    entries = {**live_entries(trial.model, {}), **live}
    return counts_of_live(trial.model, entries, moment.spec.method.background, trial.train.image_shape)
