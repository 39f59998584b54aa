"""Sparse matrices of live weights, and the layers on them, against torch's dense ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.engine.steps.csr_pattern import conv_pattern, linear_pattern, output_size
from bench.engine.steps.frozen_layers import FrozenConv, FrozenLinear
from bench.engine.steps.sparse_layers import SparseLayer

IMAGE = torch.Size((3, 9, 8))


def gradients(out: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(out, leaves, torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape))


def compact(layer: nn.Linear | nn.Conv2d, live: float) -> tuple[Tensor, Tensor, nn.Parameter]:
    mask = torch.rand(layer.weight.shape, generator=torch.Generator().manual_seed(0)) < live
    index = mask.view(-1).nonzero().view(-1)
    return mask, index, nn.Parameter(layer.weight.detach().reshape(-1)[index], requires_grad=len(index) > 0)


def check(layer: nn.Linear | nn.Conv2d, other: nn.Module, x: Tensor, index: Tensor, values: Tensor) -> None:
    assert layer.bias is not None
    expected = layer(x)
    for_x, for_w, for_b = gradients(expected, x, layer.weight, layer.bias)
    actual = other(x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)
    of_x, *of_values, of_b = gradients(actual, x, *([values] if len(values) else []), layer.bias)
    torch.testing.assert_close(of_x, for_x, rtol=0, atol=1e-12)
    if of_values:
        torch.testing.assert_close(of_values[0], for_w.reshape(-1)[index], rtol=0, atol=1e-11)
    torch.testing.assert_close(of_b, for_b, rtol=0, atol=1e-11)


@pytest.mark.parametrize("live", [0.0, 0.02, 0.4, 1.0])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), ((1, 2), (2, 0), (2, 1))])
def test_convolutions(stride: int, padding: int, dilation: int, frozen: bool, live: float) -> None:
    conv = nn.Conv2d(3, 4, 3, stride, padding, dilation).double()
    mask, index, values = compact(conv, live)
    x = torch.randn(5, *IMAGE, dtype=torch.float64).requires_grad_()
    pattern = conv_pattern(mask, conv, IMAGE, torch.float64)
    if frozen:
        check(conv, FrozenConv(pattern, values, conv, index), x, index, values)
    else:
        with torch.no_grad():
            conv.weight.mul_(mask)
        other = SparseLayer(pattern, values, conv.bias, (4, *output_size(conv, IMAGE)))
        check(conv, other, x, index, values)
        check(conv, other, x.detach().to(memory_format=torch.channels_last).requires_grad_(), index, values)


@pytest.mark.parametrize("live", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("frozen", [False, True])
def test_linear_layers(frozen: bool, live: float) -> None:
    linear = nn.Linear(12, 7).double()
    mask, index, values = compact(linear, live)
    x = torch.randn(5, 12, dtype=torch.float64).requires_grad_()
    pattern = linear_pattern(mask, torch.float64)
    if frozen:
        check(linear, FrozenLinear(pattern, values, linear.bias, linear.weight, index), x, index, values)
    else:
        with torch.no_grad():
            linear.weight.mul_(mask)
        check(linear, SparseLayer(pattern, values, linear.bias, (7,)), x, index, values)
