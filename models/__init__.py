"""The models: plain networks that know nothing of masks. MODELS is the page to read first.

A row is a name, a lazy reference and the metadata that checks need. Imports no torch. To add a network: its function in
a file of this folder, and its row; then `python -m bench.models` writes the file of shapes anew.

lenet         LeNet-300-100 and LeNet-5-Caffe
conv_bn       a small network with BatchNorm
vgg           VGG networks for 32 × 32 images
resnet        residual networks for small images
wide_resnet   wide residual networks
mobilenet     MobileNet v1
factory       calling what builds a network
row           ModelRow: what is known of a network before it is built
shapes        the shape of every parameter: from `shapes.json`, else from the network itself
__main__      `python -m bench.models`: write `shapes.json` anew
libraries     networks of torchvision and timm, by their names there
channels      the channels that can be closed: found, and cut out
structure     what is found of a network from outside: right, or refused
initialisers  a random stream and a shape to initial values
initialise    a network's initial weights, and the checksum that pins them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.messages import nearest
from bench.models.initialisers import INITIALISERS, Initialiser
from bench.models.row import ModelRow

if TYPE_CHECKING:
    from torch import nn

__all__ = ["INITIALISERS", "MODELS", "Initialiser", "ModelRow", "build"]


SMALL, COLOUR = (1, 28, 28), (3, 32, 32)  # image shapes

MODELS: dict[str, ModelRow] = {
    "lenet-300-100": ModelRow(
        build="bench.models.lenet:lenet_300_100",
        image_shape=SMALL,
        note="784-300-100, ReLU",
    ),
    "lenet-5-caffe": ModelRow(
        build="bench.models.lenet:lenet_5_caffe",
        image_shape=SMALL,
        note="no ReLU after the convolutions, as in SNIP's released code",
    ),
    "lenet-5-caffe-relu": ModelRow(
        build="bench.models.lenet:lenet_5_caffe_relu",
        image_shape=SMALL,
        note="lenet-5-caffe with a ReLU after each convolution",
    ),
    "conv-bn": ModelRow(
        build="bench.models.conv_bn:conv_bn",
        image_shape=SMALL,
        note="four convolutions with BatchNorm, 16-32-64-64 channels, one Linear layer",
    ),
    "vgg16-d": ModelRow(
        build="bench.models.vgg:vgg16_d",
        image_shape=COLOUR,
        note="SNIP's VGG-D: 13 convolutions, two hidden layers, BatchNorm",
    ),
    "vgg-c": ModelRow(
        build="bench.models.vgg:vgg_c",
        image_shape=COLOUR,
        note="SNIP's VGG-C: the last convolution of the last three blocks is 1x1",
    ),
    "vgg-like": ModelRow(
        build="bench.models.vgg:vgg_like",
        image_shape=COLOUR,
        note="SNIP's VGG-like: one hidden layer",
    ),
    "vgg16-bn": ModelRow(
        build="bench.models.vgg:vgg16_bn",
        image_shape=COLOUR,
        larger=True,
        note="open_lth's and SynFlow's VGG-16: one Linear layer",
    ),
    "vgg11-bn": ModelRow(
        build="bench.models.vgg:vgg11_bn",
        image_shape=COLOUR,
        larger=True,
        note="open_lth's and SynFlow's VGG-11",
    ),
    "vgg19-bn": ModelRow(
        build="bench.models.vgg:vgg19_bn",
        image_shape=COLOUR,
        larger=True,
        note="GraSP's VGG-19: convolutions without bias",
    ),
    "resnet20": ModelRow(
        build="bench.models.resnet:resnet20",
        image_shape=COLOUR,
        larger=True,
        note="He et al. 2016 for CIFAR, shortcuts without parameters (option A)",
    ),
    "resnet32": ModelRow(
        build="bench.models.resnet:resnet32",
        image_shape=COLOUR,
        larger=True,
        note="He et al. 2016 for CIFAR, shortcuts without parameters (option A)",
    ),
    "resnet56": ModelRow(
        build="bench.models.resnet:resnet56",
        image_shape=COLOUR,
        larger=True,
        note="He et al. 2016 for CIFAR, shortcuts without parameters (option A)",
    ),
    "resnet110": ModelRow(
        build="bench.models.resnet:resnet110",
        image_shape=COLOUR,
        larger=True,
        note="He et al. 2016 for CIFAR, shortcuts without parameters (option A)",
    ),
    "resnet20-proj": ModelRow(
        build="bench.models.resnet:resnet20_projection",
        image_shape=COLOUR,
        larger=True,
        note="resnet20 with projections, as in open_lth",
    ),
    "resnet32-proj": ModelRow(
        build="bench.models.resnet:resnet32_projection",
        image_shape=COLOUR,
        larger=True,
        note="resnet32 with projections",
    ),
    "resnet32-x2": ModelRow(
        build="bench.models.resnet:resnet32_x2",
        image_shape=COLOUR,
        larger=True,
        note="GraSP's ResNet32: twice the width, projections",
    ),
    "resnet18": ModelRow(
        build="bench.models.resnet:resnet18",
        image_shape=COLOUR,
        larger=True,
        note="3x3 stem for small images",
    ),
    "resnet34": ModelRow(
        build="bench.models.resnet:resnet34",
        image_shape=COLOUR,
        larger=True,
        note="3x3 stem for small images",
    ),
    "wrn-16-8": ModelRow(
        build="bench.models.wide_resnet:wrn_16_8",
        image_shape=COLOUR,
        larger=True,
        note="Zagoruyko and Komodakis 2016",
    ),
    "wrn-22-8": ModelRow(
        build="bench.models.wide_resnet:wrn_22_8",
        image_shape=COLOUR,
        larger=True,
        note="Zagoruyko and Komodakis 2016",
    ),
    "mobilenet-v1": ModelRow(
        build="bench.models.mobilenet:mobilenet_v1",
        image_shape=COLOUR,
        larger=True,
        note="Howard et al. 2017, stem of stride 1",
    ),
}


def build(name: str, classes: int, image_shape: tuple[int, ...] | None = None) -> nn.Module:
    """A new network of MODELS for that number of classes, on the CPU, in float32; torch's random state stays as it was.

    Its weights are torch's own random defaults: `bench.models.initialise.initialise` gives the reproducible ones.

    Args:   image_shape: (C, H, W) of the data set; by default the row's.

    Raises: ValueError if `name` is unknown, or the network is from outside and refused (`bench.models.structure`).
    """
    if name not in MODELS:
        raise ValueError(nearest("model", name, list(MODELS)))
    import torch

    row = MODELS[name]
    with torch.random.fork_rng(devices=[]):
        network = row.network(classes, image_shape)
    if not row.is_known:
        from bench.models.initialise import RANDOM

        setattr(network, RANDOM, row.structure(classes, image_shape).random)
    return network


if __name__ != "bench.models":  # found as a folder of the checkout
    raise ModuleNotFoundError("No module named 'models': import bench.models now", name="models")
