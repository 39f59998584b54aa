"""The groups of networks, found; and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.channels.counts import counts
from bench.channels.groups import Group
from bench.channels.selection import first_open
from bench.models import MODELS, build
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import close, shrunk

SHAPE = (3, 16, 16)


def test_lenet_by_hand() -> None:
    groups = channels_of(build("lenet-5-caffe", 10), (1, 28, 28)).groups
    assert groups == {
        "conv1": Group(size=20, writers=("conv1",), norms=(), readers=("conv2",)),
        "conv2": Group(size=50, writers=("conv2",), norms=(), readers=("fc1",), repeat=16),
        "fc1": Group(size=500, writers=("fc1",), norms=(), readers=("fc2",)),
    }


def test_a_depthwise_convolution_shares_the_group_before_it() -> None:
    groups = channels_of(build("mobilenet-v1", 10), (3, 32, 32)).groups
    assert groups["conv1"] == Group(
        size=32,
        writers=("conv1", "blocks.0.depthwise"),
        norms=("bn1", "blocks.0.bn1"),
        readers=("blocks.0.pointwise",),
        norm_parameters=4,
    )


def test_residual_networks() -> None:
    """Inner channels alone by default; with option A always, since padding moves the others."""
    plain = channels_of(build("resnet20", 10), (3, 32, 32), stream=True)
    assert list(plain.groups) == [f"layer{i}.{j}.conv1" for i in (1, 2, 3) for j in range(3)]
    assert plain.fixed["conv1"] == "enters padding of channels"
    projected = channels_of(build("resnet20-proj", 10), (3, 32, 32), stream=True)
    assert list(projected.inner().groups) == list(plain.groups)
    stage = projected.groups["layer2.0.conv2"]
    assert stage.stream and stage.writers == (
        "layer2.0.conv2", "layer2.0.downsample.0", "layer2.1.conv2", "layer2.2.conv2",
    )  # fmt: skip
    assert stage.readers == ("layer2.1.conv1", "layer2.2.conv1", "layer3.0.conv1", "layer3.0.downsample.0")
    assert projected.inner().fixed["conv1"] == "writes a residual stream"


class Gated(nn.Module):
    """Squeeze and excitation, dropout, and a flattening by numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.conv2, self.drop = nn.Conv2d(8, 6, 3, stride=4), nn.Dropout(0.5)
        self.fc = nn.Linear(6 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.norm(self.conv1(x)))
        gates = torch.sigmoid(self.excite(torch.relu(self.squeeze(nn.functional.adaptive_avg_pool2d(x, 1)))))
        out: Tensor = self.fc(self.drop(torch.nn.functional.silu(self.conv2(x * gates))).reshape(len(x), -1))
        return out


def test_a_network_from_outside() -> None:
    """What squeezes and excites is one group with what it excites, sigmoid or not."""
    torch.manual_seed(0)
    model = Gated().double()
    channels = channels_of(model, SHAPE, stream=True)
    assert [g.writers for g in channels.groups.values()] == [("conv1", "excite"), ("squeeze",), ("conv2",)]
    flags = first_open(channels, {"conv1": 5, "squeeze": 2, "conv2": 3})
    small = shrunk(model, channels, flags)
    close(model, channels, flags)
    x = torch.randn(4, *SHAPE, dtype=torch.float64)
    torch.testing.assert_close(small.eval()(x), model.eval()(x), rtol=1e-12, atol=1e-12)


