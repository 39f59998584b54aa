"""Tiny networks whose scores can be solved by hand, or that exercise what large ones have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class Linear2(nn.Module):
    """y = w · x with two weights: L, gradient and Hessian have closed forms."""

    def __init__(self, w: tuple[float, ...]) -> None:
        super().__init__()
        self.layer = nn.Linear(len(w), 1, bias=False).double()
        self.layer.weight.data = torch.tensor([w], dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(12, 10)
        self.fc2 = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(torch.relu(self.fc1(x.flatten(1))))
        return out


class ConvNorm(nn.Module):
    """A convolution with BatchNorm and dropout: buffers, modes and random state that scoring might disturb."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.drop(torch.tanh(self.norm(self.conv(x)))).flatten(1))
        return out


class NormRelu(nn.Module):
    """Padded convolutions with BatchNorm and ReLU, a shortcut, max pooling and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 3, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(3)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.norm2(self.conv2(x)) + x)
        out: Tensor = self.fc(self.drop(max_pool2d(x, 2)).flatten(1))
        return out


class Smooth(nn.Module):
    """Convolutions without a kink: neither ReLU nor max pooling, where two orders of adding may take other sides."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, stride=2)
        self.conv2 = nn.Conv2d(6, 8, 5, stride=2)
        self.fc = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(torch.tanh(self.conv2(torch.tanh(self.conv1(x)))).flatten(1))
        return out


def batches(sizes: tuple[int, ...] = (7, 5), dtype: torch.dtype = torch.float64) -> list[tuple[Tensor, Tensor]]:
    """Images [N, 1, 3, 4] for Mlp, [N, 1, 4, 4] for ConvNorm: the flattened length picks."""
    g = torch.Generator().manual_seed(1)
    return [(torch.randn(n, 1, 3, 4, generator=g, dtype=dtype), torch.randint(0, 3, (n,), generator=g)) for n in sizes]


def square_batches(sizes: tuple[int, ...] = (7, 5)) -> list[tuple[Tensor, Tensor]]:
    g = torch.Generator().manual_seed(2)
    return [(torch.randn(n, 1, 4, 4, generator=g).double(), torch.randint(0, 3, (n,), generator=g)) for n in sizes]
