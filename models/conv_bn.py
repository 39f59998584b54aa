"""A small network with BatchNorm, for studies that a CPU can finish. N images, K classes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

WIDTHS = (16, 32, 64, 64)


class ConvBN(nn.Module):
    """Four 3x3 convolutions with BatchNorm and ReLU, 16-32-64-64 channels, max-pool 2 behind the first two; the mean
    over what is left of the image; one Linear layer.

    x [N,1,28,28] -> logits [N,K]. Source: none, it is this project's own.
    """

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        inputs = (1, *WIDTHS[:-1])
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in zip(inputs, WIDTHS, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in WIDTHS)
        self.fc = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,1,28,28]."""
        for layer, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = relu(norm(conv(x)))
            x = max_pool2d(x, 2) if layer < 2 else x
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def conv_bn(classes: int) -> ConvBN:
    """The network."""
    return ConvBN(classes=classes)
