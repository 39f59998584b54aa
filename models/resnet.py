"""Residual networks for small images, on torchvision's basic block. N images, K classes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import pad, relu
from torchvision.models.resnet import BasicBlock


class ResNet(nn.Module):
    """A 3 × 3 stem without pooling, stages of basic blocks, the mean over the last map, one Linear layer.

    x [N,3,H,W] -> logits [N,K] (He et al. 2016, arXiv:1512.03385). Every stage but the first halves the map.

    Departs from the paper: nothing on CIFAR; the stem, where the paper's network is for ImageNet.
    Args: projection: a 1 × 1 convolution with BatchNorm if a block changes the shape ("option B"), else every other
          pixel with zeros for the new channels ("option A", without parameters).
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int], *, projection: bool, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        before, self.stages = widths[0], len(widths)
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True), 1):
            stage = [_block(before if j == 0 else width, width, i > 1 and j == 0, projection) for j in range(count)]
            self.add_module(f"layer{i}", nn.Sequential(*stage))
            before = width
        self.fc = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,3,H,W]."""
        x = relu(self.bn1(self.conv1(x)))
        for i in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{i}")(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Padded(nn.Module):
    """Option A: every other pixel, and as many zero channels as are missing, half of them before the others."""

    def __init__(self, missing: int) -> None:
        super().__init__()
        self.missing = missing

    def forward(self, x: Tensor) -> Tensor:
        """[N, C + missing, H/2, W/2] of x [N,C,H,W]."""
        first = self.missing // 2
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, first, self.missing - first))


def _block(before: int, width: int, halved: bool, projection: bool) -> BasicBlock:
    stride = 2 if halved else 1
    shortcut: nn.Module | None = None
    if before != width and projection:
        shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
    elif before != width:
        shortcut = Padded(width - before)
    return BasicBlock(before, width, stride, shortcut)


def resnet20(classes: int) -> nn.Module:
    """ResNet-20 for CIFAR, shortcuts of option A."""
    return ResNet((16, 32, 64), (3, 3, 3), projection=False, classes=classes)


def resnet32(classes: int) -> nn.Module:
    """ResNet-32 for CIFAR, shortcuts of option A."""
    return ResNet((16, 32, 64), (5, 5, 5), projection=False, classes=classes)


def resnet56(classes: int) -> nn.Module:
    """ResNet-56 for CIFAR, shortcuts of option A."""
    return ResNet((16, 32, 64), (9, 9, 9), projection=False, classes=classes)


def resnet110(classes: int) -> nn.Module:
    """ResNet-110 for CIFAR, shortcuts of option A."""
    return ResNet((16, 32, 64), (18, 18, 18), projection=False, classes=classes)


def resnet20_projection(classes: int) -> nn.Module:
    """ResNet-20 for CIFAR with projections, as in open_lth."""
    return ResNet((16, 32, 64), (3, 3, 3), projection=True, classes=classes)


def resnet32_projection(classes: int) -> nn.Module:
    """ResNet-32 for CIFAR with projections."""
    return ResNet((16, 32, 64), (5, 5, 5), projection=True, classes=classes)


def resnet32_x2(classes: int) -> nn.Module:
    """The "ResNet32" of GraSP (Wang et al. 2020, arXiv:2002.07376): twice the width, projections.

    Departs from the paper: nothing of its released code but the initialisation.
    """
    return ResNet((32, 64, 128), (5, 5, 5), projection=True, classes=classes)


def resnet18(classes: int) -> nn.Module:
    """ResNet-18 with the 3 × 3 stem of CIFAR, as SynFlow's tiny_resnet18."""
    return ResNet((64, 128, 256, 512), (2, 2, 2, 2), projection=True, classes=classes)


def resnet34(classes: int) -> nn.Module:
    """ResNet-34 with the 3 × 3 stem of CIFAR."""
    return ResNet((64, 128, 256, 512), (3, 4, 6, 3), projection=True, classes=classes)
