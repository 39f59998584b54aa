"""Initial weights: the same definitions as torch's, the same bits on every machine."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from bench.models import INITIALISERS, build
from bench.models.initialise import RANDOM, checksum, initialise
from bench.models.initialisers import fans, orthogonal
from bench.trial.streams import stream

FANS = {(100, 300): (300, 100), (50, 20, 5, 5): (20 * 25, 50 * 25), (64, 40, 3): (40 * 3, 64 * 3)}  # in, out
SHAPES = list(FANS)
GAINS = {
    "xavier-normal": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "xavier-uniform": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "he-normal": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
    "normal": lambda fan_in, fan_out: 0.1,
}  # the standard deviations
TORCH = {
    "xavier-normal": nn.init.xavier_normal_,
    "xavier-uniform": nn.init.xavier_uniform_,
    "he-normal": lambda w: nn.init.kaiming_normal_(w, mode="fan_in", nonlinearity="relu"),
    "normal": lambda w: nn.init.normal_(w, 0, 0.1),
}
# SHA-256 of lenet-300-100 at seed 0. They may not move: a stored network is rebuilt from its seed, so a new value
# here means that every stored result and artefact of that initialiser is lost.
GOLDEN = {
    "xavier-normal": "e809f23e2728fb8b59387f5b30f8141583594ac58ea334490cf4c6dd804dfc7e",
    "xavier-uniform": "a08253b3d73a082722d53b88e138f74fe7111263fe3aa61b908bb220985cfd08",
    "he-normal": "5a0822a771f7a4b5367a578e1f1445279d7eff32ca43560750eef6a5bd898448",
    "orthogonal": "f3c4aa182538d16720c65f6e5751766f496836a53a0c295d792edfc1aa8c7866",
    "normal": "db1425657c512ad93bc95078f56f8947cc57f2555a449f4544f7963c35276aa9",
}


def initialised(model: nn.Module, initialiser: str, seed: int = 0) -> nn.Module:
    initialise(model, initialiser, lambda name: stream(seed, "init", name))
    return model


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GAINS)
def test_scale_is_exact_and_torchs(name: str, shape: tuple[int, ...]) -> None:
    values = INITIALISERS[name](np.random.RandomState(0), shape)
    std = GAINS[name](*fans(shape))
    assert values.dtype == np.float64
    assert values.shape == shape
    generator = np.random.RandomState(0)
    uniform = name == "xavier-uniform"
    unit = 3**0.5 * (2 * generator.random_sample(shape) - 1) if uniform else generator.standard_normal(shape)
    np.testing.assert_allclose(values, unit * std, rtol=1e-14)
    torchs = TORCH[name](torch.empty(shape))
    assert float(torchs.std()) == pytest.approx(std, rel=5 / (2 * values.size) ** 0.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_are_torchs(shape: tuple[int, ...]) -> None:
    """Torch's own show in the bounds of its uniform initialisers: the largest of many draws is just below."""
    assert fans(shape) == FANS[shape]
    fan_in, fan_out = fans(shape)
    weight = torch.empty(shape)
    for init, bound in (
        (lambda w: nn.init.xavier_uniform_(w), (6 / (fan_in + fan_out)) ** 0.5),
        (lambda w: nn.init.kaiming_uniform_(w, mode="fan_in", nonlinearity="linear"), (3 / fan_in) ** 0.5),
        (lambda w: nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="linear"), (3 / fan_out) ** 0.5),
    ):
        assert 0.995 * bound < float(init(weight).abs().max()) < bound * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(10, 500), (500, 500), (100, 30), (20, 1, 5, 5), (3, 1)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    values = orthogonal(np.random.RandomState(0), shape)
    assert values.shape == shape
    matrix = values.reshape(shape[0], -1).astype(np.float32).astype(np.float64)
    matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), rtol=0, atol=1e-6)


def test_orthogonal_survives_nearly_dependent_rows() -> None:
    class NearlyDependent:
        def standard_normal(self, shape: tuple[int, int]) -> np.ndarray:
            values = np.random.RandomState(0).standard_normal(shape)
            return values[:1] + 1e-6 * values

    values = orthogonal(NearlyDependent(), (20, 50))  # type: ignore[arg-type]
    np.testing.assert_allclose(values @ values.T, np.eye(20), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", INITIALISERS)
def test_golden_checksum(name: str) -> None:
    assert checksum(initialised(build("lenet-300-100", 10), name)) == GOLDEN[name]


SUBPROCESS = """
import json, sys
from bench.trial.streams import stream
from bench.models import INITIALISERS, build
from bench.models.initialise import RANDOM, checksum, initialise
sums = {}
for name in INITIALISERS:
    model = build("lenet-300-100", 10)
    initialise(model, name, lambda tensor: stream(0, "init", tensor))
    sums[name] = checksum(model)
json.dump(sums, sys.stdout)
"""


@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_bits_do_not_depend_on_the_instruction_set(capability: str) -> None:
    env = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
    if capability == "default":  # NumPy and the C library choose their own
        env["NPY_DISABLE_CPU_FEATURES"] = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
        env["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F"
    done = subprocess.run([sys.executable, "-c", SUBPROCESS], check=True, env=env, capture_output=True, text=True)
    assert json.loads(done.stdout) == GOLDEN


def test_each_tensor_has_its_own_stream() -> None:
    drawn: list[str] = []

    def draw(name: str) -> np.random.RandomState:
        drawn.append(name)
        return stream(0, "init", name)

    model = build("lenet-5-caffe", 10)
    initialise(model, "xavier-normal", draw)
    assert drawn == ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"]
    by_itself = INITIALISERS["xavier-normal"](stream(0, "init", "fc2.weight"), (10, 500)).astype(np.float32)
    assert torch.equal(model.fc2.weight, torch.from_numpy(by_itself))
    assert all(not p.any() for n, p in model.named_parameters() if n.endswith("bias"))


def test_seeds_differ() -> None:
    model = build("lenet-300-100", 10)
    assert checksum(initialised(model, "normal", 1)) != GOLDEN["normal"]
    assert checksum(initialised(model, "normal", 0)) == GOLDEN["normal"]


def test_float64_model_starts_from_the_same_numbers() -> None:
    single, double = initialised(nn.Linear(7, 5), "he-normal"), initialised(nn.Linear(7, 5).double(), "he-normal")
    assert double.weight.dtype == torch.float64
    assert torch.equal(double.weight, single.weight.double())


def test_batchnorm_is_fresh() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False))
    fresh = checksum(initialised(model, "normal"))
    model(torch.randn(4, 1, 8, 8))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert checksum(model) != fresh
    assert checksum(initialised(model, "normal")) == fresh
    assert torch.equal(model[1].weight, torch.ones(3))
    assert int(model[1].num_batches_tracked) == 0


