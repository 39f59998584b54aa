"""The batched step of a pack against the step of each trial alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_packs import CELLS, DATA, OPTIMIZERS, SPARSE, after, difference, pack_of, prepared
from tiny_networks import ConvNorm
from torch import Tensor, nn

from bench.engine.setup.prepare import prepare
from bench.engine.steps import batched_networks
from bench.engine.steps.batched_networks import BatchedNetworks, losses_of
from bench.engine.trainers import Together
from bench.methods.maskable import maskable
from bench.models import MODELS
from bench.models.row import ModelRow

AGREEMENT = [  # precision, steps, and how near
    ("float32", 20, 1e-6),
    ("float64", 20, 1e-10),
    pytest.param("float64", 200, 1e-10, marks=pytest.mark.slow),
]


@pytest.fixture(autouse=True)
def smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "smooth", ModelRow(build="tiny_networks:Smooth", image_shape=(1, 28, 28)))


@pytest.mark.parametrize(("precision", "count", "tolerance"), AGREEMENT)
@pytest.mark.parametrize(
    ("model", "pack_kind", "optimizer"),
    [
        *(("lenet-300-100", "vmap", optimizer) for optimizer in OPTIMIZERS),
        *((model, pack_kind, "momentum") for model in ("smooth", "lenet-5-caffe") for pack_kind in ("vmap", "unfold")),
    ],
)
def test_agrees_with_the_step_alone(
    model: str, pack_kind: str, optimizer: str, precision: str, count: int, tolerance: float
) -> None:
    given = {"model": model, "precision": precision, "batch_size": 10, **OPTIMIZERS[optimizer]}
    # Adam divides by the size of a gradient: where that is zero but for rounding, no two orders of adding agree. At
    # these rates no such weight is live.
    cells = SPARSE if optimizer.startswith("adam") and precision == "float32" else CELLS
    packed, alone = pack_of(pack_kind, cells, **given), pack_of("single", cells, **given)
    trials = prepared(packed)
    initial = [{n: w.detach().clone() for n, w in maskable(trial.model).items()} for trial in trials]
    together = after(packed, trials, count)
    # In float32 two orders of adding may take another of two pixels that are almost equal in max pooling: which ones
    # depends on the processor, and each moves a weight by up to lr times an image's gradient.
    pooled = model == "lenet-5-caffe" and precision == "float32"
    assert difference(together, after(alone, prepared(alone), count)) < (1e-3 if pooled else tolerance)
    for trial, before, state in zip(trials, initial, together, strict=True):
        for name, weight in before.items():
            dead = ~trial.masks[name]
            assert torch.equal(state[name][dead], weight[dead])
            assert not torch.equal(state[name][~dead], weight[~dead])


@pytest.mark.parametrize("pack_kind", ["vmap", "unfold"])
def test_each_network_keeps_its_own_batch_statistics(pack_kind: Any) -> None:
    torch.manual_seed(0)
    networks = [ConvNorm().double() for _ in range(3)]
    for network in networks:
        network.drop.p = 0.0
    x, y = torch.randn(3, 9, 1, 4, 4, dtype=torch.float64), torch.arange(27).view(3, 9) % 3
    batched = BatchedNetworks(networks, pack_kind)
    logits = batched(x, training=True)
    torch.testing.assert_close(logits, torch.stack([n.train()(inputs) for n, inputs in zip(networks, x, strict=True)]))
    expected = [nn.functional.cross_entropy(scores, labels) for scores, labels in zip(logits, y, strict=True)]
    torch.testing.assert_close(losses_of(logits, y), torch.stack(expected))
    for name, buffer in batched.module.named_buffers():
        torch.testing.assert_close(buffer, torch.stack([dict(n.named_buffers())[name] for n in networks]))
    torch.testing.assert_close(
        batched(x, training=False), torch.stack([n.eval()(p) for n, p in zip(networks, x, strict=True)])
    )
    same = batched(x[0], training=False)  # one batch for all
    torch.testing.assert_close(same, torch.stack([n(x[0]) for n in networks]))
    fresh = [ConvNorm().double() for _ in networks]
    batched.write_back(fresh)
    for one, other in zip(networks, fresh, strict=True):
        torch.testing.assert_close(other.state_dict(), one.state_dict())


class Strided(nn.Module):
    """Every kind of convolution: strided and padded, without a bias, depthwise, dilated, 1 × 1; a weight used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), bias=False)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.dilated = nn.Conv2d(4, 4, 2, dilation=2)
        self.point = nn.Conv2d(4, 4, 1)
        self.again = nn.Conv2d(4, 4, 1, bias=False)
        self.again.weight = self.point.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.again(self.point(self.dilated(self.depthwise(self.one(x)))))
        return out.mean((2, 3))


