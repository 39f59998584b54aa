"""Weights from outside: what is taken and drawn, one key for one set of weights, what is refused."""

from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from small_trials import images, spec
from torch import Tensor, nn

from bench import models, names
from bench.artefact.network_file import load
from bench.artefact.outside_weights import OutsideStart, outside_start
from bench.artefact.weights_file import tensors_in
from bench.engine.needs import Needs
from bench.engine.train import train
from bench.execution.starts import StartRequest, with_start
from bench.methods import METHODS
from bench.trial import networks
from bench.trial.sweep import Sweep

State = dict[str, Tensor]
DATA = images(130, 30)


def sweep(model: str = "lenet-300-100", classes: int = 10, shape: tuple[int, ...] = (1, 28, 28)) -> Sweep:
    protocol = {"dataset": "small", "data_hash": "0", "model": model, "precision": "float32", "epochs": 1, "lr": 0.1}
    return Sweep(
        methods={"freeze": METHODS["freeze"]}, rates=[Decimal("0.9")], seeds=[0], dense=False,
        classes=classes, image_shape=shape, protocol={**protocol, "initialiser": "xavier-normal"},
    )  # fmt: skip


def random_state(model: nn.Module) -> State:
    """A state dict of random numbers in the model's names and shapes."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(t.shape, generator=generator) if t.is_floating_point() else torch.tensor(7)
        for name, t in model.state_dict().items()
    }


def as_torch(state: object, **settings: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, **settings)
    return file.getvalue()


def old_format(state: State) -> bytes:
    return as_torch(state, _use_new_zipfile_serialization=False)


def packed(archive: bytes) -> bytes:
    """The archive with its files compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


def of_file(folder: Path, data: bytes, name: str = "given.pt", **fields: Any) -> OutsideStart:
    (folder / name).write_bytes(data)
    return outside_start(sweep(**fields), str(folder / name), "redrawn", "kept")


def lenet() -> State:
    return random_state(models.build("lenet-300-100", 10))


