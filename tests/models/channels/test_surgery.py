"""The network with smaller tensors is the network with closed channels."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from bench.channels.counts import counts
from bench.channels.groups import Channels
from bench.channels.selection import first_open
from bench.methods.maskable import maskable
from bench.models import MODELS, build
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import close, embed, open_entries, read_channels, shrunk
from bench.models.structure.weight_use import uses_of

CASES = [*((name, False) for name in MODELS), *((n, True) for n in ("resnet20-proj", "resnet18", "wrn-16-8"))]


def random_half(channels: Channels) -> dict[str, list[bool]]:
    generator = torch.Generator().manual_seed(1)
    flags = {}
    for name, size in channels.widths.items():
        order = torch.randperm(size, generator=generator)
        flags[name] = (order < (size + 1) // 2).tolist()
    return flags


@cache
def network(name: str) -> nn.Module:
    """In float64, with biases, scales, shifts and statistics that are no defaults."""
    torch.manual_seed(0)
    model = build(name, 10).double()
    with torch.no_grad():
        for tensor in (t for t in (*model.parameters(), *model.buffers()) if t.ndim == 1):
            tensor.add_(torch.rand_like(tensor) / 2)
    return model


@pytest.mark.parametrize(("name", "stream"), CASES)
def test_shrunk_is_masked(name: str, stream: bool) -> None:
    shape = MODELS[name].image_shape
    channels = channels_of(network(name), shape, stream=stream)
    flags = random_half(channels)
    small = shrunk(network(name), channels, flags)
    masked = build(name, 10).double()
    masked.load_state_dict(network(name).state_dict())
    close(masked, channels, flags)
    planned = counts(channels, {group: sum(open_) for group, open_ in flags.items()})
    assert sum(p.numel() for p in small.parameters()) == planned.parameters
    assert sum(use.macs for use in uses_of(small, shape).values()) == planned.macs
    assert read_channels(maskable(masked), channels) == flags
    torch.manual_seed(2)
    x = torch.randn(2, *shape, dtype=torch.float64)
    for training in (True, False):
        with torch.no_grad():
            expected, logits = masked.train(training)(x), small.train(training)(x)
        assert float((expected - logits).abs().max()) <= 1e-10 * float(expected.abs().max())
        assert torch.equal(expected.argmax(1), logits.argmax(1))


def test_the_network_itself_is_not_changed_and_the_small_one_knows_its_sizes() -> None:
    model = network("mobilenet-v1")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    channels = channels_of(model, (3, 32, 32))
    small = shrunk(model, channels, first_open(channels, dict.fromkeys(channels.groups, 3)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    depthwise = small.get_submodule("blocks.1.depthwise")
    assert (depthwise.in_channels, depthwise.out_channels, depthwise.groups) == (3, 3, 3)
    assert small.fc.in_features == 3 and small.get_submodule("blocks.1.bn1").num_features == 3


def test_embed_is_the_way_back() -> None:
    model = build("resnet20", 10)
    channels = channels_of(model, (3, 32, 32))
    flags = random_half(channels)
    target = build("resnet20", 10)
    close(target, channels, flags)
    embed(target, shrunk(model, channels, flags), channels, flags)
    close(model, channels, flags)
    assert all(torch.equal(t, model.state_dict()[n]) for n, t in target.state_dict().items())


def test_entries_of_a_flattened_layer_by_hand() -> None:
    """A channel of conv2 is 16 inputs of fc1."""
    model = build("lenet-5-caffe", 10)
    channels = channels_of(model, (1, 28, 28))
    flags = {"conv2": [False, *[True] * 49]}
    entries = open_entries(model, channels, flags)
    assert list(entries) == ["conv2.weight", "conv2.bias", "fc1.weight"]
    assert entries["conv2.bias"].tolist() == flags["conv2"]
    assert not entries["fc1.weight"][:, :16].any() and bool(entries["fc1.weight"][:, 16:].all())
    assert not entries["conv2.weight"][0].any() and bool(entries["conv2.weight"][1:].all())


@pytest.mark.parametrize("flags", [[True] * 19, [False] * 20])
def test_flags_that_do_not_fit_are_refused(flags: list[bool]) -> None:
    model = build("lenet-5-caffe", 10)
    with pytest.raises(ValueError, match=r"^flags of group conv1: .*must be one for each of its 20 channels"):
        shrunk(model, channels_of(model, (1, 28, 28)), {"conv1": flags})
