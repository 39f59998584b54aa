"""An adapter as few bytes, and back bit for bit."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import ROOT, blocks
from tiny_transformers import adapted, file_of, llama, tokens, with_random_values

from bench.artefact.mask_codec import entropy_bytes
from bench.artefact.weights_file import TYPES
from bench.peft import compress, decompress, mask_fn
from bench.peft.adapter import BITS, PREFIX

PAGE = ROOT / "docs" / "peft.md"
State = dict[str, torch.Tensor]


def pair(flat: list[int], columns: int, dtype: torch.dtype = torch.int32) -> torch.Tensor:
    """The indices of these places of a mask."""
    return torch.tensor([[i // columns for i in flat], [i % columns for i in flat]], dtype=dtype).reshape(2, -1)


def bits_of(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.reshape(-1).view(BITS[tensor.element_size()]).numpy().tobytes())


def is_same(one: State, other: State) -> bool:
    """The same names in the same order, types, shapes and bits."""
    same = list(one) == list(other)
    for name, tensor in one.items() if same else ():
        same &= (tensor.dtype, tensor.shape) == (other[name].dtype, other[name].shape)
        same &= bits_of(tensor) == bits_of(other[name])
    return same


@settings(max_examples=40)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_a_layer_comes_back(rows: int, columns: int, density: float, seed: int) -> None:
    random = np.random.RandomState(seed)
    indices = torch.from_numpy(np.argwhere(random.random_sample((rows, columns)) < density).T.copy()).int()
    values = torch.from_numpy(random.standard_normal(indices.shape[1]))
    state = {"q.shira_weight": values.float(), "q.shira_indices": indices}
    assert is_same(decompress(compress(state)), state)


def test_every_type_comes_back() -> None:
    bits = torch.arange(-8, 8, dtype=torch.int64)
    state = {f"head.{name}": bits.to(dtype).reshape(2, 8) for name, dtype in TYPES.items()}
    state |= {"scalar": torch.tensor(float("nan")), "none": torch.empty(0, 3), "minus zero": torch.tensor([-0.0])}
    state["transposed"] = torch.arange(6.0).view(2, 3).T
    assert is_same(decompress(compress(state)), {name: tensor.contiguous() for name, tensor in state.items()})


@pytest.mark.parametrize(
    "indices",
    [
        pair([5, 3, 9], 4), pair([3, 3, 9], 4), pair([3, 5, 9], 4).float(), torch.tensor([[0, -1], [0, 2]]),
        torch.arange(3), torch.empty(2, 0, dtype=torch.int32),
    ],
)  # fmt: skip
def test_indices_that_are_no_mask_come_back_too(indices: torch.Tensor) -> None:
    state = {"q.shira_indices": indices, "q.shira_weight": torch.ones(3)}
    assert is_same(decompress(compress(state)), state)


def test_indices_take_their_entropy() -> None:
    places = torch.randperm(200 * 300, generator=torch.Generator().manual_seed(0))[:1_000].sort().values.tolist()
    state = {"q.shira_indices": pair([*places, 200 * 300 - 1], 300)}
    assert len(compress(state)) < entropy_bytes([(200 * 300, 1_001)]) + 250  # the header and the checksum


def test_what_is_no_compressed_adapter_is_refused_in_one_line() -> None:
    data = compress({"q.shira_weight": torch.arange(9.0)})
    cut, flipped = data[:-1], bytes([*data[:-40], data[-40] ^ 1, *data[-39:]])
    later = struct.pack("<8sHI", data[:8], 2, 0) + data[PREFIX.size :]
    for wrong, message in (
        (b"", "not a compressed adapter: it does not begin as one"),
        (b"x" * 100, "not a compressed adapter: it does not begin as one"),
        (cut, "compressed adapter: corrupted or cut off: its checksum does not match"),
        (flipped, "compressed adapter: corrupted or cut off: its checksum does not match"),
        (later, "compressed adapter of format version 2: must be 1"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            decompress(wrong)
    with pytest.raises(ValueError, match=r"^tensor q: torch\.complex64: must be one of float64, float32, "):
        compress({"q": torch.ones(2, dtype=torch.complex64)})


SMALL: State = {"q.shira_indices": pair([1, 2, 5], 4), "q.shira_weight": torch.ones(3), "bias": torch.zeros(2)}
Q, WEIGHT, BIAS = ["q.shira_indices", "int32", [2, 3]], ["q.shira_weight", "float32", [3]], ["bias", "float32", [2]]


def sealed(packed: bytes, sections: bytes) -> bytes:
    """The bytes of an adapter, with a seal that is right."""
    body = PREFIX.pack(compress({})[:8], 1, len(packed)) + packed + sections
    return body + hashlib.sha256(body).digest()


def remade(**changed: Any) -> bytes:
    """SMALL compressed, with other fields in its header."""
    data = compress(SMALL)
    start = PREFIX.size + PREFIX.unpack_from(data)[2]
    header = json.loads(zlib.decompress(data[PREFIX.size : start])) | changed
    return sealed(zlib.compress(json.dumps(header).encode()), data[start:-32])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"mask": None}, "header, mask: Input should be a valid integer"),
        ({"mask": 8}, "bytes behind the header, which declares"),
        ({"tensors": 3}, "header, tensors: Input should be a valid"),
        ({"tensors": [Q, WEIGHT, ["bias", "float8", [2]]]}, "header, tensors.2.1: Value error, must be one of float64"),
        ({"tensors": [Q, WEIGHT, ["bias", "float32", [-2]]]}, "header, tensors.2.2.0: Input should be greater than"),
        ({"tensors": [Q, WEIGHT, ["bias", "float32", [1 << 62]]]}, "tensors.2.2: Value error, must have fewer values"),
        ({"tensors": [Q, WEIGHT, ["bias", "float32", [1 << 50]]]}, "numbers of float32 cannot be in"),
        ({"tensors": [Q, WEIGHT, BIAS, BIAS]}, "header: Value error, names of tensors must differ"),
        ({"tensors": [Q, WEIGHT, ["bias", "int8", [2]]]}, "numbers must be of the types of the tensors"),
        ({"tensors": [Q, WEIGHT, ["bias", "float32", [3]]]}, "plane"),
        ({"masks": {"q.shira_indices": [2, 4]}}, "header, masks.q.shira_indices.2: Field required"),
        ({"masks": {"q.shira_indices": [1 << 20, 1 << 20, 3]}}, "mask 'q.shira_indices': must be of a tensor of ind"),
        ({"masks": {"k": [2, 4, 3]}}, "mask 'k': must be of a tensor of indices, [2, 3]"),
        ({"masks": {"q.shira_indices": [2, 5, 3]}}, "mask"),
        ({"numbers": {"float32": -1}}, "header, numbers.float32: Input should be greater than or equal to 0"),
        ({"more": 1}, "header, more: Extra inputs are not permitted"),
    ],
)
def test_a_header_of_something_else_is_refused_in_one_line(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:
        decompress(remade(**changed))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "document",
    [b" " * (1 << 25), b"[" * 100_000, b"", b"[]", b'{"tensors": NaN}', b"\xff", b'{"tensors": [["\\ud800"]]}'],
)
def test_a_header_is_not_unpacked_without_end(document: bytes) -> None:
    tracemalloc.start()
    for packed in (zlib.compress(document, 9), document[:100]):
        with pytest.raises(ValueError, match=r"^compressed adapter: header[^\n]*$"):
            decompress(sealed(packed, b""))
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_indices_of_a_layer_beyond_memory_are_numbers() -> None:
    state = {"q.shira_indices": torch.tensor([[0, 2**30], [5, 2**30]]), "q.shira_weight": torch.ones(2)}
    assert is_same(decompress(compress(state)), state)


def peft_state(file: Path) -> State:
    from safetensors.torch import load_file

    state: State = load_file(file)
    return state


def test_pefts_file_comes_back_and_peft_reads_it(tmp_path: Path) -> None:
    peft, safetensors = pytest.importorskip("peft"), pytest.importorskip("safetensors.torch")
    model = with_random_values(adapted(llama(), mask_fn("magnitude")))
    file = file_of(model, tmp_path)
    state = peft_state(file)
    data = compress(state)
    assert is_same(decompress(data), state)
    assert is_same(decompress(compress(peft.get_peft_model_state_dict(model))), peft.get_peft_model_state_dict(model))
    before, (x, _) = file.read_bytes(), tokens()
    file.unlink()
    safetensors.save_file(decompress(data), file, metadata={"format": "pt"})
    assert file.read_bytes() == before
    read = peft.PeftModel.from_pretrained(llama(), str(tmp_path))
    assert torch.equal(read(x).logits, model(x).logits)
    assert not torch.equal(read(x).logits, llama()(x).logits)


def table() -> list[list[str]]:
    """The rows of the page's table of bytes."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text("utf-8").splitlines()]
    return [row for row in rows if row[0].isdigit()]


