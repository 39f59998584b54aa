"""The small dense network: widths counted by hand, and the largest of its rule on every network."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import comb

import numpy as np
import pytest

from bench import models
from bench.channels.budgets import scaled
from bench.channels.counts import counts
from bench.channels.groups import Channels
from bench.channels.selection import widths_of
from bench.methods import METHODS, SmallDense
from bench.methods.budgets.small_dense import mask_bytes
from bench.methods.counts import live_count
from bench.models import MODELS
from bench.models.channels.finding import channels_of

RATES = ("0.3", "0.5", "0.9", "0.95")  # that every network here can be made small enough for
NETWORKS = ("lenet-300-100", "lenet-5-caffe", "conv-bn", "resnet20", "resnet20-proj", "mobilenet-v1", "vgg11-bn")


@cache
def channels(model: str) -> Channels:
    row = MODELS[model]
    assert row.image_shape is not None
    return channels_of(models.build(model, 10), row.image_shape, stream=True)


def widths(model: str, rate: str, equal: str = "parameters") -> dict[str, int]:
    opened = SmallDense(equal=equal).open_channels(channels(model), Fraction(rate), np.random.RandomState(0))
    return dict(widths_of(opened))


def test_lenet_300_100_by_hand() -> None:
    """a and b hidden units of 300 and 100: 784a + a + ab + b + 10b + 10 parameters; k + 410 are stored."""

    def parameters(a: int, b: int) -> int:
        return 784 * a + a + a * b + b + 10 * b + 10

    assert SmallDense().budget(channels("lenet-300-100"), Fraction("0.99")).parameters == 2_662 + 410
    assert parameters(3, 1) == 2_379 and parameters(4, 1) == 3_165  # 4/300 of 100 is 1
    assert widths("lenet-300-100", "0.99") == {"fc1": 3, "fc2": 1}
    assert SmallDense().budget(channels("lenet-300-100"), Fraction("0.9")).parameters == 26_620 + 410
    assert parameters(33, 11) == 26_399 and parameters(34, 11) == 27_195
    assert widths("lenet-300-100", "0.9") == {"fc1": 33, "fc2": 11}


def test_lenet_5_caffe_by_hand() -> None:
    """At 0.99: 4,305 live weights and 580 biases. A channel of `conv2` is 16 inputs of `fc1`."""

    def parameters(a: int, b: int, c: int) -> int:
        return 25 * a + a + 25 * a * b + b + 16 * b * c + c + 10 * c + 10

    assert SmallDense().budget(channels("lenet-5-caffe"), Fraction("0.99")).parameters == 4_305 + 580
    assert parameters(2, 5, 50) == 4_867 and parameters(2, 5, 51) == 4_958
    assert widths("lenet-5-caffe", "0.99") == {"conv1": 2, "conv2": 5, "fc1": 50}


def test_conv_bn_by_hand() -> None:
    """Convolutions without bias, a BatchNorm of two numbers a channel behind each: 352 of these, and 10 biases."""
    sizes = (1, 3, 7, 7)
    parameters = sum(9 * i * o + 2 * o for i, o in zip((1, *sizes), sizes, strict=False)) + 7 * 10 + 10
    assert SmallDense().budget(channels("conv-bn"), Fraction("0.99")).parameters == 607 + 352 + 10
    assert parameters == 782 and tuple(widths("conv-bn", "0.99").values()) == sizes


def test_resnet20_keeps_its_stream() -> None:
    """Padding moves the channels of the stream, so inner widths alone are scaled; with projections all are."""
    found = widths("resnet20", "0.9")
    assert list(found) == [f"layer{stage}.{block}.conv1" for stage in (1, 2, 3) for block in (0, 1, 2)]
    assert list(found.values()) == [1, 1, 1, 3, 3, 3, 6, 6, 6]
    # The stem; two convolutions and two BatchNorms of each block; the classifier.
    stem, head = 27 * 16 + 2 * 16, 64 * 10 + 10
    blocks = [(16, 16, 1)] * 3 + [(16, 32, 3), (32, 32, 3), (32, 32, 3), (32, 64, 6), (64, 64, 6), (64, 64, 6)]
    parameters = stem + head + sum(9 * i * w + 2 * w + 9 * w * o + 2 * o for i, o, w in blocks)
    assert parameters == counts(channels("resnet20"), found).parameters == 26_470
    assert "conv1" in widths("resnet20-proj", "0.9")


@pytest.mark.parametrize("equal", ["parameters", "bytes"])
@pytest.mark.parametrize("model", NETWORKS)
def test_the_largest_share_of_all_widths_within_what_the_rate_stores(model: str, equal: str) -> None:
    whole = channels(model)
    assert whole.maskable == MODELS[model].maskable(10) == whole.inner().maskable
    shares = sorted({Fraction(n, size) for size in set(whole.widths.values()) for n in range(1, size + 1)})
    for rate in RATES:
        budget, found = SmallDense(equal=equal).budget(whole, Fraction(rate)), widths(model, rate, equal)
        stored = live_count(Fraction(rate), whole.maskable) + MODELS[model].parameters(10) - whole.maskable
        if equal == "parameters":
            assert budget.parameters == stored
        assert counts(whole, found).parameters <= budget.parameters
        assert all(1 <= width <= whole.widths[name] for name, width in found.items())
        index = next(i for i, share in reversed([*enumerate(shares)]) if scaled(whole, share) == found)
        assert counts(whole, scaled(whole, shares[index + 1])).parameters > budget.parameters


def test_the_bytes_by_hand() -> None:
    """4 · 3,072 + 2,689 of the mask, less 50 for the bits of 400 channels: 14,927 bytes are 3,731 numbers."""
    assert mask_bytes(266_200, 2_662) == 2_689
    assert SmallDense(equal="bytes").budget(channels("lenet-300-100"), Fraction("0.99")).parameters == 3_731
    assert widths("lenet-300-100", "0.99", "bytes") == {"fc1": 4, "fc2": 1}


@pytest.mark.parametrize(("weights", "live"), [(1, 0), (1, 1), (64, 1), (1000, 500), (4096, 41), (20_000, 19_999)])
def test_the_entropy_of_a_mask_is_never_less_than_the_bits_that_tell_masks_apart(weights: int, live: int) -> None:
    """log2 of the number of masks is at most N·H(k/N), and more than that less log2(N + 1)."""
    bits = (comb(weights, live) - 1).bit_length()  # ⌈log2⌉
    assert bits <= 8 * mask_bytes(weights, live) < bits + weights.bit_length() + 9


def test_a_rate_that_no_width_fits_is_refused_by_the_largest_that_one_does() -> None:
    with pytest.raises(ValueError) as refused:
        widths("lenet-300-100", "0.999")
    assert str(refused.value) == (
        "a budget of 676 parameters: must be at least 807 of the network's 266,610, its floor with 1 channel in each "
        "of its 2 groups; must be at a rate of at most 0.9985"
    )
    assert widths("lenet-300-100", "0.9985") == {"fc1": 1, "fc2": 1}  # 399 + 410 parameters
    with pytest.raises(ValueError, match=r"of at most 0\.9985$"):
        widths("lenet-300-100", "0.9986")


def test_fields() -> None:
    with pytest.raises(ValueError, match="equal 'size': must be one of parameters, bytes"):
        SmallDense(equal="size")
    assert METHODS["small-dense"].record() == {
        "criterion": "small-dense", "scope": "global", "background": "prune", "macs": 1.0, "stream": True, "least": 1,
        "equal": "parameters", "select": "one-shot", "closes_channels": True,
    }  # fmt: skip
