"""Stored networks: back bit for bit, as small as claimed, and a clear error for anything else."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import environment
from remade_files import remade
from small_trials import images, spec
from torch import Tensor, nn

from bench import models, names
from bench.artefact import artefact
from bench.artefact.artefact import read, write
from bench.artefact.container import PREFIX, SEAL, seal, sizes, unseal
from bench.artefact.mask_codec import entropy_bytes
from bench.artefact.network_file import load
from bench.artefact.value_types import VALUE_TYPES, narrow, widen
from bench.engine.setup.background import apply_background
from bench.engine.setup.checksums import logits_checksum
from bench.engine.setup.prepare import prepare
from bench.engine.train import train
from bench.methods import METHODS, Method
from bench.methods.maskable import maskable
from bench.models.initialise import checksum

DATA = images(130, 30)  # 117 to train with
MODELS = ("lenet-300-100", "lenet-5-caffe")
# Not those that need another training, or a BatchNorm behind every layer but the last, which these networks lack.
TRAINABLE = [name for name, m in METHODS.items() if m.at_initialisation and m.criterion != "channel-snip"]
SCOPED = Method(criterion="snip", scope="uniform", background="freeze")


@cache
def trained(model: str, method: str, rate: str = "0.9", precision: str = "float32", per_class: int = 2) -> Any:
    """The result of a trial, and its file. A method in rounds has three: how good its mask is, is no matter here."""
    one = spec(method, rate, model=model, precision=precision, criterion_per_class=per_class)
    if hasattr(one.method, "rounds"):
        one = replace(one, method=replace(one.method, rounds=3))
    (result,) = train([one], DATA, "cpu")
    assert result.outcome == names.DONE, result.reason
    return result


def untrained(model: str, method: str, rate: str) -> bytes:
    """The file of a network at its first step."""
    one = spec(method, rate, model=model)
    trial = prepare(one, DATA, "cpu")
    apply_background(trial.model, trial.masks, one)
    return write(
        spec=one.record(), model=trial.model, masks=trial.masks, init_sha256=trial.init_sha256,
        image_shape=(1, 28, 28), classes=10, test_accuracy=0.5,
    )  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", TRAINABLE)
def test_a_network_comes_back_bit_for_bit(model: str, method: str, tmp_path: Path) -> None:
    result = trained(model, method)
    (tmp_path / "a.frz").write_bytes(result.artefact)
    rebuilt = load(tmp_path / "a.frz")
    header, _ = unseal(result.artefact)
    assert not rebuilt.training
    assert checksum(rebuilt) == result.tags[names.WEIGHTS_SHA256] == header.sha256.weights
    assert logits_checksum(rebuilt, 0, (1, 28, 28)) == header.sha256.logits
    assert header.test_accuracy == result.metrics[names.TEST_ACCURACY]
    assert (header.sha256.init, header.sha256.mask) == tuple(
        result.tags[name] for name in (names.INIT_SHA256, names.MASK_SHA256)
    )


@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
def test_every_precision_comes_back(precision: str) -> None:
    result = trained("lenet-300-100", "freeze", "0.9", precision)
    artefact = read(result.artefact)
    assert artefact.header.value_type == ("float64" if precision == "float64" else "float32")
    assert checksum(artefact.model) == result.tags[names.WEIGHTS_SHA256]


def test_the_figures_of_a_file() -> None:
    result = trained("lenet-300-100", "snip")
    parts = sizes(result.artefact)
    assert sum(parts.values()) == len(result.artefact) == result.metrics[names.STORED_BYTES]
    assert (parts["mask"], parts["values"]) == (result.metrics[names.MASK_BYTES], result.metrics[names.VALUE_BYTES])
    assert result.metrics[names.COMPRESSION_BYTES] == 4 * 266_610 / len(result.artefact)


def test_a_diverged_trial_has_no_file() -> None:
    (result,) = train([spec("freeze", lr=1e30)], DATA, "cpu")
    assert result.outcome == names.DIVERGED and result.artefact == b"" and names.STORED_BYTES not in result.metrics


def test_lenet_5_at_0_995_is_as_small_as_claimed() -> None:
    """2,733 stored parameters, × 157.7; in bytes × 132 or better."""
    result = trained("lenet-5-caffe", "freeze", "0.995", per_class=10)
    assert result.metrics[names.STORED_PARAMETERS] == 2_733
    assert len(result.artefact) <= 13_000 and result.metrics[names.COMPRESSION_BYTES] >= 132


@pytest.mark.parametrize("rate", ["0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999"])
def test_a_mask_of_snip_is_as_short_as_its_entropy(rate: str) -> None:
    data = untrained("lenet-5-caffe", "snip", rate)
    header, (mask, _, _) = unseal(data)
    weights = [w.numel() for w in maskable(models.build("lenet-5-caffe", 10)).values()]
    assert len(mask) <= 1.01 * entropy_bytes(list(zip(weights, header.live, strict=True))) + 16


def test_a_frozen_and_a_pruned_network_differ_by_the_seed_alone() -> None:
    """The mask takes the same bytes, the values as many numbers; both name the seed, a frozen one needs its 4 bytes."""
    frozen, pruned = (unseal(untrained("lenet-300-100", m, "0.98")) for m in ("freeze", "snip"))
    assert frozen[1] == pruned[1]  # at their first step even the values are the same
    assert frozen[0].live == pruned[0].live and frozen[0].sha256.mask == pruned[0].sha256.mask
    assert frozen[0].sha256.weights != pruned[0].sha256.weights


def test_a_pruned_network_needs_no_initial_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    pruned, frozen, dense = (trained("lenet-300-100", m).artefact for m in ("snip", "freeze", "dense"))
    monkeypatch.setitem(artefact.INITIALISERS, "xavier-normal", lambda *_: pytest.fail("drawn"))
    read(pruned)
    read(dense)
    with pytest.raises(pytest.fail.Exception, match="drawn"):
        read(frozen)


def test_initial_weights_that_come_out_differently_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One weight of 266,200, by one unit in the last place."""
    drawn = artefact.INITIALISERS["xavier-normal"]

    def elsewhere(generator: np.random.RandomState, shape: tuple[int, ...]) -> Any:
        values = drawn(generator, shape)
        values.flat[-1] = np.nextafter(np.float32(values.flat[-1]), np.float32(9))
        return values

    data = trained("lenet-300-100", "freeze").artefact
    monkeypatch.setitem(artefact.INITIALISERS, "xavier-normal", elsewhere)
    monkeypatch.setattr(artefact, "versions", lambda: dict.fromkeys(artefact.PACKAGES, "0.0"))
    with pytest.raises(ValueError, match="cannot be reproduced here") as error:
        read(data)
    assert f"torch {torch.__version__.partition('+')[0]}" in str(error.value)
    assert "here constriction 0.0, numpy 0.0, torch 0.0" in str(error.value) and "\n" not in str(error.value)


