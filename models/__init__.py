"""The models: plain networks that know nothing of masks. MODELS is the page to read first.

A row is a name, a lazy reference and the metadata that checks need. Imports no torch.

lenet         LeNet-300-100 and LeNet-5-Caffe
vgg           VGG networks for 32 × 32 images
resnet        residual networks for small images
wide_resnet   wide residual networks
mobilenet     MobileNet v1
shapes        the shape of every parameter, without building the network
initialisers  a random stream and a shape to initial values
initialise    a network's initial weights, and the checksum that pins them
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from bench.models.initialisers import INITIALISERS, Initialiser
from bench.models.shapes import (
    VGG_11,
    VGG_16,
    VGG_19,
    VGG_C,
    Shapes,
    lenet_5,
    mobilenet,
    perceptron,
    resnet,
    vgg,
    wide_resnet,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["INITIALISERS", "MODELS", "Initialiser", "ModelRow", "build"]


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One network, for any number of classes."""

    build: str  # "module:function", called with the number of classes
    shapes: Callable[[int], Shapes]  # number of classes -> shape of every parameter by name, in the order they run
    image_shape: tuple[int, int, int]  # (C, H, W)
    larger: bool = False  # takes larger images as well
    note: str  # one line for the listing

    def layers(self, classes: int) -> Shapes:
        """The weights of Conv and Linear layers."""
        return {name: shape for name, shape in self.shapes(classes).items() if len(shape) > 1}

    def maskable(self, classes: int) -> int:
        """The number of weights of Conv and Linear layers."""
        return sum(map(prod, self.layers(classes).values()))

    def parameters(self, classes: int) -> int:
        """The number of all parameters."""
        return sum(map(prod, self.shapes(classes).values()))

    def takes(self, image_shape: tuple[int, ...]) -> bool:
        """Whether the network can be applied to images of that shape."""
        if not self.larger:
            return image_shape == self.image_shape
        (channels, *own), (given, *sides) = self.image_shape, image_shape
        return channels == given and all(side >= least for side, least in zip(sides, own, strict=True))


SMALL, COLOUR = (1, 28, 28), (3, 32, 32)
WIDE, CIFAR = (64, 128, 256, 512), (16, 32, 64)

