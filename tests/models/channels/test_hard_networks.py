"""What of odd networks are groups, and what is fixed and why; each is cut and compared."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import closing_networks
import pytest
from closing_networks import SHAPE
from numpy.random import RandomState
from torch import nn

from bench.channels.counts import counts
from bench.methods import METHODS
from bench.models.channels.finding import channels_of
from bench.models.channels.proof import check_shrinking
from bench.models.channels.sets import ChannelSet
from bench.models.channels.surgery import shrunk


def network(name: str) -> nn.Module:
    built: nn.Module = getattr(closing_networks, name)()
    return built


@pytest.mark.parametrize(
    ("name", "inner", "streams"),
    [
        ("mobile", ["wide", "squeeze", "last"], ["stem"]),
        ("projected", ["one", "back", "last"], ["stem", "two"]),
        ("fire", ["stem", "squeeze", "last"], []),
        ("without_scale", ["stem", "one", "last"], []),
    ],
)
def test_a_stream_is_what_is_added_up(name: str, inner: list[str], streams: list[str]) -> None:
    """Neither squeeze and excitation, which multiplies, nor what several layers read is a residual stream; what the two
    parts of a sum begin with is one.
    """
    model = network(name)
    channels = channels_of(model, SHAPE, stream=True)
    assert {n for n, group in channels.groups.items() if group.stream} == set(streams)
    assert list(channels.inner().groups) == inner and set(channels.groups) == {*inner, *streams}
    for of_some in (channels, channels.inner()):
        assert counts(of_some, of_some.widths).parameters == sum(p.numel() for p in model.parameters())
        check_shrinking(model, of_some, SHAPE)


def test_what_squeezes_and_excites_is_written_by_all_three() -> None:
    group = channels_of(network("mobile"), SHAPE).groups["wide"]
    assert group.writers == ("wide", "deep", "excite") and group.readers == ("squeeze", "out")


@pytest.mark.parametrize(
    ("name", "fixed"),
    [
        ("shared_norm", {"stem": "has BatchNorm norm, which other", "other": "has BatchNorm norm, which stem"}),
        ("tied", {"stem": "one.weight is two.weight too", "one": "one.weight is two.weight too"}),
        ("tied_bias", {"one": "one.bias is spare.bias too", "stem": "one.bias is spare.bias too"}),
        ("sliced", {"wide": "its weight enters convolution otherwise than as it is", "stem": "enters convolution"}),
        ("turned", {"wide": "its weight enters convolution otherwise than as it is", "stem": "enters convolution"}),
        ("used_beside", {"one": "its weight enters pow otherwise than as it is", "stem": "one: its weight enters pow"}),
        ("divided", dict.fromkeys(("one", "two"), "is a divisor, which a closed channel would make 0")),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_fixed_and_the_rest_is_proved(name: str, fixed: dict[str, str]) -> None:
    model = network(name)
    channels = channels_of(model, SHAPE)
    assert "last" in channels.groups and not set(fixed) & set(channels.groups)
    for layer, reason in fixed.items():
        assert channels.fixed[layer].startswith(reason)
    check_shrinking(model, channels, SHAPE)


def test_a_tied_weight_stays_tied() -> None:
    """In the copy without values too: its parameters are counted once."""
    model = network("tied")
    channels = channels_of(model, SHAPE)
    small = shrunk(model, channels, {"last": [True, False] * 3})
    assert small.get_parameter("one.weight") is small.get_submodule("two").weight
    assert counts(channels, {"last": 3}).parameters == sum(p.numel() for p in small.parameters())
    assert counts(channels, channels.widths).parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sized", r"the network cannot be applied with fewer channels: RuntimeError: shape '\[-1, 12, 7, 7\]' is "),
        ("counting", r"shrunk, its logits differ by \d\.\de[+-]\d\d of the largest: must be at most 1e-10$"),
    ],
)  # fmt: skip
def test_code_that_counts_channels_is_refused_before_training(name: str, reason: str) -> None:
    """Nothing shows it in one pass: only the network with fewer channels does, and the layer is the one to blame."""
    model = network(name)
    channels = channels_of(model, SHAPE)
    assert set(channels.groups) == {"stem", "one", "last"}
    with pytest.raises(ValueError, match=rf"^layer one \(Conv2d\): {reason}") as refused:
        check_shrinking(model, channels, SHAPE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"writers": ("two",)},  # without the projection
        {"writers": ("one", "cut")},
        {"norms": ("norm_two",)},
        {"readers": ("head",)},
        {"norm_parameters": 5},
        {"norms": ("norm_two", "norm_cut", "norm_one")},  # one of others' channels
    ],
)
def test_groups_that_are_wrong_are_noticed(wrong: dict[str, Any]) -> None:
    model = network("projected")
    channels = channels_of(model, SHAPE, stream=True)
    check_shrinking(model, channels, SHAPE)
    groups = {name: replace(g, **wrong) if name == "two" else g for name, g in channels.groups.items()}
    with pytest.raises(ValueError, match=r"^layer .*: (shrunk|the network cannot|its channels cannot)"):
        check_shrinking(model, replace(channels, groups=groups), SHAPE)


def test_the_check_leaves_the_network_as_it_is() -> None:
    model = network("projected").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    check_shrinking(model, channels_of(model, SHAPE), SHAPE)
    assert model.training and all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


def test_a_batch_norm_without_scale_is_cut_but_ranks_nothing() -> None:
    model = network("without_scale")
    channels = channels_of(model, SHAPE)
    assert (channels.groups["one"].norms, channels.groups["one"].plain_norms) == ((), ("plain",))
    small = shrunk(model, channels, {"one": [False] * 3 + [True] * 5})
    assert small.get_submodule("plain").num_features == len(small.get_buffer("plain.running_mean")) == 5
    with pytest.raises(ValueError, match=r"^layer one: must have a BatchNorm behind it, by whose scale"):
        METHODS["budget-gate"].open_channels(channels, Fraction(0), RandomState(0))


def test_a_long_chain_of_joined_sets_has_one_root() -> None:
    sets = [ChannelSet(1, writers=[str(i)]) for i in range(5000)]
    for one, two in zip(sets[1:], sets[:-1], strict=True):
        one.join(two)
    assert {id(channels.root) for channels in sets} == {id(sets[-1])}
    assert len(sets[-1].writers) == 5000 and all(channels.joined is sets[-1] for channels in sets[:-1])


# Network, side of its images, groups without and with those of residual streams, parameters of both with one channel in
# each, in thousands.
OF_TORCHVISION = [
    ("efficientnet_b0", 32, 35, 40, 6_361, 529),
    ("squeezenet1_1", 32, 9, 9, 22_575, 22_575),
    ("mobilenet_v3_small", 32, 23, 27, 2_570, 402),
    ("shufflenet_v2_x0_5", 32, 18, 18, 17_359, 17_359),
    ("densenet121", 32, 58, 58, 824_926, 824_926),
    ("googlenet", 32, 21, 21, 1_481_459, 1_481_459),
    ("regnet_y_400mf", 32, 16, 21, 3_252_290, 344_197),
    ("mnasnet0_5", 32, 20, 25, 3_318, 498),
    ("mobilenet_v2", 32, 20, 25, 4_950, 338),
    ("resnet50", 32, 32, 37, 2_865_242, 453),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side", "inner", "streams", "floor", "floor_of_streams"), OF_TORCHVISION)
def test_networks_of_torchvision(
    name: str, side: int, inner: int, streams: int, floor: int, floor_of_streams: int
) -> None:
    models = pytest.importorskip("torchvision.models")
    from bench.channels.budgets import floor_of

    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    model, shape = getattr(models, name)(num_classes=10, **extra), (3, side, side)
    channels = channels_of(model, shape, stream=True)
    for of_some, groups, lowest in ((channels.inner(), inner, floor), (channels, streams, floor_of_streams)):
        assert (len(of_some.groups), floor_of(of_some).parameters) == (groups, lowest)
        assert counts(of_some, of_some.widths).parameters == sum(p.numel() for p in model.parameters())
        check_shrinking(model, of_some, shape)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "resnext50_32x4d",
            "layer conv1 (Conv2d): writes a residual stream",
        ),
        ("convnext_tiny", "layer features.0.0 (Conv2d): enters permute"),
    ],
)
@pytest.mark.slow
def test_networks_of_torchvision_that_are_refused(name: str, reason: str) -> None:
    models = pytest.importorskip("torchvision.models")
    with pytest.raises(ValueError) as refused:
        channels_of(getattr(models, name)(num_classes=10), (3, 32, 32))
    assert str(refused.value).startswith(f"{reason}; no channels of this network can be closed")
