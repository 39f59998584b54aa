"""The table of models: every row is what it says, and listing it costs no torch."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from bench.models import MODELS, build
from bench.models.lenet import LeNet5Caffe
from bench.models.resnet import Padded
from bench.models.shapes import FILE

# maskable weights, biases, BatchNorm scale and shift, all: counted layer by layer for ten classes.
COUNTS = {
    "lenet-300-100": (266_200, 410, 0, 266_610),
    "lenet-5-caffe": (430_500, 580, 0, 431_080),
    "lenet-5-caffe-relu": (430_500, 580, 0, 431_080),
    "vgg16-d": (15_239_872, 5_258, 10_496, 15_255_626),
    "vgg-c": (10_521_280, 5_258, 10_496, 10_537_034),
    "vgg-like": (14_977_728, 4_746, 9_472, 14_991_946),
    "vgg16-bn": (14_715_584, 4_234, 8_448, 14_728_266),
    "vgg11-bn": (9_222_848, 2_762, 5_504, 9_231_114),
    "vgg19-bn": (20_024_000, 10, 11_008, 20_035_018),
    "resnet20": (268_336, 10, 1_376, 269_722),
    "resnet32": (461_872, 10, 2_272, 464_154),
    "resnet56": (848_944, 10, 4_064, 853_018),
    "resnet110": (1_719_856, 10, 8_096, 1_727_962),
    "resnet20-proj": (270_896, 10, 1_568, 272_474),
    "resnet32-proj": (464_432, 10, 2_464, 466_906),
    "resnet32-x2": (1_855_584, 10, 4_928, 1_860_522),
    "resnet18": (11_164_352, 10, 9_600, 11_173_962),
    "resnet34": (21_265_088, 10, 17_024, 21_282_122),
    "wrn-16-8": (10_954_160, 10, 7_200, 10_961_370),
    "wrn-22-8": (17_147_312, 10, 10_784, 17_158_106),
    "mobilenet-v1": (3_195_328, 10, 21_888, 3_217_226),
}
FOR_HUNDRED = {  # all parameters
    "vgg16-d": 15_301_796, "vgg16-bn": 14_774_436, "vgg19-bn": 20_081_188, "resnet32-x2": 1_872_132,
    "resnet18": 11_220_132, "resnet34": 21_328_292, "mobilenet-v1": 3_309_476,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_exact(name: str) -> None:
    row, model = MODELS[name], build(name, 10)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    of_norms = {id(p) for m in norms for p in m.parameters()}
    biases = sum(p.numel() for n, p in model.named_parameters() if n.endswith("bias") and id(p) not in of_norms)
    counts = row.maskable(10), biases, sum(p.numel() for m in norms for p in m.parameters()), row.parameters(10)
    assert counts == COUNTS[name]
    assert row.parameters(100) == FOR_HUNDRED.get(name, row.parameters(100))


@pytest.mark.parametrize("classes", [10, 100, 200])
@pytest.mark.parametrize("name", MODELS)
def test_the_file_has_every_parameter_of_the_network(name: str, classes: int) -> None:
    row, model = MODELS[name], build(name, classes)
    assert row.build in json.loads(FILE.read_text())
    assert row.shapes(classes) == {n: tuple(p.shape) for n, p in model.named_parameters()}
    assert list(row.layers(classes)) == list(maskable_weights(model, row.image_shape))


def maskable_weights(model: nn.Module, image_shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """The weights of Conv and Linear layers in the order in which the layers run."""
    ran: list[nn.Module] = []
    layers = {m: f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    for layer in layers:
        layer.register_forward_hook(lambda module, *_: ran.append(module))
    model.eval()(torch.zeros(1, *image_shape))
    return {layers[layer]: layer.weight for layer in ran}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_forward_shape(name: str, layout: torch.memory_format) -> None:
    row = MODELS[name]
    x = torch.randn(3, *row.image_shape).to(memory_format=layout)
    with torch.no_grad():
        assert build(name, 7).to(memory_format=layout)(x).shape == (3, 7)
        if row.larger:
            assert build(name, 7)(torch.randn(1, 3, 48, 64)).shape == (1, 7)


@pytest.mark.parametrize(
    ("name", "shape", "fits"),
    [
        ("lenet-5-caffe", (1, 28, 28), True),
        ("lenet-5-caffe", (1, 32, 32), False),
        ("vgg16-d", (3, 32, 32), True),
        ("vgg16-d", (3, 64, 64), False),
        ("resnet20", (3, 64, 64), True),
        ("resnet20", (3, 28, 28), False),
        ("resnet20", (1, 32, 32), False),
    ],
)
def test_which_images_a_network_takes(name: str, shape: tuple[int, ...], fits: bool) -> None:
    assert MODELS[name].takes(shape) is fits


def test_option_a_by_hand() -> None:
    """Every other pixel; two zero channels before and two behind."""
    x = torch.arange(32.0).view(1, 2, 4, 4)
    y = Padded(4)(x)
    assert y.shape == (1, 6, 2, 2) and y[0, [0, 1, 4, 5]].abs().sum() == 0
    assert y[0, 2].tolist() == [[0, 2], [8, 10]] and y[0, 3].tolist() == [[16, 18], [24, 26]]


def test_parameter_names() -> None:
    layers = {
        "lenet-300-100": ["fc1", "fc2", "fc3"],
        "lenet-5-caffe": ["conv1", "conv2", "fc1", "fc2"],
        "lenet-5-caffe-relu": ["conv1", "conv2", "fc1", "fc2"],
    }
    for name, expected in layers.items():
        names = [n for n, _ in build(name, 10).named_parameters()]
        assert names == [f"{layer}.{tensor}" for layer in expected for tensor in ("weight", "bias")]


def test_relu_after_the_convolutions_is_what_differs() -> None:
    plain, rectified = LeNet5Caffe(relu_after_conv=False, classes=10), LeNet5Caffe(relu_after_conv=True, classes=10)
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
    build("lenet-300-100", 10)
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_model_names_the_known_and_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"^unknown model 'lenet-5': must be one of lenet-300-100, .*; did you mean lenet-5-caffe"
    ):
        build("lenet-5", 10)


def test_listing_imports_no_torch() -> None:
    code = "import sys; from bench.models import MODELS; assert MODELS and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