@pytest.mark.parametrize(
    ("model", "theirs", "drawn"),
    [
        ("resnet18", "resnet18", "conv1.weight, fc.weight, fc.bias"),
        ("vgg16-bn", "vgg16_bn", "classifier.0.weight, classifier.0.bias"),
        ("torchvision:resnet18", "resnet18", "fc.weight, fc.bias"),
    ],
)
def test_weights_of_torchvision(
    model: str, theirs: str, drawn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every tensor is taken but the named ones: from the file that torchvision keeps, and from one of any name."""
    with torch.device("meta"):  # its shapes, without half a gigabyte of numbers
        network = torchvision.models.get_model(theirs, weights=None)
        if theirs == "vgg16_bn":  # its three Linear layers, narrower
            network.classifier = nn.Sequential(*(nn.Linear(3, 4) if i in (0, 3, 6) else nn.ReLU() for i in range(7)))
    state = random_state(network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = sweep(model, 10, (3, 32, 32))
    networks.row_of(model, 10, (3, 32, 32))  # puts that of the library into the table
    with pytest.raises(ValueError, match=rf"get_model\('{theirs}', weights='IMAGENET1K_V1'\)\"` fetches it$"):
        outside_start(asked, "torchvision/IMAGENET1K_V1", "redrawn", "kept")
    url = torchvision.models.get_model_weights(theirs)["IMAGENET1K_V1"].url
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / Path(url).name).write_bytes(as_torch(state))
    started = outside_start(asked, "torchvision/IMAGENET1K_V1", "redrawn", "kept")
    own = models.build(model, 10, (3, 32, 32))
    tensors = [name for name, _ in [*own.named_parameters(), *own.named_buffers()]]
    taken = len(tensors) - len(drawn.split(", "))
    assert started.words.endswith(f": {taken} tensors taken; drawn: {drawn}")
    other = of_file(tmp_path, save(state), "other.safetensors", model=model, shape=(3, 32, 32))
    assert other.start == started.start and other.words.partition(": ")[2] == started.words.partition(": ")[2]
    (sha256,) = other.weights
    assert started.start.record() == {"weights": sha256, "head": "redrawn", "norm": "kept"}


def test_torchvision_has_no_such_weights() -> None:
    with pytest.raises(ValueError, match="torchvision has no weights of model 'lenet-300-100'; the model must be one"):
        outside_start(sweep(), "torchvision/IMAGENET1K_V1", "redrawn", "kept")
    with pytest.raises(ValueError, match="unknown weights of resnet18 'IMAGENET1K_V9': must be one of IMAGENET1K_V1"):
        outside_start(sweep("resnet18", 10, (3, 32, 32)), "torchvision/IMAGENET1K_V9", "redrawn", "kept")


def test_one_set_of_weights_is_one_start_whatever_its_file(tmp_path: Path) -> None:
    """The same tensors as .safetensors and in both formats of torch.save, under any name; and in a `.frz` file."""
    (dense,) = train([spec("dense")], DATA, "cpu")
    starts = {"a.frz": of_file(tmp_path, dense.artefact, "a.frz")}
    state = dict(load(tmp_path / "a.frz").state_dict())
    for name, form in {"a.safetensors": save, "b.pt": as_torch, "c.pth": as_torch, "d.bin": old_format}.items():
        starts[name] = of_file(tmp_path, form(state), name)
    records = {str(started.start.record()) for started in starts.values()}
    assert records == {str({"weights": dense.tags[names.WEIGHTS_SHA256], "head": "redrawn", "norm": "kept"})}
    one = [spec("freeze", "0.9", start=started.start) for started in starts.values()]
    assert len({trial.run_key for trial in one}) == 1 and one[0].run_key != spec("freeze", "0.9").run_key
    results = [
        train([trial], DATA, "cpu", needs=Needs(started.weights))[0]
        for trial, started in zip(one, starts.values(), strict=True)
    ]
    assert len({result.tags[names.WEIGHTS_SHA256] for result in results}) == 1
    assert [result.tags[names.BASE_LABEL] for result in results] == list(starts)
    assert results[0].tags[names.BASE_TAKEN].endswith("tensors taken; drawn: fc3.weight, fc3.bias")
    key = dense.tags[names.WEIGHTS_SHA256]
    assert {(r.tags[names.BASE_KEY], r.tags[names.BASE_SHA256]) for r in results} == {(key, key)}


def test_a_frozen_network_is_rebuilt_from_the_weights_that_were_given(tmp_path: Path) -> None:
    started = of_file(tmp_path, save(lenet()), "given.safetensors")
    (result,) = train([spec("freeze", "0.9", start=started.start)], DATA, "cpu", needs=Needs(started.weights))
    (tmp_path / "a.frz").write_bytes(result.artefact)
    rebuilt = load(tmp_path / "a.frz", base=tmp_path / "given.safetensors")
    frozen = rebuilt.state_dict()["fc1.weight"] == lenet()["fc1.weight"]
    assert 0.8 < frozen.double().mean() < 1
    (tmp_path / "other.pt").write_bytes(as_torch({**lenet(), "fc1.bias": torch.zeros(300)}))
    with pytest.raises(ValueError, match=r"base: must be weights of SHA-256 [0-9a-f]{16}; given is weights of SHA-256"):
        load(tmp_path / "a.frz", base=tmp_path / "other.pt")


def test_what_the_network_need_not_be_given(tmp_path: Path) -> None:
    """Counts of batches, which files of old versions lack, and narrower numbers, which are the same in float32."""
    state = random_state(models.build("resnet20", 10))
    fewer = {name: t.bfloat16() for name, t in state.items() if not name.endswith("num_batches_tracked")}
    started = of_file(tmp_path, as_torch(fewer), model="resnet20", shape=(3, 32, 32))
    assert started.words.endswith(f": {len(fewer) - 2} tensors taken; drawn: fc.weight, fc.bias")


class Code:
    """Runs a command as it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch executed",)


def without(name: str) -> State:
    return {key: tensor for key, tensor in lenet().items() if key != name}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: pickle.dumps(Code(), protocol=2), "holds more than tensors: must be a state dict alone"),
        (lambda: as_torch({"fc1.weight": Code()}), "holds more than tensors: must be a state dict alone"),
        (lambda: as_torch(models.build("lenet-300-100", 10)), "holds more than tensors: must be a state dict alone"),
        (lambda: as_torch({"state_dict": lenet()}), "'state_dict' is a mapping of 6 entries: must be a state dict"),
        (lambda: as_torch([1, 2]), "a list: must be a state dict"),
        (lambda: as_torch({}), "empty: must be a state dict"),
        (lambda: as_torch({0: torch.ones(1)}), "0 is a Tensor: must be a state dict"),
        (lambda: as_torch(lenet())[:-100], "cannot be read as what torch.save wrote: "),
        (lambda: save(lenet())[:-100], "cannot be read as a .safetensors file: "),
        (lambda: b"\xff" * 8 + b"{", "cannot be read as a .safetensors file: "),
        (lambda: b"PK\x03\x04" + bytes(100), "cannot be read as what torch.save wrote: "),
        (lambda: b"\x80\x02M", "cannot be read as what torch.save wrote: "),
        (lambda: old_format(lenet())[:30], "cannot be read as what torch.save wrote: "),
        (lambda: packed(as_torch(lenet())), ": must not be packed"),
        (lambda: save({**lenet(), "fc1.bias": torch.ones(300).to(torch.float8_e4m3fn)}), "fc1.bias is a torch.s"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.ones(300).cfloat()}), "fc1.bias is a torch.strided tensor of"),
        (lambda: b"", "not a file of weights: must be a .frz file"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.zeros(1).expand(1 << 40)}), "fc1.bias of shape"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.eye(3).to_sparse()}), "fc1.bias is a torch.sparse_coo tensor"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.full((300,), torch.nan)}), "fc1.bias has values that are not"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.ones(300).double()}), "fc1.bias of torch.float64; must be of"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.ones(300).long()}), "fc1.bias of torch.int64; must be of"),
        (lambda: as_torch({**lenet(), "fc1.bias": torch.ones(299)}), "fc1.bias of shape (299,); must be of shape (300"),
        (lambda: as_torch(without("fc2.bias")), "has no fc2.bias; must have every tensor of the network but the head"),
        (lambda: as_torch({**lenet(), "fc4\n.bias": torch.ones(3)}), r"has 'fc4\n.bias'; must have no tensor that"),
    ],
)  # fmt: skip
def test_what_is_refused(
    content: Callable[[], bytes], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as error:
        of_file(tmp_path, content())
    message = str(error.value)
    assert message.startswith(f"start '{tmp_path}/given.pt': ") and said in message and "\n" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["given.pt"]


def test_an_archive_is_not_unpacked_beyond_its_size() -> None:
    """40 MB of zeros in 40 kB, which would be in memory before its tensors could be looked at."""
    data = packed(as_torch({"fc1.weight": torch.zeros(10_000_000)}))
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"^an archive of {len(data)} bytes that holds 4000\d{{4}}: must"):
        tensors_in(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["new", "old"]), st.lists(st.tuples(st.integers(4, 700), st.integers(0, 255)), max_size=6))
