"""MobileNet. N images, K classes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

STEM = 32  # output channels
BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip  # output channels and stride of each separable block


class MobileNet(nn.Module):
    """MobileNet v1 for small images: a stem, 13 depthwise separable blocks, the mean, one Linear layer.

    x [N,3,H,W] -> logits [N,K] (Howard et al. 2017, arXiv:1704.04861).

    Departs from the paper: a stem of stride 1, since images of 32 × 32 pixels would vanish.
    """

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        widths = [STEM, *(width for width, _ in BLOCKS)]
        self.blocks = nn.Sequential(*(Separable(a, b, stride) for a, (b, stride) in zip(widths, BLOCKS, strict=False)))
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,3,H,W]."""
        x = self.blocks(relu(self.bn1(self.conv1(x))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Separable(nn.Module):
    """A 3 × 3 convolution of each channel by itself, then a 1 × 1 over the channels; BatchNorm and ReLU after both."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(before, before, 3, stride, padding=1, groups=before, bias=False)
        self.bn1 = nn.BatchNorm2d(before)
        self.pointwise = nn.Conv2d(before, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H/stride, W/stride] of x [N, before, H, W]."""
        return relu(self.bn2(self.pointwise(relu(self.bn1(self.depthwise(x))))))


def mobilenet_v1(classes: int) -> nn.Module:
    """MobileNet v1 with the stem of CIFAR."""
    return MobileNet(classes=classes)
