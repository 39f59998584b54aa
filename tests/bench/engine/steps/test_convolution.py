"""Convolutions of packs as products of their patches: the gradients written out, and what they are computed by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_packs import after, difference, pack_of, prepared
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.functional import conv2d, linear
from torch.utils._python_dispatch import TorchDispatchMode

from bench import models
from bench.engine.steps import batched_networks
from bench.engine.steps.batched_networks import BatchedNetworks, UnfoldedConv, losses_of, unfolded
from bench.engine.steps.convolution import ROWS, Convolution, chunks_of, patches_of
from bench.models import MODELS
from bench.models.row import ModelRow

# kernel, stride, padding; of the networks of MODELS, and two that none has
GEOMETRIES = [
    ((5, 5), (1, 1), (0, 0)),
    ((3, 3), (1, 1), (1, 1)),
    ((3, 3), (2, 2), (1, 1)),
    ((1, 1), (1, 1), (0, 0)),
    ((1, 1), (2, 2), (0, 0)),
    ((3, 2), (2, 1), (1, 2)),
    ((2, 3), (3, 2), (0, 1)),
]


class Operators(TorchDispatchMode):
    """The operators that are called: name, shapes of the tensors given, and dtype of the result."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, list[tuple[int, ...]], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        shapes = [tuple(arg.shape) for arg in args if isinstance(arg, Tensor)]
        self.calls.append((function.overloadpacket.__name__, shapes, getattr(out, "dtype", None)))
        return out

    def shapes(self, name: str) -> list[list[tuple[int, ...]]]:
        return [shapes for called, shapes, _ in self.calls if called == name]


