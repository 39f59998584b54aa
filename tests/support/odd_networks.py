"""Small networks for images of 3 × 8 × 8 pixels, each with a layer that no network of MODELS has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.datasets.images import ImageData

IMAGE, CLASSES = (3, 8, 8), 5
PIXELS = 3 * 8 * 8


class Written(nn.Module):
    """A network whose layers are given by name, and whose forward is a function of it and the images."""

    def __init__(self, calls: Callable[[Any, Tensor], Any], **layers: nn.Module) -> None:
        super().__init__()
        self.calls = calls
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        return self.calls(self, x)


def convolutional(first: nn.Module, channels: int, side: int, classes: int) -> nn.Sequential:
    """A layer of the images, and a Linear layer on all its outputs."""
    return nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(channels * side * side, classes))


def tied(classes: int) -> nn.Module:
    network = Written(
        lambda n, x: n.head(n.second(torch.relu(n.first(torch.relu(n.stem(x.flatten(1))))))),
        stem=nn.Linear(PIXELS, 110), first=nn.Linear(110, 110), second=nn.Linear(110, 110),
        head=nn.Linear(110, classes),
    )  # fmt: skip
    network.second.weight = network.first.weight
    return network


def twice(classes: int) -> nn.Module:
    """A layer that runs twice."""
    return Written(
        lambda n, x: n.head(torch.relu(n.layer(torch.relu(n.layer(n.stem(x.flatten(1))))))),
        stem=nn.Linear(PIXELS, 110), layer=nn.Linear(110, 110), head=nn.Linear(110, classes),
    )  # fmt: skip


def functional_linear(classes: int) -> nn.Module:
    """The weight of a layer that runs is used once more, transposed."""
    return Written(
        lambda n, x: n.head(functional.linear(torch.relu(n.stem(x.flatten(1))), n.stem.weight.t())),
        stem=nn.Linear(PIXELS, 100), head=nn.Linear(PIXELS, classes),
    )  # fmt: skip


def borrowed(classes: int) -> nn.Module:
    """A layer whose weight and bias are used by a function alone."""
    return Written(
        lambda n, x: n.head(torch.relu(functional.linear(x.flatten(1), n.stem.weight, n.stem.bias))),
        stem=nn.Linear(PIXELS, 100), head=nn.Linear(100, classes),
    )  # fmt: skip


def residual(classes: int) -> nn.Module:
    return Written(
        lambda n, x: n.head(functional.max_pool2d(torch.relu(n.two(torch.relu(n.one(x))) + n.one(x)), 2).flatten(1)),
        one=nn.Conv2d(3, 40, 3, padding=1, bias=False), two=nn.Conv2d(40, 40, 3, padding=1, bias=False),
        head=nn.Linear(40 * 16, classes),
    )  # fmt: skip


def viewed(classes: int) -> nn.Module:
    """Its `view` wants the channels first in memory."""
    return Written(
        lambda n, x: n.head(torch.relu(n.hidden(n.conv(x).view(x.size(0), -1)))),
        conv=nn.Conv2d(3, 8, 3), hidden=nn.Linear(288, 60), head=nn.Linear(60, classes),
    )  # fmt: skip


def hooked(classes: int) -> nn.Module:
    """A layer that a hook changes the outputs of."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 100), nn.ReLU(), nn.Linear(100, classes))
    network[1].register_forward_hook(lambda module, inputs, output: output * 2)
    return network


def scaled(classes: int) -> nn.Module:
    """A parameter of no layer, from which a factor follows that a trace would take for a constant."""
    network = Written(
        lambda n, x: n.head(torch.relu(n.stem(x.flatten(1))) * n.scale.exp()),
        stem=nn.Linear(PIXELS, 100), head=nn.Linear(100, classes),
    )  # fmt: skip
    network.scale = nn.Parameter(torch.full((100,), 0.1))
    return network


def tokens(classes: int) -> nn.Module:
    """Patches with drawn positions, normalised, in attention, and PReLU; the mean of all is classified."""

    def calls(n: Any, x: Tensor) -> Tensor:
        patches = n.norm(n.patches(x).flatten(2).mT + n.position)
        attended, _ = n.attention(patches, patches, patches, need_weights=False)
        logits: Tensor = n.head(n.prelu(attended + patches).mean(1))
        return logits

    network = Written(
        calls, patches=nn.Conv2d(3, 12, 4, stride=4), norm=nn.LayerNorm(12), head=nn.Linear(12, classes),
        attention=nn.MultiheadAttention(12, 2, batch_first=True), prelu=nn.PReLU(),
    )  # fmt: skip
    network.position = nn.Parameter(0.1 * torch.randn(4, 12))
    return network


