"""`bench speed`: what it prints and writes, and that the loop it measures against is the one it says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import bench
from small_trials import images, spec

from bench import metrics, names
from bench.cli.cli import main
from bench.engine.measures.cost import counts
from bench.engine.setup.background import apply_background
from bench.engine.setup.memory import timed
from bench.engine.setup.prepare import prepare
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.engine.steps.network import network_of
from bench.methods import METHODS
from bench.speed.bare import side_by_side
from bench.speed.baseline_loop import TransformedImages, researchers_loop
from bench.speed.contenders import LOOP, pack_steps, streams_steps
from bench.speed.step import as_table, measure
from bench.speed.trials import figures
from bench.trial.result import SweepError, TrialResult
from bench.trial.step_kind import LIMITS

DATA = images()


def test_every_variant_has_a_line() -> None:
    specs = {"dense": [spec("dense")], "freeze": [spec("freeze", "0.99", step="sparse")]}
    result = measure(specs, DATA, steps=1, rounds=2)
    rows = result["rows"]
    assert [(r["method"], r["rate"], r["variant"]) for r in rows] == [
        ("dense", "0", LOOP), ("dense", "0", "dense step"),
        ("dense", "0", "data alone, researcher's loop"), ("dense", "0", "data alone, resident"),
        ("freeze", "0.99", LOOP), ("freeze", "0.99", "dense step"), ("freeze", "0.99", "sparse step"),
    ]  # fmt: skip
    for row in rows:
        assert row["images_per_second"] == pytest.approx(1e5 / row["milliseconds"])
        assert row["of_ceiling"] == pytest.approx(row["gflops"] / result["gemm_gflops"])
        assert row["peak_bytes"] > 0
        assert (row["ratio"] == 1) is row["variant"].endswith(LOOP)
    macs = 2 * 266_200 + 31_000  # forward, weight gradient, input gradient of all layers but the first
    assert rows[1]["gflops"] == pytest.approx(2e-6 * macs * 100 / rows[1]["milliseconds"])
    assert json.loads(json.dumps(result)) == result
    table = as_table(result)
    assert table.count("\n| ") == 8 and "GFLOP/s" in table


def test_the_network_without_its_closed_channels_is_timed_beside_its_products() -> None:
    """uniform-width at 0.9: 33 and 11 units; forward, weight gradient, input gradient of all layers but the first."""
    result = measure({"uniform-width": [spec("uniform-width", "0.9")]}, DATA, steps=1, rounds=1, shrunk=True)
    rows = {row["variant"]: row for row in result["rows"]}
    assert list(rows) == [LOOP, "dense step", "dense step, shrunk"]
    behind = 33 * 11 + 11 * 10
    assert rows["dense step, shrunk"]["macs"] == 2 * (784 * 33 + behind) + behind
    assert rows["dense step"]["macs"] == 2 * 266_200 + 31_000
    assert "|  53,163 |" in as_table(result)


def test_shrunk_without_a_method_that_closes_channels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "step", "--methods", "snip", "--shrunk"]) == 2
    assert "--shrunk with methods 'snip': must have one that closes channels" in capsys.readouterr().err


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "speed.json"
    assert main(["speed", "step", "--methods", "snip", "--steps", "1", "--rounds", "1", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "digits · lenet-300-100, batch 100, augmentation none, float32, cpu, one thread; 1 rounds of 1 steps"
    )
    assert [row["variant"] for row in json.loads(file.read_text())["rows"]][-1] == "sparse step"


def test_packs_have_a_line_for_each_size_and_kind() -> None:
    specs = {"freeze": [spec("freeze", "0.99", model="lenet-5-caffe", step="sparse")]}
    rows = measure(specs, DATA, steps=1, rounds=1, packs=[1, 3])["rows"]
    assert [row["variant"] for row in rows[3:]] == [
        "pack of 1, vmap", "pack of 1, unfold", "pack of 3, vmap", "pack of 3, unfold"
    ]  # fmt: skip
    for row in rows:
        assert row["images_per_second"] == pytest.approx(1e5 / row["milliseconds"])


def test_steps_of_packs_train_every_trial() -> None:
    s = spec("freeze", "0.99", batch_size=100)
    for steps in (pack_steps(replace(s, pack="vmap"), DATA, 3), streams_steps(s, DATA, 3)):
        assert [next(steps) for _ in range(5)] == [300, 300, 300, 180, 300]


def test_limits_are_proposed_for_every_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "limits.json"
    assert main(["speed", "limits", "--rounds", "1", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert [line.partition(":")[0] for line in out.splitlines()[-6:]] == [", ".join(key) for key in LIMITS]
    result = json.loads(file.read_text())
    committed = {(r["kind"], r["background"]): r["committed"] for r in result["limits"]}
    assert committed == {key: float(limit) for key, limit in LIMITS.items()}
    assert result["rounds"] == 1 and [len(r["ratios"]) for r in result["rows"]] == [len(result["live"])] * 8


OWN = """
from torch import nn
MODELS = {"own": lambda classes: nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, classes))}
"""


@pytest.mark.slow
def test_the_whole_machine_trains_the_same_trials_twice(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    options = ("--methods", "snip", "--model", "own", "--plugin", "own.py", "--rounds", "1", "--epochs", "1")
    done = bench(tmp_path, "speed", "trials", *options, "--json", "machine.json")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"machine.json", "own.py"}
    result = json.loads((tmp_path / "machine.json").read_text())
    cores = os.cpu_count() or 1
    assert (result["cores"], result["seeds"], result["trials"]) == (cores, 8 * cores, 16 * cores)
    assert (result["epochs"], result["steps_per_trial"]) == (1, 13)  # 1,293 images
    (only_round,) = result["rounds"]
    assert result["median"] == only_round and list(only_round) == ["bare", "harness"]
    for side in only_round.values():
        assert side["workers"] == cores
        assert side["steps_per_second"] == pytest.approx(13 * 16 * cores / side["seconds"])
        assert 0 <= side["between_milliseconds"] <= side["between_longest"]
        assert side["ratio"] == pytest.approx(side["steps_per_second"] / only_round["bare"]["steps_per_second"])
    assert only_round["bare"]["loading_milliseconds"] > 0
    assert only_round["harness"]["storing_milliseconds"] > 0 and only_round["harness"]["stored_together"] >= 1
    assert only_round["harness"]["startup_seconds"] > 0
    assert done.stdout.startswith(f"digits · own, batch 100, 1 epochs: the same {16 * cores} trials")
    assert done.stdout.count("\n| ") == 13
    assert done.stderr == f"1 times {16 * cores} trials of 13 steps, by bare engines and by the run command\n"


def test_a_bare_engine_that_fails_is_an_error_and_no_endless_wait(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SweepError, match="a bare engine ended without results"):
        side_by_side([partial(list, [spec()])] * 2, partial(int, "no data"))  # type: ignore[arg-type]
    assert "no data" in capfd.readouterr().err


def test_the_figures_of_a_side() -> None:
    """Two workers: trials of 4 s, 5 s and 2 s with pauses of 0.5 s and 1 s; the last result is stored at 112 s."""
    spans = [(100, 105), (101, 105.5), (105.5, 109.5), (106.5, 108.5)]
    results = [TrialResult(run_key="", outcome=names.DONE, started=start, ended=end) for start, end in spans]
    assert figures(results, 112, 240) == {
        "steps_per_second": 20,
        "seconds": 12,
        "trial_milliseconds": 3_875,
        "between_milliseconds": 750,
        "between_longest": 1_000,
        "tail_seconds": 1,
        "workers": 2,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["step", "--steps", "0"], "steps 0: must be a whole number >= 1"),
        (["step", "--rounds", "-1"], "rounds -1: must be a whole number >= 1"),
        (["step", "--methods", "frezee"], "did you mean freeze?"),
        (["step", "--model", "lenet-5"], "did you mean lenet-5-caffe?"),
        (["step", "--packs", "4,0"], "packs '4,0': must be a comma list of whole numbers >= 1"),
        (["step", "--packs", "many"], "packs 'many': must be a comma list of whole numbers >= 1"),
        (["step", "--precision", "float16"], "unknown precision 'float16'"),
        (["step", "--json", "nowhere/speed.json"], "json nowhere/speed.json: no such folder"),
        (["step", "--epochs", "2"], "No such option '--epochs'"),
        (["trials", "--packs", "4"], "No such option '--packs'"),
        (["trials", "--device", "cuda"], "No such option '--device'"),
        (["trials", "--steps", "5"], "No such option '--steps'"),
        (["trials", "--epochs", "0"], "epochs 0: must be a whole number >= 1"),
        (["trials", "--json", "nowhere/speed.json"], "json nowhere/speed.json: no such folder"),
        (["masks", "--packs", "4"], "No such option '--packs'"),
        (["masks", "--rates", "1.5"], "rate 1.5: must be 0 <= rate < 1"),
        (["scoring", "--steps", "4"], "No such option '--steps'"),
        (
            ["scoring", "--methods", "dense"],
            "methods 'dense' at rates '0.99': must name one besides dense and biases, above rate 0",
        ),
        (["limits", "--rounds", "0"], "rounds 0: must be a whole number >= 1"),
        (["limits", "--model", "lenet-5-caffe"], "No such option '--model'"),
        (["--machine"], "No such option '--machine'"),
        ([], "no command: must be one of step, packs, trials, scoring, masks, store, limits"),
    ],
)
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["speed", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1


def test_masks_are_measured_by_rate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.speed.masks.WEIGHTS", 40_000)
    assert main(["speed", "masks", "--rates", "0.9,0.99", "--rounds", "2", "--json", str(tmp_path / "a.json")]) == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert [row["rate"] for row in result["codings"]] == ["0.9", "0.99"] and result["rounds"] == 2
    for row in result["codings"]:
        assert 1 <= row["over_entropy"] < 1.05 and row["live"] < 40_000 * 0.2 and row["bytes"] < 4_000


def test_criteria_are_measured_once_for_freeze_and_prune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = "freeze,snip,grasp:temperature=1,random-er-prune,synflow:rounds=2,dense"
    asked = ["--methods", methods, "--rates", "0.9", "--rounds", "1", "--json", str(tmp_path / "a.json")]
    assert main(["speed", "scoring", *asked]) == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert (result["model"], result["images"], result["rounds"]) == ("lenet-300-100", 100, 1)
    assert [tuple(r[n] for n in ("method", "criterion", "scope", "fields", "rate")) for r in result["rows"]] == [
        ("freeze", "snip", "global", "", "0.9"),
        ("grasp:temperature=1", "grasp", "global", "temperature=1.0", "0.9"),
        ("random-er-prune", "random", "er", "", "0.9"),
        ("synflow:rounds=2", "synflow", "global", "rounds=2 counts=exact", "0.9"),
    ]
    assert all(row["seconds"] > 0 and row["peak_bytes"] >= 0 for row in result["rows"])
    assert capsys.readouterr().out.count("\n| ") == 5


def test_what_cannot_score_the_network_is_left_out_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["speed", "scoring", "--rates", "0.9", "--rounds", "1", "--methods"]
    assert main([*asked, "channel-snip-freeze,snip"]) == 0
    said = capsys.readouterr()
    assert said.out.count("\n| ") == 2 and "| snip " in said.out
    assert "warning: channel-snip-freeze is left out: layer fc1 (Linear): has no BatchNorm" in said.err
    assert main([*asked, "channel-snip-freeze"]) == 2
    assert "error: methods: must name one that can score the network" in capsys.readouterr().err


def test_every_selection_is_measured_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def criteria(specs: Mapping[str, Any], *_: Any) -> dict[str, Any]:
        asked.extend(specs)
        return {}

    monkeypatch.setattr("bench.speed.scoring.measure", criteria)
    monkeypatch.setattr("bench.speed.scoring.as_table", str)
    assert main(["speed", "scoring"]) == 0
    named = {str(METHODS[name].record()) for name in asked}
    assert named == {str(method.record()) for method in METHODS.values() if method.at_initialisation}


def test_memory_and_time_of_some_work() -> None:
    seconds, peak = timed(lambda: torch.ones(25_000_000).sum(), "cpu")
    assert seconds > 0 and 0.9e8 < peak < 2e8


def test_the_loop_sees_the_same_images_and_leaves_the_trial_as_it_is() -> None:
    s = spec("freeze", "0.9", weight_decay=0.0)
    trial = prepare(s, DATA, "cpu")
    apply_background(trial.model, trial.masks, s)
    loaded = TransformedImages(DATA, trial.train_indices)
    x, y = trial.train.batch(trial.train_indices)
    assert len(loaded) == len(y)
    torch.testing.assert_close(torch.stack([loaded[i][0] for i in range(9)]), x[:9])
    assert [loaded[i][1] for i in range(9)] == y[:9].tolist()
    before = {name: weight.detach().clone() for name, weight in trial.model.named_parameters()}
    loop = researchers_loop(s, trial, DATA)
    assert [next(loop) for _ in range(4)] == [100, 100, 100, 60]
    assert all(torch.equal(weight, before[name]) for name, weight in trial.model.named_parameters())


def test_what_training_needs_beyond_the_model_is_below_a_megabyte() -> None:
    """lenet-5-caffe at 0.99: optimizer with its live values, masks, and the figures of 30 epochs."""
    for method in ("freeze", "snip"):
        for step in ("dense", "sparse"):
            s = spec(method, "0.99", model="lenet-5-caffe", step=step)
            trial = prepare(s, DATA, "cpu")
            network = network_of(s, trial)
            optimizer = LiveOptimizer(trial.model, trial.masks, s, network.values)
            masks = sum(mask.nbytes for mask in trial.masks.values())
            figures = 8 * len(metrics.per_epoch()) * (s.epochs + 1)
            assert masks == counts(trial.model, trial.masks, "prune", (1, 28, 28))[names.MASKABLE_WEIGHTS]
            assert optimizer.state_bytes() + masks + figures < 1_000_000