MODELS: dict[str, ModelRow] = {
    "lenet-300-100": ModelRow(
        build="bench.models.lenet:lenet_300_100",
        shapes=partial(perceptron, (784, 300, 100)),
        image_shape=SMALL,
        note="784-300-100, ReLU",
    ),
    "lenet-5-caffe": ModelRow(
        build="bench.models.lenet:lenet_5_caffe",
        shapes=lenet_5,
        image_shape=SMALL,
        note="no ReLU after the convolutions, as in SNIP's released code",
    ),
    "lenet-5-caffe-relu": ModelRow(
        build="bench.models.lenet:lenet_5_caffe_relu",
        shapes=lenet_5,
        image_shape=SMALL,
        note="lenet-5-caffe with a ReLU after each convolution",
    ),
    "vgg16-d": ModelRow(
        build="bench.models.vgg:vgg16_d",
        shapes=partial(vgg, VGG_16, (512, 512), True),
        image_shape=COLOUR,
        note="SNIP's VGG-D: 13 convolutions, two hidden layers, BatchNorm",
    ),
    "vgg-c": ModelRow(
        build="bench.models.vgg:vgg_c",
        shapes=partial(vgg, VGG_C, (512, 512), True),
        image_shape=COLOUR,
        note="SNIP's VGG-C: the last convolution of the last three blocks is 1x1",
    ),
    "vgg-like": ModelRow(
        build="bench.models.vgg:vgg_like",
        shapes=partial(vgg, VGG_16, (512,), True),
        image_shape=COLOUR,
        note="SNIP's VGG-like: one hidden layer",
    ),
    "vgg16-bn": ModelRow(
        build="bench.models.vgg:vgg16_bn",
        shapes=partial(vgg, VGG_16, (), True),
        image_shape=COLOUR,
        larger=True,
        note="open_lth's and SynFlow's VGG-16: one Linear layer",
    ),
    "vgg11-bn": ModelRow(
        build="bench.models.vgg:vgg11_bn",
        shapes=partial(vgg, VGG_11, (), True),
        image_shape=COLOUR,
        larger=True,
        note="open_lth's and SynFlow's VGG-11",
    ),
    "vgg19-bn": ModelRow(
        build="bench.models.vgg:vgg19_bn",
        shapes=partial(vgg, VGG_19, (), False),
        image_shape=COLOUR,
        larger=True,
        note="GraSP's VGG-19: convolutions without bias",
    ),
    "resnet20": ModelRow(
        build="bench.models.resnet:resnet20",
        shapes=partial(resnet, CIFAR, (3, 3, 3), False),
        image_shape=COLOUR,
        larger=True,
        note="He et al. 2016 for CIFAR, shortcuts without parameters (option A)",
    ),
    "resnet32": ModelRow(
        build="bench.models.resnet:resnet32",
        shapes=partial(resnet, CIFAR, (5, 5, 5), False),
        image_shape=COLOUR,
        larger=True,
        note="He et al. 2016 for CIFAR, shortcuts without parameters (option A)",
    ),
    "resnet20-proj": ModelRow(
        build="bench.models.resnet:resnet20_projection",
        shapes=partial(resnet, CIFAR, (3, 3, 3), True),
        image_shape=COLOUR,
        larger=True,
        note="resnet20 with projections, as in open_lth",
    ),
    "resnet32-proj": ModelRow(
        build="bench.models.resnet:resnet32_projection",
        shapes=partial(resnet, CIFAR, (5, 5, 5), True),
        image_shape=COLOUR,
        larger=True,
        note="resnet32 with projections",
    ),
    "resnet32-x2": ModelRow(
        build="bench.models.resnet:resnet32_x2",
        shapes=partial(resnet, (32, 64, 128), (5, 5, 5), True),
        image_shape=COLOUR,
        larger=True,
        note="GraSP's ResNet32: twice the width, projections",
    ),
    "resnet18": ModelRow(
        build="bench.models.resnet:resnet18",
        shapes=partial(resnet, WIDE, (2, 2, 2, 2), True),
        image_shape=COLOUR,
        larger=True,
        note="3x3 stem for small images",
    ),
    "resnet34": ModelRow(
        build="bench.models.resnet:resnet34",
        shapes=partial(resnet, WIDE, (3, 4, 6, 3), True),
        image_shape=COLOUR,
        larger=True,
        note="3x3 stem for small images",
    ),
    "wrn-16-8": ModelRow(
        build="bench.models.wide_resnet:wrn_16_8",
        shapes=partial(wide_resnet, 16, 8),
        image_shape=COLOUR,
        larger=True,
        note="Zagoruyko and Komodakis 2016",
    ),
    "wrn-22-8": ModelRow(
        build="bench.models.wide_resnet:wrn_22_8",
        shapes=partial(wide_resnet, 22, 8),
        image_shape=COLOUR,
        larger=True,
        note="Zagoruyko and Komodakis 2016",
    ),
    "mobilenet-v1": ModelRow(
        build="bench.models.mobilenet:mobilenet_v1",
        shapes=mobilenet,
        image_shape=COLOUR,
        larger=True,
        note="Howard et al. 2017, stem of stride 1",
    ),
}


def build(name: str, classes: int) -> nn.Module:
    """A new network of MODELS for that number of classes, on the CPU, in float32; torch's random state stays as it was.

    Its weights are torch's own random defaults: `bench.models.initialise.initialise` gives the reproducible ones.

    Raises: ValueError if `name` is unknown.
    """
    row = MODELS.get(name)
    if row is None:
        near = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"model {name!r}: allowed is {', '.join(MODELS)}{hint}")
    module, _, function = row.build.partition(":")
    factory = getattr(importlib.import_module(module), function)
    import torch

    with torch.random.fork_rng(devices=[]):
        model: nn.Module = factory(classes)
    return model


if __name__ != "bench.models":  # found as a folder of the checkout
    raise ModuleNotFoundError("No module named 'models': import bench.models now", name="models")
