"""The training step written out, against autograd."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from bench.chain import chain_of


class Net(nn.Module):
    """Three layers: the second as the test has it, the last with a ReLU behind it or not."""

    def __init__(self, middle: nn.Module, relu_last: bool = False) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(12, 9), nn.Linear(9, 8, bias=False), nn.Linear(8, 5)
        self.middle, self.relu_last = middle, relu_last

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 1, 3, 4]."""
        hidden = self.middle(self.two(relu(self.one(x.flatten(1)))))
        logits: Tensor = self.three(hidden)
        return relu(logits) if self.relu_last else logits


@pytest.mark.parametrize("relu_last", [False, True])
@pytest.mark.parametrize("middle", [nn.ReLU(), nn.Linear(8, 8)])
def test_loss_and_gradients_are_those_of_autograd(middle: nn.Module, relu_last: bool) -> None:
    model = Net(middle, relu_last).double()
    model.one.weight.requires_grad_(False)
    x, y = torch.randn(7, 1, 3, 4, dtype=torch.float64), torch.arange(7) % 5
    upstream = torch.tensor(0.3, dtype=torch.float64)
    trained = [p for p in model.parameters() if p.requires_grad]
    expected = cross_entropy(model(x), y)
    chain = chain_of(model, {})
    assert chain is not None
    found = chain.loss(x, y)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
    by_autograd = torch.autograd.grad(expected, trained, upstream)
    torch.testing.assert_close(torch.autograd.grad(found, trained, upstream), by_autograd, rtol=0, atol=1e-14)


class Branches(Net):
    """One activation is used twice."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 1, 3, 4]."""
        hidden = self.two(relu(self.one(x.flatten(1))))
        logits: Tensor = self.three(hidden + self.middle(hidden))
        return logits


class Decides(Net):
    """What it does depends on the images."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 5] of x [B, 1, 3, 4]."""
        return super().forward(x if x.sum() > 0 else -x)


@pytest.mark.parametrize(
    "model",
    [Net(nn.Tanh()), Net(nn.Dropout()), Net(nn.Bilinear(8, 8, 8)), Branches(nn.ReLU()), Decides(nn.ReLU()), nn.ReLU()],
)
def test_anything_else_is_no_chain(model: nn.Module) -> None:
    assert chain_of(model, {}) is None
