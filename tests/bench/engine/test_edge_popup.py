"""Edge-popup: a mask is trained, and the weights keep their start."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from small_trials import images, spec
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench import names
from bench.artefact.artefact import read
from bench.artefact.container import PREFIX, sizes
from bench.artefact.narrow import images_of, narrowed
from bench.engine.measures.cost import costs
from bench.engine.measures.moment import Moment
from bench.engine.member import Member
from bench.engine.setup.background import draw
from bench.engine.setup.prepare import initial_model, prepare
from bench.engine.train import train
from bench.methods.changing.edge_popup import EdgePopup
from bench.methods.changing.shaping import ShapedNetwork
from bench.methods.maskable import maskable
from bench.trial.result import TrialResult

DATA = images()
POPUP = spec("edge-popup", epochs=3)
COUNTS = [23_520, 3_000, 100]  # a tenth of each layer of lenet-300-100


@cache
def trained(optimizer: str = "sgd") -> TrialResult:
    fields: dict[str, Any] = {"optimizer": optimizer, "weight_decay": 0.01}
    (result,) = train([replace(POPUP, **fields)], DATA, "cpu")
    assert result.outcome == names.DONE, result.reason
    return result


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_live_weights_are_those_drawn_bit_for_bit_and_the_others_zero(optimizer: str) -> None:
    drawn = initial_model(POPUP, 10)
    draw(drawn, POPUP)
    network = read(trained(optimizer).artefact)
    for name, weight in maskable(network.model).items():
        expected = torch.where(network.masks[name], maskable(drawn)[name], 0.0)
        assert torch.equal(weight, expected)
    assert [int(mask.sum()) for mask in network.masks.values()] == COUNTS == network.header.live
    assert not torch.equal(network.model.fc1.bias, drawn.get_parameter("fc1.bias"))


def test_the_mask_is_trained_and_the_network_learns() -> None:
    (first,) = train([replace(POPUP, method=EdgePopup(momentum=0.0, decay=0.0), lr=1e-9)], DATA, "cpu")
    (before, after) = (read(result.artefact).masks for result in (first, trained()))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    losses = [epoch[names.TRAIN_LOSS] for epoch in trained().epochs[1:]]
    assert losses == sorted(losses, reverse=True)


def test_counts_and_bytes_have_no_weight_in_them() -> None:
    metrics, file = trained().metrics, trained().artefact
    assert metrics[names.LIVE_WEIGHTS] == 26_620 and metrics[names.STORED_PARAMETERS] == 410
    assert metrics[names.COMPRESSION] == 266_610 / 410
    assert metrics[names.MEAN_LIVE_WEIGHTS] == 266_200
    assert sizes(file)["values"] == metrics[names.VALUE_BYTES] < 4 * 410 + 100
    assert PREFIX.unpack_from(file)[1] == 4 and not read(file).header.is_self_contained


def test_of_a_network_that_stores_nothing_no_compression_is_told() -> None:
    member = Member(POPUP)
    member.begin(prepare(POPUP, DATA, "cpu"))
    assert member.metrics[names.COMPRESSION] == 266_610 / 410
    layer = nn.Linear(784, 10, bias=False)
    bare = replace(member.trial, model=nn.Sequential(nn.Flatten(), layer), masks={"1.weight": layer.weight > 0})
    counted = costs(Moment(spec=POPUP, trial=bare, epochs=[], artefact=b"", layers={}))
    assert counted[names.STORED_PARAMETERS] == 0 < counted[names.LIVE_WEIGHTS]
    assert names.COMPRESSION not in counted


def test_its_file_has_no_values_to_narrow() -> None:
    network = read(trained().artefact)
    with pytest.raises(ValueError, match=r"^value type bfloat16: must be float32; the file holds no live values$"):
        narrowed(network, "bfloat16", images_of(network, DATA))
    assert narrowed(network, "float32", images_of(network, DATA))


def test_scores_that_are_not_finite_end_the_trial_as_diverged() -> None:
    (result,) = train([replace(POPUP, lr=1e30)], DATA, "cpu")
    assert result.outcome == names.DIVERGED
    assert " NaN or infinite after step 2; ValueError: scores of fc1.weight: " in result.reason


def test_weights_are_those_drawn_though_scored_in_less_precision() -> None:
    precise = replace(POPUP, precision="float64", criterion_precision="float32")
    (result,) = train([precise], DATA, "cpu")
    drawn, network = initial_model(precise, 10), read(result.artefact)
    for name, weight in maskable(network.model).items():
        assert torch.equal(weight, torch.where(network.masks[name], maskable(drawn)[name], 0.0))


class Straight(torch.autograd.Function):
    """The choice of the k highest, whose gradient is passed on as it is: another way to the same step."""

    @staticmethod
    def forward(ctx: Any, size: Tensor, k: int) -> Tensor:
        mask = torch.zeros(size.numel(), dtype=size.dtype)
        mask[size.flatten().topk(k).indices] = 1.0
        return mask.view(size.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def test_steps_are_those_of_torchs_sgd_on_scores_behind_a_straight_through_choice() -> None:
    torch.manual_seed(0)
    layer, method, state = nn.Linear(6, 5).double(), EdgePopup(momentum=0.8, decay=0.01), dict[str, Any]()
    initial = {name: p.detach().clone() for name, p in layer.named_parameters()}
    network = nn.Sequential(layer)
    at = ShapedNetwork(
        model=network, channels=None, state=state, initial={f"0.{n}": t for n, t in initial.items()},
        generator=np.random.RandomState(3), rate=Fraction(7, 10), epochs=1, steps=4,
    )  # fmt: skip
    hooks = method.attach(at)
    scores = state["scores"]["0.weight"].clone().requires_grad_()
    assert float(scores.detach().abs().max()) <= 6**-0.5
    optimizer = torch.optim.SGD([scores], lr=1.0, momentum=0.8, weight_decay=0.01)
    for step in range(1, 5):
        x, y, lr = torch.randn(8, 6, dtype=torch.float64), torch.randint(5, (8,)), 0.5 / step
        weight = initial["weight"] * Straight.apply(scores.abs(), 9)
        torch.testing.assert_close(layer.weight.detach(), weight.detach(), rtol=0, atol=0)
        cross_entropy(torch.nn.functional.linear(x, weight, initial["bias"]), y).backward()
        cross_entropy(network(x), y).backward()
        # The trial's rule is v ← m · v + slope, s ← s - lr · v, which is torch's at a rate of each step.
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        optimizer.zero_grad()
        layer.weight.grad = layer.bias.grad = None
        method.shape(at, step, lr)
        torch.testing.assert_close(state["scores"]["0.weight"], scores.detach(), rtol=1e-12, atol=1e-14)
    for hook in hooks:
        hook.remove()
    assert not layer.weight._post_accumulate_grad_hooks


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"momentum": 1.0}, "momentum 1.0: must be 0 <= momentum < 1"),
        ({"decay": float("nan")}, "decay nan: must be at least 0"),
        ({"background": "freeze"}, "background 'freeze' of EdgePopup: must be 'prune'"),
        ({"scope": "global"}, "scope 'global' of EdgePopup: must be 'uniform'"),
    ],
)
def test_fields_are_checked(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        EdgePopup(**fields)


def test_its_record_says_that_no_weight_is_trained() -> None:
    assert EdgePopup().record()["trains_weights"] is False
    assert EdgePopup(momentum=0).record() == EdgePopup(momentum=0.0).record()
    assert "trains_weights" not in spec("snip").method.record()
