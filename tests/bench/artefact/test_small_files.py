"""The state of a network without its closed channels, read with its widths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bench.artefact.small_files import WRITERS, SmallNetwork, _check_same, load_small
from bench.artefact.small_widths import Widths
from bench.channels.selection import Selection, first_open
from bench.models import build
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import close, shrunk

SHAPE = (1, 28, 28)
COUNTED = {"parameters": 784 * 33 + 33 + 33 * 11 + 11 + 110 + 10, "macs": 784 * 33 + 33 * 11 + 110}


def network() -> SmallNetwork:
    """LeNet-300-100 with 33 and 11 units."""
    torch.manual_seed(0)
    masked = build("lenet-300-100", 10).eval()
    channels = channels_of(masked, SHAPE)
    flags = first_open(channels, {"fc1": 33, "fc2": 11})
    close(masked, channels, flags)
    widths = Widths(
        model="lenet-300-100", classes=10, image_shape=list(SHAPE), precision="float32", stream=False,
        widths={"fc1": 33, "fc2": 11}, **COUNTED,
    )  # fmt: skip
    selection = Selection(channels=channels, open=flags)
    return SmallNetwork(masked=masked, model=shrunk(masked, channels, flags), selection=selection, widths=widths)


def written(folder: Path, **changes: Any) -> Path:
    """The files of the network, with other widths than its own; a field of value None is left out."""
    state, small = folder / "small.safetensors", network()
    state.write_bytes(WRITERS[".safetensors"](small))
    record = {name: value for name, value in {**small.widths.model_dump(), **changes}.items() if value is not None}
    state.with_suffix(".widths.json").write_text(json.dumps(record))
    return state


def refusal(state: Path, widths: Path | None = None) -> str:
    """What is said in one line, behind the name of the file."""
    with pytest.raises(ValueError) as refused:
        load_small(state, widths)
    file, _, words = str(refused.value).partition(": ")
    assert "\n" not in words and Path(file).parent == state.parent
    return f"{Path(file).name}: {words}"


def test_it_computes_what_the_network_with_closed_channels_does(tmp_path: Path) -> None:
    small, x = load_small(written(tmp_path)), torch.randn(3, *SHAPE)
    assert sum(p.numel() for p in small.parameters()) == COUNTED["parameters"]
    torch.testing.assert_close(small(x), network().masked(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "widths, model: Field required, found"),
        ({"classes": "ten"}, "widths, classes: Input should be a valid integer, found 'ten'"),
        ({"image_shape": [28, 28]}, "widths, image_shape: List should have at least 3 items after validation, not 2"),
        ({"stream": 0}, "widths, stream: Input should be a valid boolean, found '0'"),
        (
            {"widths": {"fc1": 0, "fc2": 11}},
            "widths, widths.fc1: Input should be greater than or equal to 1, found '0'",
        ),
        ({"more": 1}, "widths, more: Extra inputs are not permitted, found '1'"),
        ({"model": "lenet-300-10"}, "unknown model 'lenet-300-10': must be one of"),
        ({"precision": "float31"}, "unknown precision 'float31': must be one of float32, "),
        ({"image_shape": [3, 28, 28]}, "images [3, 28, 28]: lenet-300-100 takes others"),
        ({"widths": {"fc1": 33, "fc3": 11}}, "unknown group 'fc3': must be one of fc1, fc2"),
        ({"widths": {"fc1": 33}}, "width of group fc2: must be there"),
        ({"widths": {"fc1": 301, "fc2": 11}}, "width 301 of group fc1: must be at most 300"),
        ({"widths": {"fc1": 34, "fc2": 11}}, "parameters 26,399: must be 27,195, by the widths of the groups"),
    ],
)
def test_widths_that_are_not_complete_are_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    assert refusal(written(tmp_path, **changes)).startswith(f"small.widths.json: {words}")


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "[]", "\udcff"])
def test_what_is_no_file_of_widths(tmp_path: Path, content: str) -> None:
    state = written(tmp_path)
    state.with_suffix(".widths.json").write_bytes(content.encode(errors="surrogateescape"))
    assert refusal(state).startswith(("small.widths.json: not a file of widths: ", "small.widths.json: widths: "))


def cut(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-100])


def of_another(state: Path) -> None:
    torch.save(build("lenet-5-caffe", 10).state_dict(), state)


@pytest.mark.parametrize(
    ("change", "words"),
    [(cut, "cannot be read as a .safetensors file: "), (of_another, "RuntimeError: Error(s) in loading state_dict")],
)
def test_a_state_that_is_not_the_networks(tmp_path: Path, change: Callable[[Path], None], words: str) -> None:
    state = written(tmp_path)
    change(state)
    assert refusal(state).startswith(f"small.safetensors: {words}")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    state = written(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"other\.json"):
        load_small(state, tmp_path / "other.json")


def test_a_tied_tensor_is_written_for_each_layer(tmp_path: Path) -> None:
    from closing_networks import tied

    file = tmp_path / "a.safetensors"
    file.write_bytes(WRITERS[".safetensors"](SimpleNamespace(model=tied(), widths=network().widths)))
    state = load_file(file)
    assert state["one.weight"].equal(state["two.weight"])


def test_another_network_is_not_exported() -> None:
    small = network()
    with torch.no_grad():
        small.masked.get_parameter("fc2.bias")[50] = 1.0  # nothing reads it
        _check_same(small.masked, small.model, small.selection, SHAPE)
        small.masked.get_parameter("fc3.weight")[0, 50] = 1.0
    with pytest.raises(ValueError, match=r"^shrunk, its logits differ by .* of the largest: must be at most 1e-10$"):
        _check_same(small.masked, small.model, small.selection, SHAPE)
