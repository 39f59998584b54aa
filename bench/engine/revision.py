"""The moments of a trial: its method chooses masks again, and what dies gets its background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.channels.selection import Open, Selection
from bench.engine.outcome import Diverged
from bench.engine.setup.channels import all_masks, selected_channels
from bench.engine.setup.prepare import Trial, by_method, check_masks, scored_copy
from bench.engine.shaping import diverged_if_not_finite
from bench.engine.steps.learning_rate import learning_rate
from bench.methods import Masks, Scores
from bench.methods.changing.revision import Revision
from bench.methods.derivatives import gradient, leaves
from bench.methods.maskable import maskable
from bench.methods.scopes import check_live
from bench.models.channels.filters import filters_of
from bench.trial.spec import TrialSpec
from bench.trial.streams import stream

REVISE = "revise"  # the purpose of the streams of a moment


def revised(spec: TrialSpec, trial: Trial, epoch: int) -> tuple[Trial, Sequence[str]]:
    """The trial after the moment at the end of an epoch, its network changed in place.

    Returns: the trial, and the words of what code from outside changed of the process, which is put back.
    Raises:  Diverged if a weight, or a gradient that the method asks for, is NaN or infinite.
    """
    _check_finite(epoch, dict(trial.model.named_parameters()))
    at = _revision(spec, trial, epoch)

    def revise() -> tuple[Masks, Mapping[str, Tensor], Masks]:
        masks = spec.method.revise(at)
        return masks, spec.method.reset(at, masks), spec.method.restarted(at, masks)

    with diverged_if_not_finite(trial, f"in the moment after epoch {epoch}"):
        (chosen, values, restarted), changed = by_method(spec, revise, REVISE, str(epoch), "global")
    weights = maskable(trial.model)
    masks = {name: mask for name, mask in chosen.items() if name in weights}
    fixed = {name: mask for name, mask in chosen.items() if name not in weights}
    check_masks(trial.model, masks)
    _check_parameters(trial.model, {**fixed, **restarted}, values)
    by_rate = not (spec.method.closes_channels or spec.method.ends_at_budget)
    if by_rate and epoch == spec.method.moments(spec.epochs)[-1]:
        check_live(masks, Fraction(spec.rate), spec.method.scope)
    device = trial.train_indices.device
    masks, fixed, restarted = ({n: m.to(device, copy=True) for n, m in of.items()} for of in (masks, fixed, restarted))
    masks = {name: masks[name] for name in weights}
    _set(trial, {**masks, **fixed}, values, spec.method.background)
    selection = selected_channels(spec.method, trial.channels, masks)
    return replace(trial, masks=masks, fixed=fixed, restarted=restarted, selection=selection), changed


def _revision(spec: TrialSpec, trial: Trial, epoch: int) -> Revision:
    model = scored_copy(spec, trial.model)
    steps = -(-len(trial.train_indices) // spec.batch_size)
    dtype = next(model.parameters()).dtype

    def gradients() -> Scores:
        x, y = _batch(spec, trial, epoch)
        slopes = gradient(model, leaves(model), [(x.to(dtype), y)], cross_entropy)
        _check_finite(epoch, slopes)
        return slopes

    channels = trial.channels

    def masks_with(open_channels: Open) -> Masks:
        assert channels is not None, "a method that closes none has no use for it"
        return all_masks(trial.model, Selection(channels=channels, open=open_channels))

    return Revision(
        model=model,
        initial={name: value.to(dtype, copy=True) for name, value in trial.initial.items()},
        masks={name: mask.clone() for name, mask in {**trial.masks, **trial.fixed}.items()},
        rate=Fraction(spec.rate),
        epoch=epoch,
        epochs=spec.epochs,
        lr=learning_rate(spec, min(epoch * steps, spec.epochs * steps - 1), spec.epochs * steps),
        generator=stream(spec.seed, REVISE, str(epoch)),
        gradients=gradients,
        state=trial.state,
        channels=channels,
        masks_with=masks_with,
        filters=partial(filters_of, trial.model, trial.train.image_shape),
    )


def _batch(spec: TrialSpec, trial: Trial, epoch: int) -> tuple[Tensor, Tensor]:
    """As many training images as a step sees, drawn for this moment; not augmented."""
    indices = trial.train_indices
    order = stream(spec.seed, REVISE, str(epoch), "batch").permutation(len(indices))[: spec.batch_size]
    return trial.train.batch(indices[torch.from_numpy(order).to(indices.device)])


@torch.no_grad()
def _set(trial: Trial, masks: Masks, values: Mapping[str, Tensor], background: str) -> None:
    """Give parameters these values, and dead entries their background."""
    for name, parameter in trial.model.named_parameters():
        if name in values:
            parameter.copy_(_unrounded(values[name].to(parameter.device), parameter, trial.initial[name]))
        if name in masks:
            dead = torch.zeros_like(parameter) if background == "prune" else trial.initial[name]
            parameter.copy_(torch.where(masks[name], parameter, dead))


def _unrounded(value: Tensor, parameter: Tensor, initial: Tensor) -> Tensor:
    """The value; entries that a method took over from its copy, or from the start, have the bits they have there.

    A method sees both in the precision in which criteria score.
    """
    if value.dtype == parameter.dtype:
        return value
    exact = value.to(parameter.dtype)
    for unrounded in (initial, parameter):
        exact = torch.where(unrounded.to(value.dtype) == value, unrounded, exact)
    return exact


def _check_parameters(model: nn.Module, fixed: Masks, values: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a mask or a value that a method gives is that of no parameter."""
    shapes = {name: p.shape for name, p in model.named_parameters()}
    for noun, tensors in (("mask", fixed), ("value", values)):
        for name, tensor in tensors.items():
            if tensor.shape != shapes.get(name) or (noun == "mask" and tensor.dtype != torch.bool):
                given = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
                raise ValueError(f"{noun} of {name}: {given}; must be of a parameter and its shape, a mask torch.bool")


def _check_finite(epoch: int, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor.detach()).all()):
            raise Diverged(f"{name} or its gradient NaN or infinite after epoch {epoch}")