@pytest.mark.parametrize(("pack_kind", "by_autograd"), [("vmap", {"cpu"}), ("unfold", {"cpu"}), ("unfold", set())])
def test_every_kind_of_convolution(pack_kind: Any, by_autograd: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_networks, "BY_AUTOGRAD", by_autograd)
    torch.manual_seed(0)
    networks = [Strided().double() for _ in range(2)]
    x = torch.randn(2, 3, 2, 9, 7, dtype=torch.float64)
    batched = BatchedNetworks(networks, pack_kind)
    assert [p.shape[0] for p in batched.module.parameters()] == [2] * len(list(networks[0].parameters()))
    logits = batched(x, training=True)
    alone = torch.stack([network(inputs) for network, inputs in zip(networks, x, strict=True)])
    torch.testing.assert_close(logits, alone)
    gradients = torch.autograd.grad(logits.square().sum(), list(batched.module.parameters()))
    for index, network in enumerate(networks):
        expected = torch.autograd.grad(network(x[index]).square().sum(), list(network.parameters()))
        for one, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one[index], other)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_learning_rate_on_the_device_is_the_number(optimizer: str) -> None:
    """As a recorded step has it. Adam rounds it to float32."""
    specs, states = pack_of("vmap", batch_size=50, **OPTIMIZERS[optimizer]), []
    for rate in (specs[0].lr, torch.tensor(specs[0].lr)):
        trials = prepared(specs)
        together, indices = Together(specs[0], trials), torch.stack([t.train_indices[:50] for t in trials])
        for _ in range(6):
            together.one_step(indices[..., None], rate)
        together.write_back()
        states.append([{n: v.clone() for n, v in t.model.state_dict().items()} for t in trials])
    assert difference(*states) < 1e-7


def test_a_rate_rounded_to_float32_is_not_that_of_a_float64_training() -> None:
    """So steps in float64, which promise 1e-10, are not recorded."""
    specs = pack_of("vmap", precision="float64", batch_size=50, lr=0.02)
    states = []
    for rate in (0.02, torch.tensor(0.02)):
        trials = prepared(specs)
        together, indices = Together(specs[0], trials), torch.stack([t.train_indices[:50] for t in trials])
        assert together.replayed is None
        for _ in range(6):
            together.one_step(indices[..., None], rate)
        together.write_back()
        states.append([{n: v.clone() for n, v in t.model.state_dict().items()} for t in trials])
    assert 1e-10 < difference(*states) < 1e-8


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_who_stays_goes_on_where_it_was(optimizer: str) -> None:
    """Weights, masks, images and the optimizer's state move along with the trial."""
    specs = pack_of("vmap", precision="float64", batch_size=50, **OPTIMIZERS[optimizer])
    orders = [torch.randperm(360, generator=torch.Generator().manual_seed(s.seed)) for s in specs]
    unreduced, reduced = prepared(specs), prepared(specs)
    trainer = Together(specs[0], unreduced)
    for _ in range(2):
        trainer.epoch(orders, [None] * len(orders), lambda step: specs[0].lr)
    trainer.write_back()
    trainer = Together(specs[0], reduced)
    trainer.epoch(orders, [None] * len(orders), lambda step: specs[0].lr)
    for indices in ([1, 2, 3], [0, 2]):
        trainer.keep(indices)
    trainer.epoch([orders[1], orders[3]], [None] * 2, lambda step: specs[0].lr)
    trainer.write_back()
    for index in (1, 3):
        for name, value in unreduced[index].model.state_dict().items():
            torch.testing.assert_close(reduced[index].model.state_dict()[name], value, rtol=0, atol=1e-13)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("pack_kind", ["vmap", "unfold"])
def test_gpu_replayed_steps_are_the_steps(pack_kind: str, optimizer: str) -> None:
    """Three steps of each batch size run as they are, the others from the recording: as without one."""
    given = {"model": "lenet-5-caffe", "device": "cuda", "batch_size": 50, **OPTIMIZERS[optimizer]}
    specs = pack_of(pack_kind, **given)
    states = []
    for replayed in (True, False):
        trials = [prepare(s, DATA, "cuda") for s in specs]
        trainer = Together(specs[0], trials)
        trainer.replayed = trainer.replayed if replayed else None
        for epoch in range(5):
            order = torch.randperm(360, generator=torch.Generator().manual_seed(epoch)).cuda()
            trainer.epoch([order for _ in trials], [None for _ in trials], lambda step: specs[0].lr)
        trainer.write_back()
        states.append([{n: v.cpu() for n, v in trial.model.state_dict().items()} for trial in trials])
    assert difference(*states) < 1e-6
