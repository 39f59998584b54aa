"""The criteria as mask functions of PEFT's SHiRA."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from tiny_transformers import TARGETS, adapted, llama, next_token_loss, tokens
from torch import nn

from bench.methods.criteria import CRITERIA
from bench.peft import mask_fn
from bench.peft.masks import DATA_FREE, LAYER_ALONE

LAYERWISE = [name for name in CRITERIA if not name.startswith("channel-")]


@pytest.fixture
def layer() -> nn.Linear:
    linear = nn.Linear(4, 3, dtype=torch.float64)
    linear.weight.data = torch.arange(-6.0, 6.0, dtype=torch.float64).view(3, 4)
    return linear


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(torch.tanh(self.first(x)))
        return logits


def classifier() -> tuple[Classifier, list[tuple[torch.Tensor, torch.Tensor]]]:
    generator = torch.Generator().manual_seed(0)
    network = Classifier()
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return network, [(torch.randn(10, 6, generator=generator), torch.arange(10) % 3)]


def test_magnitude_by_hand(layer: nn.Linear) -> None:
    mask = mask_fn("magnitude")(layer, 1)
    assert mask.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 1, 1]]  # of -3 and 3 neither is among the seven
    assert (mask.dtype, mask.shape) == (torch.float64, layer.weight.shape)


@pytest.mark.parametrize("criterion", LAYER_ALONE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_layer_by_itself(criterion: str, dtype: torch.dtype) -> None:
    layer = nn.Linear(40, 24).to(dtype)
    mask = mask_fn(criterion)(layer, 3)
    assert (mask.dtype, mask.shape) == (dtype, (24, 40))
    assert int((mask == 1).sum()) == 3 * 64 and int((mask == 0).sum()) == 24 * 40 - 3 * 64


@pytest.mark.parametrize("criterion", LAYERWISE)
def test_scores_of_a_network_are_looked_up_by_layer(criterion: str) -> None:
    network, batches = classifier()
    before = copy.deepcopy(network.state_dict())
    data = {} if criterion in DATA_FREE else {"batches": batches}
    chosen = mask_fn(criterion, model=network, **data)
    for name, layer in network.named_children():
        assert isinstance(layer, nn.Linear)
        assert int(chosen(layer, 1).sum()) == layer.in_features + layer.out_features, name
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_snip_takes_the_largest_products() -> None:
    network, ((x, y),) = classifier()
    loss = nn.functional.cross_entropy(network(x), y)
    layers = (network.first, network.last)
    slopes = torch.autograd.grad(loss, [layer.weight for layer in layers])
    chosen = mask_fn("snip", model=network, batches=[(x, y)])
    for layer, slope in zip(layers, slopes, strict=True):
        score, mask = (layer.weight * slope).abs().detach(), chosen(layer, 1).bool()
        assert score[mask].min() > score[~mask].max()


def test_random_is_a_draw_of_its_own_for_each_layer_and_seed() -> None:
    network = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    first, second = (mask_fn("random", model=network, seed=seed) for seed in (0, 1))
    masks = [[chosen(layer, 2) for layer in network] for chosen in (first, second)]
    assert not torch.equal(masks[0][0], masks[0][1]) and not torch.equal(masks[0][0], masks[1][0])
    again = mask_fn("random", model=copy.deepcopy(network).requires_grad_(False))
    with pytest.raises(ValueError, match="must be one of the network that was scored"):
        again(network[0], 2)
    for index in (1, 0, 0):  # in any order, and as often as PEFT asks
        assert torch.equal(first(network[index], 2), masks[0][index])


def test_channel_random_chooses_whole_rows_of_its_network() -> None:
    network = nn.Sequential(nn.Linear(16, 16))
    mask = mask_fn("channel-random", model=network)(network[0], 2)
    assert sorted(mask.sum(1).tolist()) == [0] * 12 + [16] * 4


def test_fields_reach_the_criterion() -> None:
    network, batches = classifier()
    masks = [mask_fn("grasp", model=network, batches=batches, temperature=t)(network.first, 1) for t in (0.2, 200.0)]
    assert not torch.equal(*masks)


def refused(**arguments: object) -> str:
    with pytest.raises(ValueError) as error:
        mask_fn(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_is_refused_in_one_line(layer: nn.Linear) -> None:
    network, batches = classifier()
    for name in ("random", "channel-random"):
        assert refused(criterion=name) == f"criterion '{name}' draws for each layer of a network: must have model="
    assert refused(criterion="channel-random", model=network, batches=batches).startswith(
        "criterion 'channel-random' s"
    )
    needs = "is computed on a network with data: must have model= and batches=, or be one of magnitude, "
    assert f"criterion 'snip' {needs}" in refused(criterion="snip")
    assert f"criterion 'snip' {needs}" in refused(criterion="snip", model=network)
    assert refused(criterion="magnitude", batches=batches) == (
        "criterion 'magnitude' sees no data: batches must be left out"
    )
    assert "must be one of snip, grasp" in refused(criterion="snap")
    assert refused(criterion="grasp", model=network, batches=batches, temprature=2) == (
        "criterion 'grasp': unknown field 'temprature': must be one of temperature; did you mean temperature?"
    )
    chosen = mask_fn("magnitude")
    for wrong, message in (
        (lambda: chosen(nn.Conv2d(1, 1, 1), 1), "layer Conv2d: must be Linear"),
        (lambda: chosen(layer, 2), "r 2: 14 of the 12 weights of Linear"),
        (lambda: chosen(layer, 0), "r 0: 0 of the 12 weights of Linear"),
        (lambda: chosen(layer, 1, random_seed=3), "random_seed 3: must be left out of ShiraConfig"),
        (lambda: mask_fn("snip", model=network, batches=batches)(layer, 1), "must be one of the network that was"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_peft_trains_the_chosen_weights_alone() -> None:
    pytest.importorskip("peft")
    model, (x, y) = llama(), tokens()
    base = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    chosen = mask_fn("snip", model=model, batches=[(x, y)], loss=next_token_loss)
    masks = {name: chosen(module, 2) for name, module in model.named_modules() if name.endswith(TARGETS)}
    assert {tuple(mask.shape) for mask in masks.values()} == {(32, 32), (16, 32)}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # that a layer is not what PEFT takes it for
        wrapped = adapted(model, chosen)
    trained = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == 2 * 2 * (2 * 32 + 32 + 16)
    optimizer = torch.optim.AdamW(trained, lr=0.01, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        next_token_loss(wrapped(x).logits, y).backward()
        optimizer.step()
    merged = dict(wrapped.merge_and_unload().named_parameters())
    assert merged.keys() == base.keys()
    for name, weight in merged.items():
        mask = masks.get(name.removesuffix(".weight"), torch.zeros_like(weight)).bool()
        assert torch.equal(weight[~mask], base[name][~mask]), name
        assert bool((weight[mask] != base[name][mask]).all()), name


@pytest.mark.parametrize("criterion", LAYERWISE)
def test_every_criterion_scores_a_transformer(criterion: str) -> None:
    pytest.importorskip("transformers")
    model, (x, y) = llama(layers=1), tokens(2, 4)
    data = {} if criterion in DATA_FREE else {"batches": [(x, y)], "loss": next_token_loss}
    mask = mask_fn(criterion, model=model, **data)(model.model.layers[0].self_attn.v_proj, 1)
    assert int(mask.sum()) == 16 + 32