def test_damage_is_an_error_of_one_line_or_other_tensors(form: str, changes: list[tuple[int, int]]) -> None:
    state = {"weight": torch.arange(12.0)}
    damaged = bytearray(as_torch(state) if form == "new" else old_format(state))
    for place, byte in changes:
        damaged[place % len(damaged)] = byte
    try:
        tensors = tensors_in(bytes(damaged))
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(tensor, Tensor) for tensor in tensors.values())


def test_a_head_that_is_kept_must_fit(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(as_torch(random_state(models.build("lenet-300-100", 7))))
    with pytest.raises(ValueError, match=r"fc3.weight of shape \(7, 100\); must be of shape \(10, 100\)"):
        outside_start(sweep(), str(tmp_path / "a.pt"), "kept", "kept")
    assert outside_start(sweep(), str(tmp_path / "a.pt"), "redrawn", "kept").words.endswith("fc3.weight, fc3.bias")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"start 'none.pt': cannot be read: No such file or directory"):
        outside_start(sweep(), "none.pt", "redrawn", "kept")


@pytest.mark.parametrize(
    ("request_fields", "said"),
    [
        ({"epochs": 3}, "start-epochs 3 with start 'pretrained:a.pt': must be left out"),
        ({"lr": 0.5}, "start-lr 0.5 with start 'pretrained:a.pt': must be left out"),
        ({"start": "pretrained:a.pt@3"}, "must be without @3, since a.pt is one for all seeds"),
        ({"start": "a.pt"}, "must be one of scratch, pretrained:DATA, pretrained:DATA@SEED, pretrained:FILE"),
    ],
)
def test_words_that_do_not_go_with_a_file(request_fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:
        with_start(sweep(), "small", StartRequest(**{"start": "pretrained:a.pt", **request_fields}))
    assert said in str(error.value)


def test_a_plain_file_of_tensors_is_read_as_it_is() -> None:
    state = lenet()
    for form in (save, as_torch, old_format):
        read = tensors_in(form(state))
        assert read.keys() == state.keys() and all(torch.equal(read[name], state[name]) for name in state)