LOAD = """
import sys
from pathlib import Path
for module in ("ray", "mlflow", "pandas", "torchvision", "sklearn"):
    sys.modules[module] = None
from bench.artefact.network_file import open_artefact
from bench.engine.setup.checksums import logits_checksum
networks = [open_artefact(file) for file in sys.argv[1:]]
engine = {"bench.engine.train", "bench.engine.setup.prepare", "bench.engine.steps.live_optimizer"}
engine |= {"bench.datasets.images", "bench.datasets.loader"}
assert not engine & {*sys.modules}
for found in networks:
    print(logits_checksum(found.model, found.header.spec.seed, tuple(found.header.image_shape)))
"""


@pytest.mark.parametrize(("capability", "threads"), [("default", "1"), ("avx2", "1"), ("avx2", "2"), ("", "2")])
def test_the_same_elsewhere_without_the_training_code(capability: str, threads: str, tmp_path: Path) -> None:
    """Other instruction sets and numbers of threads: the same weights and, bit for bit, the same logits."""
    networks = {tmp_path / f"{model}.frz": trained(model, "freeze").artefact for model in MODELS}
    for file, data in networks.items():
        file.write_bytes(data)
    there = environment() | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    there |= {"ATEN_CPU_CAPABILITY": capability} if capability else {}
    command = [sys.executable, "-c", LOAD, *map(str, networks)]
    process = subprocess.run(command, capture_output=True, text=True, env=there, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == [unseal(data)[0].sha256.logits for data in networks.values()]


# Narrow values.


@pytest.mark.parametrize("value_type", ["float16", "bfloat16", "int8"])
def test_narrow_values_take_fewer_bytes_and_are_read_back_as_rounded(value_type: str) -> None:
    result = trained("lenet-300-100", "freeze")
    whole = read(result.artefact)
    given = {
        "spec": whole.header.spec.model_dump(), "masks": whole.masks, "init_sha256": whole.header.sha256.init,
        "image_shape": (1, 28, 28), "classes": 10, "test_accuracy": whole.header.test_accuracy,
    }  # fmt: skip
    data = write(model=whole.model, **given, value_type=value_type)
    narrowed = read(data)
    assert write(model=whole.model, **given) == result.artefact
    assert sizes(data)["values"] < (0.4 if value_type == "int8" else 0.6) * sizes(result.artefact)["values"]
    assert checksum(whole.model) == result.tags[names.WEIGHTS_SHA256]  # not changed by being narrowed
    for (name, before), after in zip(maskable(whole.model).items(), maskable(narrowed.model).values(), strict=True):
        live = whole.masks[name]
        assert torch.equal(before[~live], after[~live])
        if value_type == "int8":
            step = float(before[live].detach().double().abs().max()) / 127
            assert torch.equal(after[live], ((before[live].double() / step).round() * step).float())
        else:
            assert torch.equal(after[live], before[live].to(getattr(torch, value_type)).float())
    assert torch.equal(narrowed.model.fc1.bias, whole.model.fc1.bias)


def test_int8_by_hand() -> None:
    numbers, scales = narrow([torch.tensor([1.27, -0.634, 0.0]), torch.zeros(2), torch.zeros(0)], "int8")
    assert numbers.tolist() == [127, -63, 0, 0, 0] and scales == [pytest.approx(0.01, rel=1e-6), 0.0, 0.0]
    first, second, third = widen(numbers, [3, 2, 0], scales, "int8")
    assert first.tolist() == [pytest.approx(1.27), -63 * scales[0], 0.0]
    assert second.tolist() == [0.0, 0.0] and third.tolist() == []


def test_types_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="value type float16: the weight 70000 does not fit"):
        narrow([torch.tensor([1.0, 7e4])], "float16")
    whole = read(trained("lenet-300-100", "freeze").artefact)
    given = {
        "spec": whole.header.spec.model_dump(),
        "model": whole.model,
        "masks": whole.masks,
        "init_sha256": "0" * 64,
    }
    given |= {"image_shape": (1, 28, 28), "classes": 10, "test_accuracy": 0.5}
    with pytest.raises(ValueError, match="value type float64: must not be wider than float32"):
        write(**given, value_type="float64")
    with pytest.raises(ValueError, match=r"unknown value type 'int9': must be one of .*; did you mean int8\?"):
        write(**given, value_type="int9")


