"""The two LeNets of the pruning-at-initialisation papers. N images, K classes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu


class LeNet300100(nn.Module):
    """LeNet-300-100: 784-300-100-K, ReLU after both hidden layers (LeCun et al. 1998, Proc. IEEE 86(11)).

    x [N,1,28,28] -> logits [N,K].

    Departs from the paper: ReLU, not tanh, and logits, not Gaussian units, as the pruning papers do.
    """

    def __init__(self, *, classes: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,1,28,28]."""
        hidden = relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc3(relu(self.fc2(hidden)))
        return logits


class LeNet5Caffe(nn.Module):
    """LeNet-5 as in Caffe: conv 20@5x5, max-pool 2, conv 50@5x5, max-pool 2, 800-500 ReLU, K.

    x [N,1,28,28] -> logits [N,K]. Source: namhoonlee/snip-public (Lee et al. 2019, arXiv:1810.02340), which has no
    ReLU after the convolutions; `relu_after_conv` adds them.

    Departs from the paper: nothing of the released code but its initialisation, which is a choice of the protocol.
    """

    def __init__(self, *, relu_after_conv: bool, classes: int) -> None:
        super().__init__()
        self.relu_after_conv = relu_after_conv
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N,K] of x [N,1,28,28]."""
        for conv in (self.conv1, self.conv2):
            # ReLU and max commute, in value and in gradient; after the pooling there is a quarter of the work.
            x = max_pool2d(conv(x), 2)
            x = relu(x) if self.relu_after_conv else x
        logits: Tensor = self.fc2(relu(self.fc1(x.flatten(1))))
        return logits


def lenet_300_100(classes: int) -> nn.Module:
    """LeNet-300-100."""
    return LeNet300100(classes=classes)


def lenet_5_caffe(classes: int) -> nn.Module:
    """LeNet-5-Caffe without ReLU after the convolutions."""
    return LeNet5Caffe(relu_after_conv=False, classes=classes)


def lenet_5_caffe_relu(classes: int) -> nn.Module:
    """LeNet-5-Caffe with ReLU after the convolutions."""
    return LeNet5Caffe(relu_after_conv=True, classes=classes)