def test_checksum_sees_names_dtypes_shapes_and_values_but_no_layout() -> None:
    model = nn.Conv2d(3, 4, 3)
    before = checksum(model)
    assert checksum(model.to(memory_format=torch.channels_last)) == before
    sums = {before, checksum(nn.Sequential(model)), checksum(model.double()), checksum(model.bfloat16())}
    model.weight = nn.Parameter(model.weight.detach().contiguous().view(4, 3, 9, 1))
    assert len(sums | {checksum(model)}) == 5


def test_unknown_initialiser() -> None:
    with pytest.raises(
        ValueError, match=r"^unknown initialiser 'xavier': must be one of xavier-normal, xavier-uniform, he-normal"
    ):
        initialised(nn.Linear(2, 2), "xavier")


def test_a_parameter_without_a_rule_is_an_error() -> None:
    with pytest.raises(
        ValueError, match=r"^layer 1 \(LSTM\): no rule for the initial values of its weight_ih_l0, which"
    ):
        initialised(nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 2)), "normal")


def test_normalisation_is_fresh_and_an_embedding_is_standard_normal() -> None:
    layers = nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.RMSNorm(4), nn.InstanceNorm1d(4, affine=True)
    model = nn.Sequential(*layers, nn.Embedding(300, 40, padding_idx=2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    initialised(model, "he-normal")
    assert all(torch.equal(layer.weight, torch.ones(4)) for layer in layers)
    assert not any(layer.bias.any() for layer in layers if not isinstance(layer, nn.RMSNorm))
    table = stream(0, "init", "4.weight").standard_normal((300, 40)).astype(np.float32)
    table[2] = 0
    assert torch.equal(model[4].weight, torch.from_numpy(table))


def test_attention_is_drawn_like_linear_layers() -> None:
    model = initialised(nn.MultiheadAttention(6, 2), "he-normal")
    for name, shape in (("in_proj_weight", (18, 6)), ("out_proj.weight", (6, 6))):
        values = INITIALISERS["he-normal"](stream(0, "init", name), shape)
        assert torch.equal(model.get_parameter(name), torch.from_numpy(values.astype(np.float32)))
    assert not model.in_proj_bias.any() and not model.out_proj.bias.any()


@pytest.mark.parametrize(("inputs", "outputs", "groups"), [(4, 6, 1), (4, 4, 2)])
def test_a_transposed_convolution_has_the_fans_of_the_convolution_that_it_transposes(
    inputs: int, outputs: int, groups: int
) -> None:
    """Its output for one pixel is its weight, out by in, group by group."""
    layer = initialised(nn.ConvTranspose2d(inputs, outputs, 3, groups=groups, bias=False), "orthogonal")
    values = INITIALISERS["orthogonal"](stream(0, "init", "weight"), (outputs, inputs // groups, 3, 3))
    drawn = torch.from_numpy(values.astype(np.float32))
    for channel in range(inputs):
        pixel = torch.zeros(1, inputs, 1, 1)
        pixel[0, channel] = 1
        group, within = divmod(channel, inputs // groups)
        outs = slice(group * outputs // groups, (group + 1) * outputs // groups)
        expected = torch.zeros(outputs, 3, 3)
        expected[outs] = drawn[outs, within]
        torch.testing.assert_close(layer(pixel)[0], expected, rtol=0, atol=0)


class Free(nn.Module):
    """Two parameters of no layer of torch's."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.position = nn.Parameter(torch.full((3,), 1e-5)), nn.Parameter(torch.randn(2, 3))


def test_free_parameters_are_as_constructed_or_drawn() -> None:
    model = Free()
    setattr(model, RANDOM, frozenset({"position"}))
    initialised(model, "normal")
    assert torch.equal(model.scale, torch.full((3,), 1e-5))
    drawn = (0.02 * stream(0, "init", "position").standard_normal((2, 3))).astype(np.float32)
    assert torch.equal(model.position, torch.from_numpy(drawn))


def test_a_shared_weight_is_drawn_once_by_its_first_name() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    alone = initialised(nn.Sequential(nn.Linear(3, 3)), "normal")
    assert torch.equal(initialised(model, "normal")[1].weight, alone[0].weight)