# Files that are none.


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"live": [1, 2]}, "live weights of 2 layers: lenet-300-100 has 3"),
        ({"live": [10**12, 0, 0]}, "live weights, but 1000000000000 are declared"),
        ({"live": [-1, 0, 0]}, "header, live.0: Input should be greater than or equal to 0, found '-1'"),
        ({"value_type": "float23"}, "unknown value type 'float23': must be one of float64, float32"),
        ({"value_type": "float64"}, "plane"),
        ({"classes": 11}, "are declared"),
        ({"image_shape": [1, 28, 29]}, "lenet-300-100 takes others"),
        ({"image_shape": [1, 28, 28, 1]}, "header, image_shape"),
        ({"counters": {"x": [1]}}, "counters x: must be none"),
        ({"scales": [1.0]}, "1 scales of 3 tensors of float32 values: must be one each of int8, else none"),
        ({"extra": 1}, "header, extra"),
        (
            {"base": {"key": 64 * "0", "weights": 64 * "0"}},
            "header, base: Value error, must be there if the spec has a",
        ),
        ({"spec": {"model": "x"}}, "header, spec.initialiser: Field required"),
        ({"test_accuracy": float("inf")}, "header: the number Infinity"),
        ({"made_with": {"a\nb": "c"}}, "header: a string that cannot be printed: 'a\\nb'"),
        ({"made_with": {"a": "\ud800"}}, "header: a string that cannot be printed"),
        ({"x" * 5000: 1}, "header"),
        ({"counters": {"x" * 5000: [1]}}, "counters xxx"),
    ],
)
def test_a_header_that_says_something_else(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:
        read(remade(trained("lenet-300-100", "freeze").artefact, **changed))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"), [("model", "lenet-300"), ("seed", -1), ("seed", 2**32), ("precision", "f")]
)
def test_a_spec_that_says_something_else(field: str, value: Any) -> None:
    data = trained("lenet-300-100", "freeze").artefact
    with pytest.raises(ValueError, match=field):
        read(remade(data, spec=unseal(data)[0].spec.model_dump() | {field: value}))


