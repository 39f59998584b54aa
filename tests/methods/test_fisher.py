"""Fisher's scores against closed forms and a loop; and the criteria of sparse fine-tuning beside it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, Linear2, Mlp, batches, square_batches
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from bench.methods import METHODS, Fisher
from bench.methods import fisher as module
from bench.methods.criteria import CRITERIA, fisher, magnitude, mean_gradient, small_magnitude, snip
from bench.methods.derivatives import gradient, leaves

GENERATOR = np.random.RandomState(0)


def half_square(out: Tensor, y: Tensor) -> Tensor:
    return mse_loss(out.squeeze(1), y) / 2


class TwoLayers(nn.Module):
    """y = v · (w · x), one input and one hidden unit."""

    def __init__(self, w: float, v: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
        for layer, value in ((self.first, w), (self.second, v)):
            layer.weight.data.fill_(value)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x))
        return out


def network(make: type[nn.Module]) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    torch.manual_seed(0)
    return make().double(), batches() if make is Mlp else square_batches()


def looped(model: nn.Module, data: list[tuple[Tensor, Tensor]], expectation: bool = False) -> dict[str, Tensor]:
    """The definition, image by image and class by class, on the model in evaluation mode."""
    model = copy.deepcopy(model).eval()
    total = {name: torch.zeros_like(w) for name, w in leaves(model).items()}
    for x, y in data:
        for image, label in zip(x, y, strict=True):
            p = torch.softmax(model(image[None]).detach(), 1)[0]
            classes = range(len(p)) if expectation else [int(label)]
            for c in classes:
                share = float(p[c]) if expectation else 1.0
                for name, g in gradient(
                    model, leaves(model), [(image[None], torch.tensor([c]))], cross_entropy
                ).items():
                    total[name] += share * g.square()
    return {name: t / sum(len(y) for _, y in data) for name, t in total.items()}


def test_fisher_of_two_linear_layers_by_hand() -> None:
    # L_i = (v w x - y)²/2 at w = 2, v = 3: residuals r = 6x - y = 5 and 13 at (1, 1), (2, -1).
    # dL/dw = r v x = 15 and 78, dL/dv = r w x = 10 and 52.
    x, y = torch.tensor([[1.0], [2.0]]).double(), torch.tensor([1.0, -1.0]).double()
    for data in ([(x, y)], [(x[:1], y[:1]), (x[1:], y[1:])]):
        scores = fisher(TwoLayers(2.0, 3.0), data, half_square, GENERATOR)
        assert float(scores["first.weight"]) == pytest.approx((15**2 + 78**2) / 2, rel=1e-14)
        assert float(scores["second.weight"]) == pytest.approx((10**2 + 52**2) / 2, rel=1e-14)


def test_the_mean_gradient_and_the_smallest_weights_by_hand() -> None:
    x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]).double(), torch.tensor([0.0, 1.0]).double()
    data, model = [(x[:1], y[:1]), (x[1:], y[1:])], Linear2((2.0, -1.0))
    # Residuals 0 and 6: g = ((0 + 18) / 2, (0 - 6) / 2).
    assert mean_gradient(model, data, half_square, GENERATOR)["layer.weight"].tolist() == [[9.0, 3.0]]
    assert fisher(model, data, half_square, GENERATOR)["layer.weight"].tolist() == [[162.0, 18.0]]
    assert small_magnitude(model, [], half_square, GENERATOR)["layer.weight"].tolist() == [[-2.0, -1.0]]


def test_fisher_of_one_image_is_the_gradient_squared() -> None:
    model, data = network(Mlp)
    one = [(data[0][0][:1], data[0][1][:1])]
    scores, slopes = fisher(model, one, cross_entropy, GENERATOR), mean_gradient(model, one, cross_entropy, GENERATOR)
    assert all(torch.allclose(scores[n], slopes[n].square(), rtol=1e-12, atol=0) for n in scores)


@pytest.mark.parametrize("expectation", [False, True])
@pytest.mark.parametrize("make", [Mlp, ConvNorm])
def test_fisher_is_the_loop_over_images(make: type[nn.Module], expectation: bool) -> None:
    model, data = network(make)
    scores = fisher(model, data, cross_entropy, GENERATOR, expectation=expectation)
    for name, expected in looped(model, data, expectation).items():
        assert torch.allclose(scores[name], expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("images", [1, 4])
def test_chunks_of_bounded_memory_change_nothing(images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = network(ConvNorm)
    whole = fisher(model, data, cross_entropy, GENERATOR)
    sizes: list[int] = []
    together = module._together

    def counted(model: nn.Module, x: Tensor, y: Tensor, loss: Any) -> Any:
        sizes.append(len(x))
        return together(model, x, y, loss)

    monkeypatch.setattr(module, "_together", counted)
    monkeypatch.setattr(module, "CHUNK_BYTES", images * 8 * sum(w.numel() for w in leaves(model).values()) + 7)
    chunked = fisher(model, data, cross_entropy, GENERATOR)
    assert sizes[0] == 1 and max(sizes) == images and sum(sizes[1:]) == 12  # the first finds out whether it can be
    assert all(torch.allclose(chunked[n], whole[n], rtol=1e-12, atol=0) for n in whole)


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_the_running_ones_in_any_mode(training: bool) -> None:
    model, data = network(ConvNorm)
    model.norm.running_mean += 0.3
    model.norm.running_var *= 2
    expected = looped(model, data)
    scores = fisher(model.train(training), data, cross_entropy, GENERATOR)
    assert all(torch.allclose(scores[n], expected[n], rtol=1e-10, atol=0) for n in expected)


class Looks(Mlp):
    """Its flow depends on the image, which a batched derivative cannot follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if float(x.sum()) > 0 else super().forward(-2 * x)


