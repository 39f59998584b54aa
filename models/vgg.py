"""VGG networks for 32 × 32 images, as the papers on pruning at initialisation use them. N images, K classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor, nn

# Output channels of each convolution, with (channels, kernel size) if that is not 3; 0 = max pooling.
Plan = Sequence[int | tuple[int, int]]
VGG_11: Plan = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512)
VGG_16: Plan = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
VGG_19: Plan = (64, 64, 0, 128, 128, 0, *[256] * 4, 0, *[512] * 4, 0, *[512] * 4)
VGG_C: Plan = (64, 64, 0, 128, 128, 0, 256, 256, (256, 1), 0, 512, 512, (512, 1), 0, 512, 512, (512, 1))


class VGG(nn.Module):
    """Convolutions with BatchNorm and ReLU, max pooling between blocks, the mean over the last map, Linear layers.

    x [N,3,H,W] -> logits [N,K] (Simonyan and Zisserman 2015, arXiv:1409.1556).

    Departs from the paper: BatchNorm; a classifier for small images, without dropout.
    Args: plan: the convolutions and poolings. hidden: sizes of the hidden Linear layers, each with BatchNorm and ReLU.
          bias: of the convolutions. pooled: max pooling after the last block, which leaves 1 × 1 of 32 × 32 pixels.
    """

    def __init__(self, plan: Plan, *, hidden: Sequence[int], bias: bool, pooled: bool, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_features(plan, bias))
        self.pooled = pooled
        last = plan[-1]
        self.classifier = nn.Sequential(*_classifier([last[0] if isinstance(last, tuple) else last, *hidden], classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,3,H,W]."""
        maps: Tensor = self.features(x)
        maps = nn.functional.max_pool2d(maps, 2) if self.pooled else maps
        logits: Tensor = self.classifier(maps.mean((2, 3)))
        return logits


def _features(plan: Plan, bias: bool) -> Iterator[nn.Module]:
    before = 3
    for entry in plan:
        if entry:
            channels, kernel = entry if isinstance(entry, tuple) else (entry, 3)
            yield nn.Conv2d(before, channels, kernel, padding=kernel // 2, bias=bias)
            yield nn.BatchNorm2d(channels)
            yield nn.ReLU()
            before = channels
        else:
            yield nn.MaxPool2d(2)


def _classifier(sizes: Sequence[int], classes: int) -> Iterator[nn.Module]:
    for a, b in pairwise(sizes):
        yield from (nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU())
    yield nn.Linear(sizes[-1], classes)


def vgg16_d(classes: int) -> nn.Module:
    """VGG-D of SNIP's paper (Lee et al. 2019, arXiv:1810.02340): 13 convolutions, two hidden layers of 512.

    Departs from the paper: nothing of its released code (namhoonlee/snip-public) but the initialisation.
    """
    return VGG(VGG_16, hidden=(512, 512), bias=True, pooled=True, classes=classes)


def vgg_c(classes: int) -> nn.Module:
    """VGG-C of SNIP's paper: VGG-D with 1 × 1 as the last convolution of the last three blocks.

    Departs from the paper: nothing of its released code but the initialisation.
    """
    return VGG(VGG_C, hidden=(512, 512), bias=True, pooled=True, classes=classes)


def vgg_like(classes: int) -> nn.Module:
    """VGG-like of SNIP's paper: VGG-D with one hidden layer of 512.

    Departs from the paper: no dropout, which is in its description and not in its released code.
    """
    return VGG(VGG_16, hidden=(512,), bias=True, pooled=True, classes=classes)


def vgg16_bn(classes: int) -> nn.Module:
    """VGG-16 of open_lth and SynFlow (Tanaka et al. 2020, arXiv:2006.05467): the mean over the map, one Linear layer.

    Departs from the paper: nothing of the released code but the initialisation.
    """
    return VGG(VGG_16, hidden=(), bias=True, pooled=False, classes=classes)


def vgg11_bn(classes: int) -> nn.Module:
    """VGG-11 of open_lth and SynFlow, built as their VGG-16.

    Departs from the paper: nothing of the released code but the initialisation.
    """
    return VGG(VGG_11, hidden=(), bias=True, pooled=False, classes=classes)


def vgg19_bn(classes: int) -> nn.Module:
    """VGG-19 of GraSP (Wang et al. 2020, arXiv:2002.07376): convolutions without bias, the mean, one Linear layer.

    Departs from the paper: nothing of the released code (alecwangcq/GraSP) but the initialisation.
    """
    return VGG(VGG_19, hidden=(), bias=False, pooled=False, classes=classes)