def embedded(classes: int) -> nn.Module:
    """The brightness of a pixel, in four steps, is looked up."""
    return Written(
        lambda n, x: n.head(n.table((x.flatten(1) > 0).long() + 2 * (x.flatten(1) > 1).long()).flatten(1)),
        table=nn.Embedding(4, 3), head=nn.Linear(PIXELS * 3, classes),
    )  # fmt: skip


RIGHT: dict[str, Callable[[int], nn.Module]] = {
    "tied weights": tied,
    "layer used twice": twice,
    "weight used by a function too": functional_linear,
    "weight used by a function alone": borrowed,
    "residual without biases": residual,
    "view of channels first": viewed,
    "hook": hooked,
    "free parameter": scaled,
    "attention and LayerNorm": tokens,
    "Embedding": embedded,
    "grouped convolution": lambda c: convolutional(nn.Conv2d(3, 12, 3, groups=3), 12, 6, c),
    "depthwise convolution": lambda c: nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 3, groups=16), nn.ReLU(), nn.Flatten(), nn.Linear(576, c)
    ),
    "dilation and stride": lambda c: convolutional(nn.Conv2d(3, 70, 3, stride=2, padding=2, dilation=2), 70, 4, c),
    "circular padding": lambda c: convolutional(nn.Conv2d(3, 12, 3, padding=1, padding_mode="circular"), 12, 8, c),
    "reflected padding": lambda c: convolutional(nn.Conv2d(3, 12, 3, padding=1, padding_mode="reflect"), 12, 8, c),
    "padding by name": lambda c: convolutional(nn.Conv2d(3, 12, 3, padding="same"), 12, 8, c),
    "Conv1d": lambda c: nn.Sequential(
        nn.Flatten(2), nn.Conv1d(3, 8, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(240, c)
    ),
    "Conv3d": lambda c: nn.Sequential(
        nn.Unflatten(1, (1, 3)), nn.Conv3d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, c)
    ),
    "ConvTranspose2d": lambda c: convolutional(nn.ConvTranspose2d(3, 6, 2, stride=2), 6, 16, c),
    "GroupNorm and InstanceNorm": lambda c: nn.Sequential(
        nn.Conv2d(3, 12, 3), nn.GroupNorm(3, 12), nn.InstanceNorm2d(12, affine=True, track_running_stats=True),
        nn.ReLU(), nn.Flatten(), nn.Linear(432, c),
    ),
    "Dropout": lambda c: nn.Sequential(
        nn.Flatten(), nn.Linear(PIXELS, 100), nn.ReLU(), nn.Dropout(0.2), nn.Linear(100, c)
    ),
}  # fmt: skip


