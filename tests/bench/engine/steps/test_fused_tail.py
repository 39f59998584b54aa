"""The training step written out, against autograd."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, max_pool2d, relu

from bench.engine.steps.csr_pattern import conv_pattern, output_size
from bench.engine.steps.fused_tail import fused_tail_of
from bench.engine.steps.sparse_layers import SparseLayer
from bench.engine.steps.tail_layers import DenseLinear, Flatten, Pool, Relu

IMAGES = torch.randn(7, 2, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(7) % 5


class Net(nn.Module):
    """A convolution, a pooling and three Linear layers; between the last two what the test says."""

    def __init__(self, middle: nn.Module, relu_last: bool = False) -> None:
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(2, 3, 3), nn.Linear(18, 9), nn.Linear(9, 8, bias=False)
        self.middle, self.three, self.relu_last = middle, nn.Linear(8, 5), relu_last

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 2, 6, 8]."""
        hidden = relu(max_pool2d(self.conv(x), 2))
        logits: Tensor = self.three(self.middle(self.two(relu(self.one(hidden.flatten(1))))))
        return relu(logits) if self.relu_last else logits


def check(model: nn.Module, replaced: dict[int, SparseLayer]) -> list[str]:
    """The loss and all gradients are autograd's; returns the types of the tail's layers."""
    upstream = torch.tensor(0.3, dtype=torch.float64)
    tail = fused_tail_of(model, model, replaced, IMAGES[:2])
    assert tail is not None
    trained = [p for p in model.parameters() if p.requires_grad]
    expected, loss = cross_entropy(model(IMAGES), LABELS), tail.loss(IMAGES, LABELS)
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-14)
    by_autograd = torch.autograd.grad(expected, trained, upstream)
    torch.testing.assert_close(torch.autograd.grad(loss, trained, upstream), by_autograd, rtol=0, atol=1e-14)
    return [type(layer).__name__ for layer in tail.layers]


@pytest.mark.parametrize("relu_last", [False, True])
@pytest.mark.parametrize("middle", [nn.ReLU(), nn.Linear(8, 8)])
def test_loss_and_gradients_are_those_of_autograd(middle: nn.Module, relu_last: bool) -> None:
    model = Net(middle, relu_last).double()
    model.one.weight.requires_grad_(False)
    layers = check(model, {})
    between = "Relu" if isinstance(middle, nn.ReLU) else "DenseLinear"
    start = ["Flatten", "DenseLinear", "Relu", "DenseLinear"]
    assert layers == [*start, between, "DenseLinear", *["Relu"] * relu_last]


def test_a_tail_starts_at_a_sparse_convolution() -> None:
    """The other layers before it, trained by autograd, get their gradient from the tail."""

    class Two(Net):
        def forward(self, x: Tensor) -> Tensor:
            """Logits [B, 5] of x [B, 2, 6, 8]."""
            return super().forward(self.before(x))

    model = Two(nn.ReLU())
    model.before = nn.Conv2d(2, 2, 3, padding=1)
    model = model.double()
    conv, image = model.conv, torch.Size((2, 6, 8))
    values = nn.Parameter(conv.weight.detach().view(-1))
    pattern = conv_pattern(torch.ones_like(conv.weight).bool(), conv, image, torch.float64)
    layer = SparseLayer(pattern, values, conv.bias, (3, *output_size(conv, image)))
    conv.weight = nn.Parameter(values.detach().view(conv.weight.shape), requires_grad=False)
    layers = check(model, {id(conv): layer})
    linear = ["DenseLinear", "Relu", "DenseLinear", "Relu", "DenseLinear"]
    assert layers == ["SparseLayer", "Pool", "Relu", "Flatten", *linear]


@pytest.mark.parametrize("kinds", [1, 3, 1000])
def test_pooling_breaks_ties_as_torch_does(kinds: int) -> None:
    """Whole numbers of few kinds have many ties."""
    image = torch.randint(0, kinds, (5, 3, 6, 8)).double().requires_grad_()
    expected = max_pool2d(image, 2)
    g = torch.randn(expected.shape, dtype=torch.float64)
    rows = image.detach().permute(2, 3, 1, 0).reshape(-1, 5)
    pooled, saved = Pool((3, 6, 8)).outputs(rows)
    assert torch.equal(pooled.view(3, 4, 3, 5).permute(3, 2, 0, 1), expected)
    (of_rows,) = Pool((3, 6, 8)).gradients(g.permute(2, 3, 1, 0).reshape(-1, 5), saved, (True,))
    assert of_rows is not None
    of_image = torch.autograd.grad(expected, image, g)[0]
    assert torch.equal(of_rows.view(6, 8, 3, 5).permute(3, 2, 0, 1), of_image)


def test_flattening_is_the_order_of_a_flattened_image() -> None:
    rows = IMAGES.permute(2, 3, 1, 0).reshape(-1, 7)
    flatten = Flatten((2, 6, 8))
    assert torch.equal(flatten.outputs(rows)[0].t(), IMAGES.flatten(1))
    (back,) = flatten.gradients(IMAGES.flatten(1).t(), None, (True,))
    assert back is not None and torch.equal(back, rows)


def test_relu_passes_no_gradient_at_zero() -> None:
    positive, saved = Relu().outputs(torch.tensor([[-1.0, 0.0, 2.0]]))
    assert positive.tolist() == [[0, 0, 2]]
    (g,) = Relu().gradients(torch.ones(1, 3), saved, (True,))
    assert g is not None and g.tolist() == [[0, 0, 1]]


class Flat(nn.Module):
    """One Linear layer on the images."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(96, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 2, 6, 8]."""
        logits: Tensor = self.one(x.flatten(1))
        return logits


def test_the_images_themselves_get_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer leaves it out, and so do the layers before it."""
    asked, gradients = [], DenseLinear.gradients

    def watch(self: DenseLinear, g: Tensor, kept: Tensor, needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        asked.append(list(needs))
        return gradients(self, g, kept, needs)

    monkeypatch.setattr(DenseLinear, "gradients", watch)
    assert check(Flat().double(), {}) == ["Flatten", "DenseLinear"]
    assert asked == [[False, True, True]]


class Branches(Net):
    """One activation is used twice, behind the last layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 2, 6, 8]."""
        logits = super().forward(x)
        return logits + logits.detach()


class Decides(Net):
    """What it does depends on the images."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 2, 6, 8]."""
        return super().forward(x if x.sum() > 0 else -x)


def test_a_tail_names_the_convolution_of_the_images_right_before_it() -> None:
    model = Net(nn.ReLU())
    tail = fused_tail_of(model, model, {}, IMAGES[:2].float())
    assert tail is not None and tail.convolution is model.conv
    behind = nn.Sequential(nn.Conv2d(2, 2, 1), model)
    tail = fused_tail_of(behind, behind, {}, IMAGES[:2].float())
    assert tail is not None and tail.convolution is None


@pytest.mark.parametrize("model", [Branches(nn.ReLU()), Decides(nn.ReLU()), nn.ReLU(), nn.Tanh()])
def test_a_model_that_ends_otherwise_has_no_tail(model: nn.Module) -> None:
    assert fused_tail_of(model, model, {}, IMAGES[:2].float()) is None


@pytest.mark.parametrize("middle", [nn.Tanh(), nn.Dropout(0.5), nn.LayerNorm(8)])
def test_a_tail_starts_behind_what_it_does_not_know(middle: nn.Module) -> None:
    model = Net(middle)
    tail = fused_tail_of(model, model, {}, IMAGES[:2].float())
    assert tail is not None and [type(layer).__name__ for layer in tail.layers] == ["DenseLinear"]