@pytest.mark.parametrize("row", table(), ids=lambda row: f"r={row[0]}")
def test_the_bytes_of_the_page(row: list[str], tmp_path: Path) -> None:
    """PEFT's file and the mask to the byte; the compressed values to 1 %, as versions of zlib differ."""
    pytest.importorskip("peft")
    targets = ("q_proj", "k_proj", "v_proj", "o_proj")
    network = llama(hidden=256, layers=4)
    model: Any = adapted(network, mask_fn("random", model=network), r=int(row[0]), targets=targets)
    file = file_of(with_random_values(model), tmp_path)
    state, size = peft_state(file), file.stat().st_size
    trained = sum(tensor.numel() for name, tensor in state.items() if name.endswith("shira_weight"))
    layers = [module.base_layer.weight.numel() for module in model.modules() if hasattr(module, "shira_indices")]
    positions = len(compress({name: tensor for name, tensor in state.items() if name.endswith("shira_indices")}))
    data = compress(state)
    share, theirs, ours, *per_weight = row[1:]
    assert share == f"{100 * trained / sum(layers):.2f} %" and theirs == f"{size:,}"
    assert int(ours.replace(",", "")) == pytest.approx(len(data), rel=0.01)
    assert [float(number) for number in per_weight] == pytest.approx(
        [size / trained, len(data) / trained, positions / trained], abs=0.1
    )


def test_the_example_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("peft")
    (block,) = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    exec(block, names)
    state = names["get_peft_model_state_dict"](names["model"])
    assert is_same(decompress(names["data"]), state)
    assert {tensor.shape[-1] for tensor in state.values()} == {2 * (32 + 32)}
