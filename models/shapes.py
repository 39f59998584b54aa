"""The parameters of each family of networks: name -> shape, in the order in which the layers run. Imports no torch.

What the tables, the checks and the choice of a step need to know of a network without building it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

Shape = tuple[int, ...]
Shapes = dict[str, Shape]
Parameters = Iterator[tuple[str, Shape]]

# VGG: output channels of each convolution, with (channels, kernel size) where that is not 3; 0 = max pooling.
Plan = Sequence[int | tuple[int, int]]
VGG_11: Plan = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512)
VGG_16: Plan = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
VGG_19: Plan = (64, 64, 0, 128, 128, 0, *[256] * 4, 0, *[512] * 4, 0, *[512] * 4)
VGG_C: Plan = (64, 64, 0, 128, 128, 0, 256, 256, (256, 1), 0, 512, 512, (512, 1), 0, 512, 512, (512, 1))

# MobileNet: output channels and stride of each separable block.
MOBILENET = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip
MOBILENET_STEM = 32


def _layer(name: str, shape: Shape, bias: bool) -> Parameters:
    yield f"{name}.weight", shape
    if bias:
        yield f"{name}.bias", shape[:1]


def _norm(name: str, channels: int) -> Parameters:
    yield f"{name}.weight", (channels,)
    yield f"{name}.bias", (channels,)


def perceptron(sizes: Sequence[int], classes: int) -> Shapes:
    """fc1, fc2, … of these sizes, the last to the classes."""
    pairs = enumerate(pairwise([*sizes, classes]), 1)
    return {name: shape for i, (a, b) in pairs for name, shape in _layer(f"fc{i}", (b, a), True)}


def lenet_5(classes: int) -> Shapes:
    """LeNet-5 as in Caffe."""
    convolutions = [*_layer("conv1", (20, 1, 5, 5), True), *_layer("conv2", (50, 20, 5, 5), True)]
    return {**dict(convolutions), **perceptron((800, 500), classes)}


def vgg(plan: Plan, hidden: Sequence[int], bias: bool, classes: int) -> Shapes:
    """features.<i> as convolution, BatchNorm, ReLU or max pooling; classifier.<i> as Linear, BatchNorm, ReLU."""
    return {**dict(_features(plan, bias)), **dict(_classifier([_channels(plan), *hidden], classes))}


def _features(plan: Plan, bias: bool) -> Parameters:
    place, before = 0, 3
    for entry in plan:
        if entry:
            channels, kernel = entry if isinstance(entry, tuple) else (entry, 3)
            yield from _layer(f"features.{place}", (channels, before, kernel, kernel), bias)
            yield from _norm(f"features.{place + 1}", channels)
            before = channels
        place += 3 if entry else 1


def _channels(plan: Plan) -> int:
    """The output channels of the last convolution."""
    last = plan[-1]
    return last[0] if isinstance(last, tuple) else last


def _classifier(sizes: Sequence[int], classes: int) -> Parameters:
    for i, (a, b) in enumerate(pairwise(sizes)):
        yield from _layer(f"classifier.{3 * i}", (b, a), True)
        yield from _norm(f"classifier.{3 * i + 1}", b)
    yield from _layer(f"classifier.{3 * (len(sizes) - 1)}", (classes, sizes[-1]), True)


def resnet(widths: Sequence[int], blocks: Sequence[int], projection: bool, classes: int) -> Shapes:
    """conv1, bn1, layer<i>.<j> of two 3×3 convolutions, fc; `projection`: 1×1 convolution and BatchNorm as shortcut."""
    found = dict([*_layer("conv1", (widths[0], 3, 3, 3), False), *_norm("bn1", widths[0])])
    before = widths[0]
    for i, (width, count) in enumerate(zip(widths, blocks, strict=True), 1):
        for j in range(count):
            found |= dict(_basic_block(f"layer{i}.{j}", before, width, projection))
            before = width
    return found | dict(_layer("fc", (classes, before), True))


def _basic_block(name: str, before: int, width: int, projection: bool) -> Parameters:
    for i, channels in ((1, before), (2, width)):
        yield from _layer(f"{name}.conv{i}", (width, channels, 3, 3), False)
        yield from _norm(f"{name}.bn{i}", width)
    if before != width and projection:
        yield from _layer(f"{name}.downsample.0", (width, before, 1, 1), False)
        yield from _norm(f"{name}.downsample.1", width)


def wide_resnet(depth: int, factor: int, classes: int) -> Shapes:
    """conv1, layer<i>.<j> of BatchNorm before each of two 3×3 convolutions, bn, fc."""
    found, before = dict(_layer("conv1", (16, 3, 3, 3), False)), 16
    for i, width in enumerate((16 * factor, 32 * factor, 64 * factor), 1):
        for j in range((depth - 4) // 6):
            found |= dict(_wide_block(f"layer{i}.{j}", before, width))
            before = width
    return found | dict([*_norm("bn", before), *_layer("fc", (classes, before), True)])


def _wide_block(name: str, before: int, width: int) -> Parameters:
    for i, channels in ((1, before), (2, width)):
        yield from _norm(f"{name}.bn{i}", channels)
        yield from _layer(f"{name}.conv{i}", (width, channels, 3, 3), False)
    if before != width:
        yield from _layer(f"{name}.shortcut", (width, before, 1, 1), False)


def mobilenet(classes: int) -> Shapes:
    """conv1, bn1, blocks.<i> of a depthwise 3×3 and a pointwise convolution, fc."""
    found = dict([*_layer("conv1", (MOBILENET_STEM, 3, 3, 3), False), *_norm("bn1", MOBILENET_STEM)])
    before = MOBILENET_STEM
    for i, (width, _) in enumerate(MOBILENET):
        found |= dict(_separable(f"blocks.{i}", before, width))
        before = width
    return found | dict(_layer("fc", (classes, before), True))


def _separable(name: str, before: int, width: int) -> Parameters:
    yield from _layer(f"{name}.depthwise", (before, 1, 3, 3), False)
    yield from _norm(f"{name}.bn1", before)
    yield from _layer(f"{name}.pointwise", (width, before, 1, 1), False)
    yield from _norm(f"{name}.bn2", width)