@pytest.fixture
def written_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a GPU."""
    monkeypatch.setattr(batched_networks, "BY_AUTOGRAD", set())
    yield


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any) -> Tensor:
    """[P, B, O, H, W] of P networks."""
    biases = () if bias is None else (bias,)

    def one(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        out, _ = Convolution.apply(x, weight, bias, stride, padding, x.dtype)
        like = conv2d(torch.zeros_like(x[:1]), torch.zeros_like(weight), None, stride, padding)
        return out.view(len(x), *like.shape[2:], -1).permute(0, 3, 1, 2)

    return vmap(one)(x, weight, *biases)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("outputs", [3, 70])  # fewer than the places of the output, and more
@pytest.mark.parametrize(("kernel", "stride", "padding"), GEOMETRIES)
def test_gradients_are_those_of_autograd(
    kernel: Any, stride: Any, padding: Any, outputs: int, biased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.engine.steps.convolution.ROWS", 40)  # several chunks of so few images
    torch.manual_seed(0)
    x = torch.randn(3, 6, 2, 9, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, outputs, 2, *kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(3, outputs, dtype=torch.float64, requires_grad=True) if biased else None
    given = [x, weight] if bias is None else [x, weight, bias]
    biases = [None] * 3 if bias is None else bias
    each = [conv2d(*of_one, stride, padding) for of_one in zip(x, weight, biases, strict=True)]
    expected, out = torch.stack(each), convolved(x, weight, bias, stride, padding)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-12)
    g = torch.randn_like(expected)
    for one, other in zip(torch.autograd.grad(out, given, g), torch.autograd.grad(expected, given, g), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *given: convolved(*given, (2, 1), (1, 1)), (x, weight, bias))


def test_the_built_in_networks_have_no_other_kernel() -> None:
    found = set()
    with torch.device("meta"):
        ours = {name: row for name, row in MODELS.items() if row.is_known}  # other tests add networks
        for name, row in ours.items():
            for layer in unfolded(row.network(10, row.image_shape)).modules():
                if isinstance(layer, UnfoldedConv):
                    (conv,) = layer._conv
                    found.add((conv.kernel_size, conv.stride, conv.padding))
            assert found or name == "lenet-300-100"
    assert found <= set(GEOMETRIES[:5])
    assert len(found) == 5


@pytest.mark.parametrize("places", [1, 16, 64, 576, 1024])
def test_chunks_are_equal_and_as_few_as_keep_each_below_the_limit(places: int) -> None:
    for images in range(1, 130):
        chunks = chunks_of(images, places)
        assert images % chunks == 0
        assert images // chunks * places <= ROWS
        assert all(images % fewer or images // fewer * places > ROWS for fewer in range(1, chunks))


def test_the_weight_gradient_is_products_of_chunks_and_the_input_gradient_one_fold(written_out: None) -> None:
    """LeNet-5 in a pack of 3, batches of 100: conv1 has 50 chunks for each trial, conv2 has 4; conv1's inputs have no
    gradient. No patch's gradient is added up by autograd's `unfold_backward`."""
    network = models.build("lenet-5-caffe", 10).to("meta")
    batched = BatchedNetworks([network] * 3, "unfold")
    x, y = torch.zeros(3, 100, 1, 28, 28, device="meta"), torch.zeros(3, 100, dtype=torch.int64, device="meta")
    loss = losses_of(batched(x, training=True), y).sum()
    with Operators() as operators:
        gradients = torch.autograd.grad(loss, list(batched.module.parameters()))
    products = operators.shapes("bmm")
    assert [(3 * 50, 20, 1152), (3 * 50, 1152, 25)] in products
    assert [(3 * 4, 50, 1600), (3 * 4, 1600, 500)] in products
    assert [(3 * 100, 500, 50), (3 * 100, 50, 64)] in products
    assert len(products) == 3 + 2 * 2  # and two of each Linear layer
    assert operators.shapes("col2im") == [[(300, 500, 64)]]
    assert operators.shapes("unfold_backward") == []
    assert all(g.is_contiguous() for name, g in zip(dict(network.named_parameters()), gradients, strict=True)
               if name.startswith("conv"))  # fmt: skip


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("float64", 1e-10)])
def test_packs_agree_with_each_trial_alone(
    precision: str, tolerance: float, written_out: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "smooth", ModelRow(build="tiny_networks:Smooth", image_shape=(1, 28, 28)))
    monkeypatch.setattr("bench.engine.steps.convolution.ROWS", 1000)  # several chunks of 10 images
    given = {"model": "smooth", "precision": precision, "batch_size": 10, "lr": 0.02}
    packed, alone = pack_of("unfold", **given), pack_of("single", **given)
    assert difference(after(packed, prepared(packed), 20), after(alone, prepared(alone), 20)) < tolerance


def test_on_a_cpu_autograd_derives_them() -> None:
    """So that the numbers of packs that are stored stay."""
    batched = BatchedNetworks([models.build("lenet-5-caffe", 10)], "unfold")
    loss = batched(torch.zeros(1, 2, 1, 28, 28), training=True).sum()
    with Operators() as operators:
        torch.autograd.grad(loss, list(batched.module.parameters()))
    assert len(operators.shapes("unfold_backward")) == 2 and operators.shapes("col2im") == []


def cast_patches(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """The convolution as it is defined in bfloat16: patches in the precision of the images, then cast."""
    height, width = x.shape[2] + 2 - 2, x.shape[3] + 2 - 2
    rows = patches_of(x, (3, 3), (1, 1), (1, 1)).reshape(len(x) * height * width, -1)
    out = linear(rows.bfloat16(), conv.weight.flatten(1).bfloat16(), conv.bias.bfloat16())
    return out.view(len(x), height, width, -1).permute(0, 3, 1, 2)


def test_images_cast_before_their_patches_are_the_same_numbers(written_out: None) -> None:
    """Bit for bit, zeros of the padding included, subnormal values too; half the bytes of patches."""
    torch.manual_seed(0)
    conv, x = nn.Conv2d(2, 5, 3, padding=1), torch.randn(4, 2, 6, 7)
    x[0, 0, 0, :3] = torch.tensor([1e-40, -0.0, 1 / 3])
    layer, expected = UnfoldedConv(conv), cast_patches(x, conv)
    with Operators() as operators, torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out.view(torch.int16), expected.view(torch.int16))
    assert [dtype for name, _, dtype in operators.calls if name == "unfold"] == [torch.bfloat16] * 2


def test_where_images_have_a_gradient_their_cast_is_no_part_of_it(written_out: None) -> None:
    """A value's gradient is the sum over its patches, in float32 as behind autograd's own cast of the patches. Autograd
    behind a cast of the images would add up in bfloat16: other numbers, which is why that is done for no layer there.
    """
    torch.manual_seed(0)
    conv, x = nn.Conv2d(2, 5, 3, padding=1), torch.randn(4, 2, 6, 7, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = UnfoldedConv(conv)(x)
        within = cast_patches(x.bfloat16(), conv)
    expected, g = cast_patches(x, conv), torch.randn_like(out)
    assert torch.equal(out, expected) and torch.equal(out, within)
    (mine,), (its,), (rounded,) = (torch.autograd.grad(of, x, g) for of in (out, expected, within))
    assert mine.dtype == torch.float32
    torch.testing.assert_close(mine, its, rtol=1e-6, atol=1e-6)
    assert float((rounded - its).abs().max()) > 1e-3


def test_packs_of_residual_networks_compute_no_relu_in_place() -> None:
    """vmap would copy it over its input: 9 of 19 ReLUs of ResNet-20. The networks themselves stay as they are."""
    network = models.build("resnet20", 10).to("meta")
    batched = BatchedNetworks([network] * 2, "vmap")
    with Operators() as operators, torch.no_grad():
        batched(torch.zeros(2, 4, 3, 32, 32, device="meta"), training=True)
    assert len(operators.shapes("relu")) == 19
    assert operators.shapes("relu_") == []
    blocks = [module for module in network.modules() if type(module).__name__ == "BasicBlock"]
    assert len(blocks) == 9 and all(block.relu.inplace for block in blocks)


def test_a_relu_out_of_place_has_the_bits_of_one_in_place() -> None:
    torch.manual_seed(0)
    batched = BatchedNetworks([models.build("resnet20", 10) for _ in range(2)], "vmap")
    parameters = dict(batched.module.named_parameters())
    x, numbers = torch.randn(2, 2, 3, 32, 32), []
    for inplace in (False, True):
        for module in batched.skeleton.modules():
            if type(module).__name__ == "BasicBlock":
                module.relu.inplace = inplace
        buffers = {name: buffer.clone() for name, buffer in batched.module.named_buffers()}
        logits = batched.logits_of(parameters, buffers, x, training=True)
        gradients = torch.autograd.grad(logits.square().sum(), list(parameters.values()))
        numbers.append([logits, *gradients, *buffers.values()])
    assert all(torch.equal(one, other) for one, other in zip(*numbers, strict=True))


@pytest.mark.parametrize(("by_autograd", "precision"), [({"cpu"}, torch.float32), (set(), torch.bfloat16)])
def test_patches_of_a_pack_in_bfloat16(
    by_autograd: set[str], precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made in it if the gradients are written out; on a CPU cast afterwards, as those that are stored were."""
    monkeypatch.setattr(batched_networks, "BY_AUTOGRAD", by_autograd)
    batched = BatchedNetworks([models.build("lenet-5-caffe", 10)] * 2, "unfold")
    with Operators() as operators, torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        batched(torch.zeros(2, 3, 1, 28, 28), training=True)
    assert [dtype for name, _, dtype in operators.calls if name == "unfold"] == [precision] * 4