def with_between(*between: nn.Module) -> nn.Sequential:
    """Two convolutions with something between."""
    tail = (nn.Conv2d(6, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    return nn.Sequential(nn.Conv2d(3, 6, 3), *between, *tail)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.fc = nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.conv(torch.relu(self.conv(x))).mean((2, 3)))
        return out


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.mix = nn.Conv2d(3, 8, 4, stride=4), nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        out: Tensor = self.fc(self.mix(tokens, tokens, tokens)[0].mean(1))
        return out


class Parallel(nn.Module):
    """As RepVGG's blocks in training: two convolutions, added up."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.point, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(torch.relu(self.wide(x) + self.point(x)).mean((2, 3)))
        return out


def test_a_network_with_streams_alone_is_told_to_close_those() -> None:
    with pytest.raises(ValueError) as refused:
        channels_of(Parallel(), SHAPE)
    assert str(refused.value) == (
        "layer wide (Conv2d): writes a residual stream; no channels of this network can be closed but with stream=true"
    )
    assert channels_of(Parallel(), SHAPE, stream=True).groups["wide"].writers == ("wide", "point")


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(768, 10)), r"layer 1 \(Linear\): gives the logits"),
        (Twice(), r"layer conv \(Conv2d\): conv runs more than once"),
        (Attention(), r"layer patch \(Conv2d\): enters transpose"),
    ],
)
def test_a_network_without_groups_is_refused_in_one_line(network: nn.Module, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}; no channels of this network can be closed$"):
        channels_of(network, SHAPE)


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        (nn.GroupNorm(2, 6), "enters native_group_norm"),
        (nn.Softmax(1), "enters softmax"),
        (nn.ChannelShuffle(2), "enters"),
        (nn.PReLU(6), "enters"),
    ],
)
def test_channels_that_mix_are_fixed_and_the_others_found(between: nn.Module, reason: str) -> None:
    channels = channels_of(with_between(between), SHAPE)
    assert list(channels.groups) == ["2"] and channels.fixed["0"].startswith(reason)


def test_grouped_convolutions_are_fixed() -> None:
    network = with_between(nn.Conv2d(6, 6, 3, groups=2))
    channels = channels_of(network, SHAPE)
    assert list(channels.groups) == ["2"]
    assert channels.fixed["0"] == "is read by 1: its convolution has groups"
    assert counts(channels, channels.widths).parameters == sum(p.numel() for p in network.parameters())


def test_inner_channels_of_a_dense_network() -> None:
    """What is concatenated is fixed; the bottlenecks inside are groups."""
    models = pytest.importorskip("torchvision.models")
    channels = channels_of(models.densenet121(num_classes=10), (3, 32, 32))
    assert all(name.endswith("conv1") for name in channels.groups) and len(channels.groups) == 58
    assert channels.fixed["features.conv0"] == "enters cat"


def test_the_network_stays_as_it_is() -> None:
    model = build("resnet20", 10).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    channels_of(model, (3, 32, 32))
    assert model.training and all(torch.equal(t, before[n]) for n, t in model.state_dict().items())


@pytest.mark.parametrize("name", ["vgg16-bn", "resnet20", "resnet18", "mobilenet-v1", "lenet-5-caffe"])
def test_torch_pruning_cuts_as_much(name: str) -> None:
    """The dependency graph of an independent library takes away the same parameters with a group's first channels."""
    pruning = pytest.importorskip("torch_pruning")
    shape = MODELS[name].image_shape
    channels = channels_of(build(name, 10), shape)
    graph = pruning.DependencyGraph().build_dependency(model := build(name, 10), torch.randn(1, *shape))
    widths = channels.widths
    for group, found in channels.groups.items():
        writer = model.get_submodule(found.writers[0])
        cut = pruning.prune_linear_out_channels if isinstance(writer, nn.Linear) else pruning.prune_conv_out_channels
        graph.get_pruning_group(writer, cut, idxs=[0, 1, 2]).prune()
        widths = {**widths, group: found.size - 3}
        assert counts(channels, widths).parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_torch_pruning_finds_the_same_groups(name: str) -> None:
    """The dependency graph of an independent library has exactly these groups, with the same layers in the same roles;
    of what is fixed here it has groups too: the logits, and streams with option A, which it pads anew.
    """
    pruning = pytest.importorskip("torch_pruning")
    shape, model = MODELS[name].image_shape, build(name, 10)
    names = {id(module): layer for layer, module in model.named_modules()}
    graph = pruning.DependencyGraph().build_dependency(model, torch.randn(1, *shape))
    groups = graph.get_all_groups(root_module_types=[nn.Conv2d, nn.Linear])
    theirs = {roles_of(group, names) for group in groups}
    channels = channels_of(model, shape, stream=True)
    ours = {(frozenset(g.writers), frozenset(g.norms), frozenset(g.readers)) for g in channels.groups.values()}
    assert {roles for roles in theirs if not roles[0] & set(channels.fixed)} == ours


def roles_of(group: Any, names: dict[int, str]) -> tuple[frozenset[str], ...]:
    """The layers of a group of torch-pruning that write its channels, normalise them and read them."""
    roles: tuple[set[str], ...] = (set(), set(), set())
    for dependency, _ in group:
        module, prunes = dependency.target.module, dependency.handler.__name__
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            roles[1].add(names[id(module)])
        elif isinstance(module, nn.Conv2d | nn.Linear):
            roles[0 if "out" in prunes or "depthwise" in prunes else 2].add(names[id(module)])
    return tuple(map(frozenset, roles))