class InPlace(Mlp):
    """It writes the batched values into a tensor of its own, which a batched derivative refuses."""

    def forward(self, x: Tensor) -> Tensor:
        kept = torch.zeros(1, 12, dtype=x.dtype)
        kept += x.flatten(1)
        out: Tensor = self.fc2(torch.relu(self.fc1(kept)))
        return out


class Draws(Mlp):
    """It draws a number, which changes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0 * torch.rand(1)


@pytest.mark.parametrize("make", [Looks, InPlace, Draws])
def test_a_network_that_cannot_be_batched_is_looped(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model, data = make().double(), batches()
    assert not module._can_be_batched(model, data, cross_entropy)
    scores = fisher(model, data, cross_entropy, GENERATOR)
    for name, expected in looped(model, data).items():
        assert torch.allclose(scores[name], expected, rtol=1e-10, atol=0)


class Full(Mlp):
    """Its memory is full at a call of its own."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.calls = at, [0]

    def forward(self, x: Tensor) -> Tensor:
        self.calls[0] += 1
        if self.calls[0] == self.at:
            raise torch.OutOfMemoryError("full")
        return super().forward(x)

    def __deepcopy__(self, memo: Any) -> Full:
        return self


@pytest.mark.parametrize("at", [1, 2])
def test_memory_that_is_full_is_no_other_way_of_computing(at: int) -> None:
    """Of other bits: a score would depend on how much memory was free."""
    with pytest.raises(torch.OutOfMemoryError):
        fisher(Full(at).double(), batches(), cross_entropy, GENERATOR)


def test_the_expected_information_does_not_depend_on_labels() -> None:
    model, data = network(Mlp)
    other = [(x, (y + 1) % 3) for x, y in data]
    one, two = (fisher(model, d, cross_entropy, GENERATOR, expectation=True) for d in (data, other))
    assert all(torch.equal(one[n], two[n]) for n in one)


def test_criteria_that_rank_otherwise() -> None:
    """No criterion is another one under a second name."""
    model, data = network(ConvNorm)
    criteria = {"snip": snip, "fisher": fisher, "gradient": mean_gradient, "magnitude": magnitude}
    orders = {
        name: torch.cat([s.flatten() for s in criterion(model, data, cross_entropy, GENERATOR).values()]).argsort()
        for name, criterion in criteria.items()
    }
    orders["expected"] = torch.cat(
        [s.flatten() for s in fisher(model, data, cross_entropy, GENERATOR, expectation=True).values()]
    ).argsort()
    assert len({tuple(order.tolist()) for order in orders.values()}) == len(orders)


def test_the_record_says_statistics_and_expectation() -> None:
    record = METHODS["fisher-freeze"].record()
    assert (record["criterion"], record["statistics"], record["expectation"]) == ("fisher", "running", False)
    assert Fisher(background="freeze").parameters() == {"expectation": False}
    with pytest.raises(TypeError, match="statistics"):
        Fisher(background="freeze", statistics="batch")


@pytest.mark.parametrize("name", ["fisher", "gradient", "channel-snip"])
def test_no_image_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="criterion sample of 0 images: must be at least 1"):
        CRITERIA[name](ConvNorm(), [], cross_entropy, GENERATOR)
