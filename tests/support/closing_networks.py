"""Tiny networks for images of 1 × 28 × 28, whose channels can be closed, or cannot for a reason that is hard to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, conv2d, max_pool2d

SHAPE = (1, 28, 28)


class Written(nn.Module):
    """Layers, and what they compute."""

    def __init__(self, calls: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.calls = calls
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.calls(self, max_pool2d(x, 4))


def conv(inputs: int, outputs: int, size: int = 3, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups)


def with_middle(middle: Callable[[Any, Tensor], Tensor], classes: int = 10, **layers: nn.Module) -> nn.Module:
    """A convolution of 8 channels, something between, a convolution of 6, a Linear layer."""
    network = Written(
        lambda n, x: n.head(torch.relu(n.norm_last(n.last(middle(n, torch.relu(n.norm(n.stem(x))))))).mean((2, 3))),
        stem=conv(1, 8), norm=nn.BatchNorm2d(8), last=conv(8, 6), norm_last=nn.BatchNorm2d(6),
        head=nn.Linear(6, classes),
    )  # fmt: skip
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


def mobile(classes: int = 10) -> nn.Module:
    """A block of MobileNet v3: expanded, depthwise, squeezed and excited, projected, and added to its input."""

    def block(n: Any, x: Tensor) -> Tensor:
        wide = torch.nn.functional.hardswish(n.norm_deep(n.deep(torch.relu(n.norm_wide(n.wide(x))))))
        gates = torch.sigmoid(n.excite(torch.relu(n.squeeze(adaptive_avg_pool2d(wide, 1)))))
        out: Tensor = x + n.norm_out(n.out(wide * gates))
        return out

    return with_middle(
        block, classes, wide=conv(8, 16, 1), norm_wide=nn.BatchNorm2d(16), deep=conv(16, 16, groups=16),
        norm_deep=nn.BatchNorm2d(16), squeeze=conv(16, 4, 1), excite=conv(4, 16, 1), out=conv(16, 8, 1),
        norm_out=nn.BatchNorm2d(8),
    )  # fmt: skip


def projected(classes: int = 10) -> nn.Module:
    """A residual block whose input two layers read, and whose sum is a stream of another width."""

    def block(n: Any, x: Tensor) -> Tensor:
        inner = torch.relu(n.norm_one(n.one(x)))
        total = torch.relu(n.norm_two(n.two(inner)) + n.norm_cut(n.cut(x)))
        out: Tensor = torch.relu(n.norm_back(n.back(total)))
        return out

    return with_middle(
        block, classes, one=conv(8, 12), norm_one=nn.BatchNorm2d(12), two=conv(12, 10), norm_two=nn.BatchNorm2d(10),
        cut=conv(8, 10, 1), norm_cut=nn.BatchNorm2d(10), back=conv(10, 8), norm_back=nn.BatchNorm2d(8),
    )  # fmt: skip


def fire(classes: int = 10) -> nn.Module:
    """SqueezeNet's module: what two layers read, and whose outputs are side by side."""
    return with_middle(
        lambda n, x: torch.cat([n.one(s := torch.relu(n.squeeze(x))), n.three(s)], 1),
        classes, squeeze=conv(8, 4, 1), one=conv(4, 3, 1), three=conv(4, 5),
    )  # fmt: skip


def shared_norm(classes: int = 10) -> nn.Module:
    """One BatchNorm of two convolutions' channels."""
    return with_middle(lambda n, x: torch.relu(n.norm(n.other(x))), classes, other=conv(8, 8))


def tied(classes: int = 10) -> nn.Module:
    """Two convolutions with one weight."""
    network = with_middle(lambda n, x: torch.relu(n.two(torch.relu(n.one(x)))), classes, one=conv(8, 8), two=conv(8, 8))
    network.two.weight = network.one.weight
    return network


def tied_bias(classes: int = 10) -> nn.Module:
    """Two convolutions with one bias, of which one is not run."""
    network = with_middle(lambda n, x: torch.relu(n.one(x)), classes, one=conv(8, 8), spare=conv(1, 8))
    network.spare.bias = network.one.bias
    return network


def sliced(classes: int = 10) -> nn.Module:
    """A convolution with some rows of its weight."""
    return with_middle(
        lambda n, x: conv2d(torch.relu(conv2d(x, n.wide.weight[:8], n.wide.bias[:8], padding=1)), n.back.weight),
        classes, wide=conv(8, 16), back=conv(8, 8),
    )  # fmt: skip


def turned(classes: int = 10) -> nn.Module:
    """A convolution with inputs for outputs."""
    return with_middle(
        lambda n, x: torch.relu(conv2d(x, n.wide.weight.transpose(0, 1), padding=1)), classes, wide=conv(8, 8)
    )


def used_beside(classes: int = 10) -> nn.Module:
    """A convolution whose weight is used once more, as a number."""
    return with_middle(lambda n, x: torch.relu(n.one(x)) * n.one.weight.square().sum(), classes, one=conv(8, 8))


def without_scale(classes: int = 10) -> nn.Module:
    """A BatchNorm without scale and shift."""
    return with_middle(
        lambda n, x: torch.relu(n.plain(n.one(x))), classes, one=conv(8, 8), plain=nn.BatchNorm2d(8, affine=False)
    )


def sized(classes: int = 10) -> nn.Module:
    """Its code says how many channels there are."""
    return with_middle(lambda n, x: torch.relu(n.one(x)).view(-1, 12, 7, 7), classes, one=conv(8, 12), last=conv(12, 6))


def counting(classes: int = 10) -> nn.Module:
    """Its code computes with the number of channels."""
    return with_middle(lambda n, x: (y := torch.relu(n.one(x))) / y.shape[1], classes, one=conv(8, 8))


def divided(classes: int = 10) -> nn.Module:
    """One convolution's channels divided by another's."""
    return with_middle(lambda n, x: n.one(x) / n.two(x), classes, one=conv(8, 8), two=conv(8, 8))
