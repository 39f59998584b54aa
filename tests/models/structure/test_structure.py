"""What is found of a network before it is trained, by hand; what is not right is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from odd_networks import CLASSES, IMAGE, REFUSED, RIGHT
from torch import nn

from bench.methods.maskable import maskable
from bench.models.structure.layers import weights_of
from bench.models.structure.structure import Structure, no_pack, structure_of
from bench.models.structure.values import values_of

# Multiply-accumulates by hand: uses of a weight × its size.
MACS = {
    "tied weights": {"stem.weight": 192 * 110, "first.weight": 2 * 110 * 110, "head.weight": 550},
    "layer used twice": {"stem.weight": 192 * 110, "layer.weight": 2 * 110 * 110, "head.weight": 550},
    "weight used by a function too": {"stem.weight": 2 * 192 * 100, "head.weight": 960},
    "grouped convolution": {"0.weight": 36 * 12 * 9, "3.weight": 2160},
    "depthwise convolution": {"0.weight": 64 * 48, "1.weight": 36 * 16 * 9, "4.weight": 2880},
    "ConvTranspose2d": {"0.weight": 64 * 3 * 6 * 4, "3.weight": 7680},
    "Conv1d": {"1.weight": 30 * 8 * 3 * 5, "4.weight": 1200},
    "attention and LayerNorm": {
        "patches.weight": 4 * 12 * 48, "attention.in_proj_weight": 4 * 36 * 12, "attention.out_proj.weight": 4 * 144,
        "head.weight": 60,
    },
    "Embedding": {"head.weight": 2880},
}  # fmt: skip
STEPPABLE = {
    "tied weights": {"stem.weight", "head.weight"},
    "layer used twice": {"stem.weight", "head.weight"},
    "weight used by a function too": {"head.weight"},
    "hook": {"3.weight"},
    "view of channels first": {"hidden.weight", "head.weight"},
    "grouped convolution": {"3.weight"},
    "attention and LayerNorm": {"patches.weight", "head.weight"},
    "Dropout": set(),
}
NO_PACK = {
    "view of channels first": "RuntimeError: view size is not compatible",
    "Dropout": "it draws random numbers in training, which would depend on the other trials of the pack",
    "tied weights": "",
    "attention and LayerNorm": "",
}


def found(name: str) -> Structure:
    return structure_of(RIGHT[name], IMAGE, CLASSES)


@pytest.mark.parametrize("name", RIGHT)
def test_the_weights_are_the_maskable_ones(name: str) -> None:
    """And every parameter is there once; the head gives the classes."""
    structure, model = found(name), RIGHT[name](CLASSES)
    assert set(structure.weights) == set(maskable(model)) == set(weights_of(model))
    assert structure.shapes == {n: tuple(p.shape) for n, p in model.named_parameters()}
    assert structure.weights[structure.head][0] == CLASSES
    assert structure.on == "meta"


@pytest.mark.parametrize("name", MACS)
def test_products_are_counted_by_hand(name: str) -> None:
    assert found(name).macs == MACS[name]


@pytest.mark.parametrize("name", STEPPABLE)
def test_which_layers_can_be_stepped_sparsely(name: str) -> None:
    structure = found(name)
    assert structure.steppable == STEPPABLE[name]
    assert structure.is_random == (name == "Dropout")
    assert bool(structure.no_sparse_step) == (not structure.steppable)


@pytest.mark.parametrize("name", NO_PACK)
def test_what_cannot_be_packed(name: str) -> None:
    reason = no_pack(found(name), RIGHT[name], IMAGE, CLASSES)
    assert reason.startswith(NO_PACK[name]) and bool(reason) == bool(NO_PACK[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_right_is_refused_by_name(name: str) -> None:
    build, message = REFUSED[name]
    with pytest.raises(ValueError) as raised:
        structure_of(build, IMAGE, CLASSES)
    assert str(raised.value) == message


def test_shared_layers_run_twice_and_are_counted_once() -> None:
    layers = {layer.name: layer for layer in found("tied weights").layers}
    assert layers["second"].shapes == {"second.bias": (110,)} and layers["second"].weight == "first.weight"
    assert {layer.name: layer.runs for layer in found("layer used twice").layers} == {"stem": 1, "layer": 2, "head": 1}


def test_parameters_that_the_constructor_draws() -> None:
    structure = found("attention and LayerNorm")
    assert {"position", "patches.weight", "attention.in_proj_weight"} <= structure.random
    assert not {"prelu.weight", "norm.weight"} & structure.random


def test_a_network_that_looks_at_values_is_inspected_on_the_cpu() -> None:
    class Looks(nn.Sequential):
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x.clamp(min=0) if float(x.sum()) > 1e9 else x)

    structure = structure_of(lambda c: Looks(nn.Flatten(), nn.Linear(192, c)), IMAGE, CLASSES)
    assert structure.on.startswith("cpu, since on the meta device it raises")
    assert structure.weights == {"1.weight": (5, 192)}


def test_images_too_small_are_named() -> None:
    with pytest.raises(ValueError, match=r"^cannot be applied to images \(3, 8, 8\): RuntimeError: "):
        structure_of(lambda c: nn.Sequential(nn.Conv2d(3, 4, 9), nn.Flatten(), nn.Linear(4, c)), IMAGE, CLASSES)


def test_nothing_is_left_behind() -> None:
    """Global generators and gradients are as before."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found("Dropout")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_asserts_is_tried_all_the_same() -> None:
    """It refuses channels that come last in memory, and one image alone, by `assert`."""

    class Asserts(nn.Sequential):
        def forward(self, x: torch.Tensor) -> Any:
            assert x.is_contiguous() and (len(x) > 1 or not self.training)
            return super().forward(x)

    values = values_of(Asserts(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, CLASSES)), IMAGE)
    assert (values.channels_last, values.needs_two, values.is_random) == (False, True, False)
