"""`bench speed packs`: what it counts, and what it proposes; and that measurements end in time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from small_trials import spec

from bench.cli.cli import main
from bench.models import MODELS
from bench.speed.packs import as_table, moved_bytes
from bench.speed.rounds import rounds_within
from bench.trial import pack_kind
from bench.trial.pack_kind import batched_kind, resolve_pack


def test_the_bytes_of_a_linear_layer_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """lenet-300-100 on 2 images: every product reads and writes its three matrices."""
    layers = [(784, 300), (300, 100), (100, 10)]
    products = [batch * i + i * o + batch * o for batch in (2,) for i, o in layers]
    least = 4 * (3 * sum(products) - products[0])  # forward, weight gradient; input gradient of all but the first
    moved = moved_bytes(spec(batch_size=2, pack="vmap"), (1, 28, 28), 10)
    assert least < moved < 1.2 * least  # biases, ReLU and the loss are small beside
    assert moved_bytes(spec(batch_size=2, pack="vmap", precision="float64"), (1, 28, 28), 10) > 1.9 * moved


@pytest.mark.parametrize(("model", "least"), [("lenet-5-caffe", 1.5), ("conv-bn", 1.6), ("resnet20", 2.0)])
def test_products_of_patches_move_more(model: str, least: float) -> None:
    """What the rule of `batched_kind` stands on."""
    shape = MODELS[model].image_shape
    assert shape is not None
    vmap, unfold = (moved_bytes(spec(model=model, pack=kind), shape, 10) for kind in ("vmap", "unfold"))
    assert least < unfold / vmap < 2.5


def test_the_kind_of_a_network_that_nothing_measured() -> None:
    kinds = {name: batched_kind(row.layers(10)) for name, row in MODELS.items() if row.is_known}
    assert {name for name, kind in kinds.items() if kind == "unfold"} == {"lenet-5-caffe", "lenet-5-caffe-relu"}
    stem = {"stem.weight": (64, 3, 7, 7), "deep.weight": (64, 64, 3, 3)}
    assert batched_kind(stem) == "vmap" and batched_kind({"stem.weight": stem["stem.weight"]}) == "unfold"


def test_what_a_card_measured_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pack_kind.MEASURED, "lenet-5-caffe", "vmap")
    shapes = MODELS["lenet-5-caffe"].layers(10)
    kinds = [resolve_pack(a, device="cuda", shapes=shapes, model="lenet-5-caffe") for a in ("auto", "unfold")]
    assert kinds == ["vmap", "unfold"]
    assert resolve_pack("auto", device="cpu", shapes=shapes, model="lenet-5-caffe") == "single"


def test_the_command_proposes_only_for_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "packs.json"
    asked = ["--model", "lenet-5-caffe", "--batch-size", "4", "--sizes", "1,2", "--steps", "1", "--rounds", "2"]
    assert main(["speed", "packs", *asked, "--device", "cpu", "--json", str(file)]) == 0
    result = json.loads(file.read_text())
    assert [(r["trials"], r["pack"]) for r in result["rows"]] == [
        (1, "vmap"), (1, "unfold"), (2, "vmap"), (2, "unfold")
    ]  # fmt: skip
    for row in result["rows"]:
        assert row["images_per_second"] == pytest.approx(4e3 / row["milliseconds"]) and row["peak_bytes"] > 0
    assert (result["rounds_done"], result["auto"]) == ([2, 2], "unfold") and result["proposed"] in ("vmap", "unfold")
    out = capsys.readouterr().out
    assert (
        out.startswith("digits · lenet-5-caffe, batch 4, float32, cpu; 2 rounds of 1 steps") and "MEASURED" not in out
    )
    line = '"lenet-5-caffe": "vmap",'
    assert as_table({**result, "device": "cuda", "proposed": "vmap"}).endswith(f"A line for MEASURED: {line}")


def test_a_measurement_ends_with_a_whole_round_when_its_time_is_over() -> None:
    now = time.monotonic()
    assert list(rounds_within(3, 1e6, now)) == [0, 1, 2]
    assert list(rounds_within(3, 1.0, now - 61)) == [0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["packs", "--sizes", ""], "sizes '': must be a comma list of whole numbers >= 1"),
        (["packs", "--sizes", "0"], "sizes '0': must be a comma list of whole numbers >= 1"),
        (["packs", "--minutes", "0"], "minutes 0: must be more than 0"),
        (["step", "--minutes", "nan"], "minutes nan: must be more than 0"),
        (["packs", "--tf32", "--device", "cpu"], "tf32 on the cpu: the device must be cuda"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["speed", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
