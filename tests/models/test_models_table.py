"""The table of models: every row is what it says, and listing it costs no torch."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from models import MODELS, build
from models.lenet import LeNet5Caffe


@pytest.mark.parametrize("name", MODELS)
def test_row_counts_are_exact(name: str) -> None:
    model = build(name)
    weights = [m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sum(p.numel() for p in model.parameters()) == MODELS[name].parameters
    assert sum(weights) == MODELS[name].maskable
    shapes = {f"{n}.weight": tuple(m.weight.shape) for n, m in model.named_modules() if hasattr(m, "weight")}
    assert list(MODELS[name].layers.items()) == list(shapes.items())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_forward_shape(name: str, layout: torch.memory_format) -> None:
    row = MODELS[name]
    x = torch.randn(3, *row.image_shape).to(memory_format=layout)
    assert build(name).to(memory_format=layout)(x).shape == (3, row.classes)


def test_parameter_names() -> None:
    layers = {
        "lenet-300-100": ["fc1", "fc2", "fc3"],
        "lenet-5-caffe": ["conv1", "conv2", "fc1", "fc2"],
        "lenet-5-caffe-relu": ["conv1", "conv2", "fc1", "fc2"],
    }
    for name, expected in layers.items():
        found = [n for n, _ in build(name).named_parameters()]
        assert found == [f"{layer}.{kind}" for layer in expected for kind in ("weight", "bias")]


def test_relu_after_the_convolutions_is_what_differs() -> None:
    plain, rectified = LeNet5Caffe(relu_after_conv=False), LeNet5Caffe(relu_after_conv=True)
    rectified.load_state_dict(plain.state_dict())
    x = torch.randn(5, 1, 28, 28)
    conv, pool, relu = nn.functional.conv2d, nn.functional.max_pool2d, nn.functional.relu
    for model, activation in ((plain, lambda h: h), (rectified, relu)):
        h = pool(activation(conv(x, model.conv1.weight, model.conv1.bias)), 2)
        h = pool(activation(conv(h, model.conv2.weight, model.conv2.bias)), 2)
        expected = model.fc2(relu(model.fc1(h.flatten(1))))
        torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-6)
    assert not torch.allclose(plain(x), rectified(x))


def test_build_leaves_the_random_state() -> None:
    before = torch.random.get_rng_state()
    build("lenet-300-100")
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_model_names_the_known_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"^model 'lenet-5': allowed is lenet-300-100, .*; did you mean lenet-5-caffe"):
        build("lenet-5")


def test_listing_imports_no_torch() -> None:
    code = "import sys, models; assert models.MODELS and models.INITIALISERS; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