def test_other_files_are_named(tmp_path: Path) -> None:
    data = trained("lenet-300-100", "freeze").artefact
    for content, said in (
        (b"", "not a stored network"),
        (b"PK\x03\x04" + bytes(1000), "not a stored network"),
        (data[:-1], "corrupted or cut off"),
        (data + b"x", "corrupted or cut off"),
        (
            data[:8] + b"\x06" + data[9:],
            "format version 6: must be 1, 2, 3, 4 or 5; use the version of bench that wrote",
        ),
    ):
        (tmp_path / "a.frz").write_bytes(content)
        with pytest.raises(ValueError) as error:
            load(tmp_path / "a.frz")
        assert str(error.value).startswith(f"{tmp_path}/a.frz: ") and said in str(error.value)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "b.frz")


def test_a_file_is_not_read_beyond_what_its_network_needs(tmp_path: Path) -> None:
    """A header that declares parts of 5 GB, in a file that has them (as a hole), of a network of a megabyte."""
    data = trained("lenet-300-100", "freeze").artefact
    header, _ = unseal(data)
    packed = zlib.compress(json.dumps(header.model_dump() | {"parts": [5 << 30, 0, 0]}).encode())
    with (tmp_path / "a.frz").open("wb") as file:
        file.write(PREFIX.pack(data[:8], 1, len(packed)) + packed)
        file.truncate(file.tell() + (5 << 30) + SEAL)
    tracemalloc.start()
    with pytest.raises(ValueError, match="parts of 5368709120 bytes: more than 266610 parameters need"):
        load(tmp_path / "a.frz")
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


def test_a_header_is_not_unpacked_without_end() -> None:
    for document in (b" " * (1 << 26), b"[" * (1 << 16), b'{"live": ' * 1000):
        packed = zlib.compress(document, 9)
        body = PREFIX.pack(trained("lenet-300-100", "freeze").artefact[:8], 1, len(packed)) + packed
        tracemalloc.start()
        with pytest.raises(ValueError, match="header"):
            read(body + hashlib.sha256(body).digest())
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
        tracemalloc.stop()