class Counting(nn.Linear):
    """Answers otherwise at each call."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * self.calls


def with_buffer(buffer: Callable[[], Tensor], calls: Callable[[Any, Tensor], Any]) -> Callable[[int], nn.Module]:
    def build(classes: int) -> nn.Module:
        network = Written(calls, head=nn.Linear(PIXELS, classes))
        network.register_buffer("noted", buffer())
        return network

    return build


def counted(n: Any, x: Tensor) -> Tensor:
    n.noted += 1
    logits: Tensor = n.head(x.flatten(1))
    return logits


def shared_memory(classes: int) -> nn.Module:
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(PIXELS, PIXELS), nn.Linear(PIXELS, PIXELS), nn.Linear(PIXELS, classes)
    )
    network[2].weight = nn.Parameter(network[1].weight.data)
    return network


def partly_frozen(classes: int) -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 10), nn.Linear(10, classes))
    network[1].weight.requires_grad_(False)
    return network


def unused(classes: int) -> nn.Module:
    return Written(lambda n, x: n.head(x.flatten(1)), head=nn.Linear(PIXELS, classes), spare=nn.Linear(4, 4))


def with_outputs(outputs: Callable[[Tensor], Any]) -> Callable[[int], nn.Module]:
    return lambda classes: Written(lambda n, x: outputs(n.head(x.flatten(1))), head=nn.Linear(PIXELS, classes))


def weight_norm(classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(PIXELS, classes)))


def standardised(classes: int) -> nn.Module:
    return Written(
        lambda n, x: functional.linear(x.flatten(1), n.head.weight - n.head.weight.mean(1, keepdim=True)),
        head=nn.Linear(PIXELS, classes, bias=False),
    )


REFUSED: dict[str, tuple[Callable[[int], nn.Module], str]] = {
    "weight norm": (
        weight_norm,
        "layer 1 (ParametrizedLinear): its weight is computed from other tensors, as by weight norm; must be a "
        "parameter",
    ),
    "standardised weight": (
        standardised,
        "layer head (Linear): its weight enters sub.Tensor; must enter products only, as it is",
    ),
    "lazy layer": (
        lambda c: nn.Sequential(nn.Flatten(), nn.LazyLinear(c)),
        "layer 1 (LazyLinear): has no shape before it is run; must be given its sizes",
    ),
    "parameter without gradient": (
        unused,
        "parameter spare.weight (and 1 more): gets no gradient; the logits must depend on every parameter",
    ),
    "layer not to be trained": (
        partly_frozen,
        "parameter 1.weight: must be of real numbers and require a gradient, or be a buffer",
    ),
    "auxiliary outputs": (
        with_outputs(lambda y: (y, y)),
        "its output is a tuple: must be one tensor of logits [images, 5], in training too",
    ),
    "output of a dict": (
        with_outputs(lambda y: {"logits": y}),
        "its output is a dict: must be one tensor of logits [images, 5], in training too",
    ),
    "logits in four dimensions": (
        with_outputs(lambda y: y[..., None, None]),
        "its output for 2 images is float32 (2, 5, 1, 1): must be one tensor of logits [images, 5], in training too",
    ),
    "LSTM": (
        lambda c: Written(
            lambda n, x: n.head(n.rows(x.flatten(2))[0][:, -1]),
            rows=nn.LSTM(64, 8, batch_first=True), head=nn.Linear(8, c),
        ),
        "layer rows (LSTM): no rule for the initial values of its weight_ih_l0, which are random",
    ),
    "statistics of the batch alone": (
        lambda c: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(144, c)
        ),
        "layer 1 (BatchNorm2d): keeps no running statistics, so that logits depend on the batch; must track them",
    ),
    "images that see each other": (
        lambda c: Written(lambda n, x: n.head((x - x.mean(0)).flatten(1)), head=nn.Linear(PIXELS, c)),
        "in evaluation the logits of an image depend on the other images; must be its own",
    ),
    "noise in evaluation": (
        with_outputs(lambda y: y + torch.randn_like(y)),
        "draws random numbers in evaluation; must do so in training only",
    ),
    "counter in Python": (
        lambda c: nn.Sequential(nn.Flatten(), Counting(PIXELS, c)),
        "gives other logits for the same images, weights and seeds; must keep no state of its own",
    ),
    "random buffer": (
        with_buffer(lambda: torch.randn(3), lambda n, x: n.head(x.flatten(1)) + n.noted.sum()),
        "buffer noted: has other values at each construction; must be the same, or a parameter",
    ),
    "buffer that changes": (
        with_buffer(lambda: torch.zeros(3), counted),
        "noted: changes as the network is applied; only statistics of layers and counters may",
    ),
    "shared memory": (shared_memory, "2.weight shares memory with 1.weight: must be the same parameter, or a copy"),
    "transposed with groups": (
        lambda c: convolutional(nn.ConvTranspose2d(3, 6, 2, stride=2, groups=3), 6, 16, c),
        "layer 0 (ConvTranspose2d): transposed with groups; must have as many inputs as outputs, or the weight's shape "
        "tells no fan-in",
    ),
    "no weight": (
        lambda c: nn.Sequential(nn.Flatten(), nn.LayerNorm(PIXELS), nn.AdaptiveAvgPool1d(c)),
        "no Conv or Linear layer: there must be one at least, whose weights are trained or not",
    ),
}  # fmt: skip


def images(train: int = 160, test: int = 20) -> ImageData:
    """Noise of 3 × 8 × 8 pixels."""
    random = np.random.RandomState(0)
    pixels = torch.from_numpy(random.randint(0, 256, (train + test, *IMAGE), np.uint8))
    labels = torch.arange(train + test) % CLASSES
    return ImageData(
        name="odd", classes=CLASSES, train_images=pixels[:train], train_labels=labels[:train],
        test_images=pixels[train:], test_labels=labels[train:], mean=(0.5,) * 3, std=(0.29,) * 3,
    )  # fmt: skip
