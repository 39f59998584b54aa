"""What only values show, on two images in float64 on the CPU: random numbers, state, dependence on the batch."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bench.messages import one_line
from bench.models.structure.construction import generators, seeded
from bench.models.structure.layers import changing_buffers, tensors_of, weights_of

RTOL = 1e-7  # what float64 rounds, with the gain of a deep network


@dataclass(frozen=True, kw_only=True)
class Values:
    """What the values show."""

    channels_last: bool  # whether it computes with images whose channels come last
    is_random: bool  # whether it draws random numbers in training, as dropout does
    needs_two: bool  # whether one image alone cannot be trained on, as BatchNorm of one value per channel cannot


def values_of(model: nn.Module, image_shape: tuple[int, ...]) -> Values:
    """What the values show of a network as constructed, which is not the same afterwards.

    Raises: ValueError if a trained network could not be stored, or its accuracy would not be its own.
    """
    try:
        model = copy.deepcopy(model).double()
    except Exception as error:
        raise ValueError(f"cannot be copied: {one_line(error)}") from error
    vary(model, 0)
    x = example(image_shape)
    convolutional = any(weight.ndim == 4 for weight in weights_of(model).values())
    channels_last = convolutional and _runs(model, x.to(memory_format=torch.channels_last))
    x = x.to(memory_format=torch.channels_last) if channels_last else x
    with torch.no_grad(), seeded(0):
        is_random = _check_training(model, x)
        _check_evaluation(model, x)
    return Values(channels_last=channels_last, is_random=is_random, needs_two=not _runs(model, x[:1]))


@torch.no_grad()
def vary(model: nn.Module, seed: int) -> None:
    """Give every parameter values that no other one has: a network whose last layer starts at zero shows nothing."""
    weights = {id(weight) for weight in weights_of(model).values()}
    with seeded(seed):
        for parameter in model.parameters():
            if id(parameter) in weights:
                parameter.uniform_(-1, 1).mul_((3 / parameter[0].numel()) ** 0.5)
            else:
                parameter.add_(torch.empty_like(parameter).uniform_(-0.01, 0.01))


def example(image_shape: tuple[int, ...]) -> Tensor:
    """Two images in float64."""
    return torch.from_numpy(np.random.RandomState(0).standard_normal((2, *image_shape)))


def _runs(model: nn.Module, x: Tensor) -> bool:
    """Whether it can be trained on these images: `view` refuses channels that come last in memory, others assert."""
    try:
        with torch.no_grad(), seeded(0):
            copy.deepcopy(model).train()(x)
    except Exception:  # whatever its code raises; that it runs at all is checked after this
        return False
    return True


def _output(model: nn.Module, x: Tensor) -> Tensor:
    try:
        output: Tensor = model(x)
    except Exception as error:
        raise ValueError(f"cannot compute in float64, as a stored network is checked: {one_line(error)}") from error
    return output


def _check_training(model: nn.Module, x: Tensor) -> bool:
    """Check what a training pass changes; whether it draws random numbers."""
    before = {name: tensor.detach().clone() for name, tensor in tensors_of(model)}
    model.train()
    first, (draws, again) = generators(), (_after(model, x), _after(model, x))
    for name, tensor in tensors_of(model):
        if not torch.equal(tensor, before[name]) and name not in changing_buffers(model):
            raise ValueError(f"{name}: changes as the network is applied; only statistics of layers and counters may")
    if not is_close(draws[0], again[0]):
        raise ValueError("gives other logits for the same images, weights and seeds; must keep no state of its own")
    return draws[1] != first


def _after(model: nn.Module, x: Tensor) -> tuple[Tensor, object]:
    """The output from one random state, and the state afterwards."""
    with seeded(0):
        return _output(model, x), generators()


def _check_evaluation(model: nn.Module, x: Tensor) -> None:
    model.eval()
    before = generators()
    together = _output(model, x)
    if generators() != before:
        raise ValueError("draws random numbers in evaluation; must do so in training only")
    if not is_close(together, torch.cat([_output(model, image) for image in x.split(1)])):  # type: ignore[no-untyped-call]
        raise ValueError("in evaluation the logits of an image depend on the other images; must be its own")


def is_close(one: Tensor, other: Tensor) -> bool:
    """Whether two outputs are equal but for rounding."""
    scale = float(one.abs().nan_to_num().max())
    return torch.allclose(one, other, rtol=RTOL, atol=RTOL * scale, equal_nan=True)
