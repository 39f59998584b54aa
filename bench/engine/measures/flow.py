"""How much gradient flow a mask costs if the dead weights are set to zero, before training.

With w0 the initial weights, m the mask, g(w) = ∂L/∂w over all maskable weights and H the Hessian at w0:

    change     = g(m·w0)ᵀ g(m·w0) - g(w0)ᵀ g(w0)
    predicted  = 2 δᵀ H g(w0),  δ = -(1 - m)·w0

The second is the first-order change by which GraSP ranks weights (Wang et al. 2020, arXiv:2002.07376). Both describe
pruning: freezing leaves the weights, and so the flow, as they are. A frozen and a pruned trial of one mask have the
same two numbers. H sees every ReLU as it is at w0: the second does not see that some change sides on the way to m·w0.
Departs from the paper: no temperature, and the probe instead of the criterion's sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench import names
from bench.engine.measures.moment import Moment
from bench.engine.setup.modes import by_batch
from bench.methods.derivatives import leaves, losses


def changes(moment: Moment) -> dict[str, float]:
    """Both numbers of a trial, on its probe; none if an operation of the network has no second derivative."""
    try:
        return flow_change(moment.trial.model, moment.trial.masks, *moment.trial.probe)
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return {}


def flow_change(model: nn.Module, masks: Mapping[str, Tensor], x: Tensor, y: Tensor) -> dict[str, float]:
    """Both numbers, for the model at its initial weights w0, on images x with labels y; the model stays as it is.

    BatchNorm uses the batch's statistics, and Dropout is off. Sums in float64, the rest in the model's own precision.
    """
    was_training = model.training
    by_batch(model)
    weights = leaves(model)
    if all(bool(mask.all()) for mask in masks.values()):
        change = predicted = 0.0
    else:
        first = _gradient(model, weights, x, y, create_graph=True)
        removed = [-(w.detach() * ~masks[name]) for name, w in weights.items()]
        change = _square(_at(model, masks, weights, x, y)) - _square([g.detach() for g in first])
        predicted = 2 * _product(first, list(weights.values()), removed)
    model.train(was_training)
    return {names.FLOW_CHANGE: change, names.FLOW_CHANGE_PREDICTED: predicted}


def _gradient(model: nn.Module, weights: dict[str, Tensor], x: Tensor, y: Tensor, create_graph: bool) -> list[Tensor]:
    ((_, loss),) = losses(model, weights, [(x, y)], cross_entropy)
    return list(torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph))


def _at(
    model: nn.Module, masks: Mapping[str, Tensor], weights: Mapping[str, Tensor], x: Tensor, y: Tensor
) -> list[Tensor]:
    """The gradient at the pruned weights m·w0."""
    pruned = {name: (w.detach() * masks[name]).requires_grad_() for name, w in weights.items()}
    return _gradient(model, pruned, x, y, create_graph=False)


def _product(gradient: list[Tensor], weights: list[Tensor], direction: list[Tensor]) -> float:
    """δᵀ H g: the derivative along δ of gᵀg / 2, with g held once."""
    inner = sum((g * g.detach()).sum() for g in gradient)
    assert isinstance(inner, Tensor)
    if not inner.requires_grad:  # a loss that is linear in the weights
        return 0.0
    second = torch.autograd.grad(inner, weights, allow_unused=True)
    pairs = [(h, d) for h, d in zip(second, direction, strict=True) if h is not None]
    return sum(float((h.double() * d.double()).sum()) for h, d in pairs)


def _square(gradient: list[Tensor]) -> float:
    return sum(float(g.double().square().sum()) for g in gradient)