class Tiny(nn.Module):
    """Small enough for thousands of files: Conv, BatchNorm, Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 81, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.norm(self.conv(x)).relu().flatten(1))
        return out


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Files of trained tiny networks, by method."""
    monkeypatch.setattr(sys.modules[__name__], "tiny_network", lambda classes: Tiny(), raising=False)
    row = replace(models.MODELS["lenet-300-100"], build=f"{__name__}:tiny_network")
    monkeypatch.setitem(models.MODELS, "tiny", row)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__))
    yield {method: trained("tiny", method, "0.9").artefact for method in ("freeze", "snip", "dense")}
    trained.cache_clear()


def test_batchnorm_comes_back_with_its_state(tiny: dict[str, bytes]) -> None:
    model = read(tiny["freeze"]).model
    assert isinstance(model, Tiny)
    assert model.norm.num_batches_tracked == 2  # 117 images in batches of 100
    assert model.norm.running_mean.abs().min() > 0 and not torch.equal(model.norm.weight, torch.ones(4))


@pytest.mark.parametrize("files", [1_000, pytest.param(3_000, marks=pytest.mark.slow)])
def test_mutated_files(files: int, tiny: dict[str, bytes]) -> None:
    """Half of them are sealed anew, so that the damage reaches the reader: an error in one line, or the same network.

    No file takes more of Python's and NumPy's memory than an undamaged one and twice the network's parameters.
    """
    draw, whole = random.Random(0), {method: checksum(read(data).model) for method, data in tiny.items()}
    tracemalloc.start()
    allowed = max(memory(data) for data in tiny.values()) + 2 * 4 * 3338
    refused = largest = 0
    for round_ in range(files):
        method = draw.choice(list(tiny))
        data = mutated(tiny[method], draw, sealed=round_ % 2 == 0)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        try:
            assert checksum(read(data).model) == whole[method]
        except ValueError as error:
            assert "\n" not in str(error) and len(str(error)) < 500
            refused += 1
        largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    assert refused > 0.95 * files and largest < allowed


def memory(data: bytes) -> int:
    """What reading a file takes at most."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    read(data)
    return tracemalloc.get_traced_memory()[1] - before


def mutated(data: bytes, draw: random.Random, *, sealed: bool) -> bytes:
    """The file with bytes changed, removed or put in: in its prefix, its packed or its unpacked header, its parts."""
    if sealed and draw.random() < 0.4:
        return resealed_header(data, draw)
    raw = bytearray(data[:-SEAL] if sealed else data)
    for _ in range(draw.choice([1, 1, 2, 10])):
        start = draw.randrange(len(raw))
        match draw.randrange(4):
            case 0:
                raw[start] ^= 1 << draw.randrange(8)
            case 1:
                raw[start : start + draw.choice([1, 4, 100])] = b""
            case 2:
                raw[start:start] = draw.randbytes(draw.choice([1, 4, 100]))
            case _:
                raw[start : start + 4] = draw.choice([b"\xff\xff\xff\xff", bytes(4), b"\x00\x00\x00\x7f"])
        if not raw:
            break
    return bytes(raw) + hashlib.sha256(raw).digest() if sealed else bytes(raw)


def resealed_header(data: bytes, draw: random.Random) -> bytes:
    """The file with characters of its header's JSON changed."""
    header, parts = unseal(data)
    document = bytearray(json.dumps(header.model_dump()).encode())
    for _ in range(draw.choice([1, 2, 5])):
        document[draw.randrange(len(document))] = draw.choice(b'0123456789-eE.,:"[]{}an ')
    packed = zlib.compress(document)
    body = PREFIX.pack(data[:8], 1, len(packed)) + packed + b"".join(parts)
    return body + hashlib.sha256(body).digest()


def test_seal_and_unseal() -> None:
    header, parts = unseal(trained("lenet-300-100", "freeze").artefact)
    assert unseal(seal(header, parts)) == (header, parts)
    assert VALUE_TYPES.keys() == {"float64", "float32", "float16", "bfloat16", "int8"}
