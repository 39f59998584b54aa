"""Wide residual networks. N images, K classes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu


class WideResNet(nn.Module):
    """WRN-depth-factor: three stages of (depth - 4)/6 pre-activation blocks, 16, 32 and 64 channels times the factor.

    x [N,3,H,W] -> logits [N,K] (Zagoruyko and Komodakis 2016, arXiv:1605.07146).

    Departs from the paper: no dropout.
    """

    def __init__(self, depth: int, factor: int, *, classes: int) -> None:
        super().__init__()
        self.conv1, before = nn.Conv2d(3, 16, 3, padding=1, bias=False), 16
        for i, width in enumerate((16 * factor, 32 * factor, 64 * factor), 1):
            stage = [
                WideBlock(before if j == 0 else width, width, 2 if i > 1 and j == 0 else 1)
                for j in range((depth - 4) // 6)
            ]
            self.add_module(f"layer{i}", nn.Sequential(*stage))
            before = width
        self.bn = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,3,H,W]."""
        x = self.conv1(x)
        for i in range(1, 4):
            x = self.get_submodule(f"layer{i}")(x)
        logits: Tensor = self.fc(relu(self.bn(x)).mean((2, 3)))
        return logits


class WideBlock(nn.Module):
    """BatchNorm, ReLU and a 3 × 3 convolution, twice; if the width changes, a 1 × 1 convolution as shortcut."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(before, width, 1, stride, bias=False) if before != width else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H/stride, W/stride] of x [N, before, H, W]."""
        ready = relu(self.bn1(x))
        out: Tensor = self.conv2(relu(self.bn2(self.conv1(ready))))
        return out + (x if self.shortcut is None else self.shortcut(ready))


def wrn_16_8(classes: int) -> nn.Module:
    """WRN-16-8."""
    return WideResNet(16, 8, classes=classes)


def wrn_22_8(classes: int) -> nn.Module:
    """WRN-22-8."""
    return WideResNet(22, 8, classes=classes)
