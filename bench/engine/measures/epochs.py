"""What follows from the figures of the epochs, once a trial has ended."""

from __future__ import annotations

from statistics import fmean

from bench import names
from bench.engine.measures.moment import Moment
from bench.engine.steps.learning_rate import learning_rate
from bench.metrics import GRADIENTS
from bench.trial.optimizers import UPDATES


def over_epochs(moment: Moment) -> dict[str, float]:
    """Each gradient figure before training, and its mean over the epochs trained."""
    first, *trained = moment.epochs
    figures = {names.initial(row.name): first[row.name] for row in GRADIENTS}
    if trained:
        figures |= {names.mean(row.name): fmean(epoch[row.name] for epoch in trained) for row in GRADIENTS}
    return figures


def predicted_decrease(moment: Moment) -> dict[str, float]:
    """Decrease of the loss by SGD's first step on the live weights, to first order; none of other optimizers."""
    if not UPDATES[moment.spec.optimizer].follows_gradient:
        return {}
    return {names.PREDICTED_DECREASE: _first_step(moment) * moment.epochs[0][names.GRAD_NORM_LIVE] ** 2}


def _first_step(moment: Moment) -> float:
    """What SGD's first step multiplies the gradient by; weight decay aside."""
    spec = moment.spec
    steps = -(-len(moment.trial.train_indices) // spec.batch_size)
    ahead = spec.momentum if spec.nesterov else 0.0
    return (1 + ahead) * learning_rate(spec, 0, spec.epochs * steps)
