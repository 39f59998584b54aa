"""export, verify and narrow, on a real store of digits: every method, and what differs between networks."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import names
from bench.artefact import artefact
from bench.artefact.artefact import Artefact
from bench.artefact.container import sizes
from bench.artefact.network_file import load, open_artefact
from bench.cli.cli import main
from bench.methods import METHODS
from bench.models.initialise import checksum
from bench.results.frame.collect import collect
from bench.storage import mlflow_store, stored_trials

# Not those that need another training, or a BatchNorm behind every layer but the last, which these networks lack.
TRAINABLE = [name for name, m in METHODS.items() if m.at_initialisation and m.criterion != "channel-snip"]
ALL = [name for name in TRAINABLE if name != "dense"]
# Every method's file on the other network is read back in tests/bench/artefact.
TRAINED = {"lenet-300-100": ALL, "lenet-5-caffe": ["freeze", "grasp", "iter-snip", "random-erk-prune"]}
# With dense, and each method once however it is named.
COUNTS = {m: len({str(METHODS[name].record()) for name in methods}) + 1 for m, methods in TRAINED.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the store of one trial of every method on one network, of some on another."""
    folder, before = tmp_path_factory.mktemp("networks"), Path.cwd()
    os.chdir(folder)
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for model, methods in TRAINED.items():
        fewer = [f"{name}:rounds=3" if hasattr(METHODS[name], "rounds") else name for name in methods]
        command = ["run", "--methods", ",".join(fewer), "--rates", "0.95", "--seeds", "1", "--epochs", "1"]
        assert main([*command, "--lr", "0.02", "--executor", "local", "--model", model]) == 0
    yield folder
    patch.undo()
    os.chdir(before)


@pytest.fixture
def here(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, beside the store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trials(store: Path) -> Any:
    frame = collect(f"sqlite:///{store}/mlflow.db")
    return frame[frame["outcome"] == names.DONE]


def facts(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `verify` printed on stdout, by its first column."""
    lines = capsys.readouterr().out.splitlines()
    return {line[:15].strip(): line[15:].strip() for line in lines}


def test_verify_is_bit_equal_for_every_method(store: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = trials(store)
    assert Counter(rows["model"]) == COUNTS
    for row in rows.itertuples():
        assert main(["export", row.run_id, "-o", "a.frz"]) == 0
        capsys.readouterr()
        assert main(["verify", "a.frz"]) == 0
        said = facts(capsys)
        assert said["run key"] == row.run_key
        assert said["logits"].startswith("equal bit for bit (16 images 1×28×28, float64 rounded to float32)")
        assert said["weights"].startswith(f"equal bit for bit, SHA-256 {row.weights_sha256[:16]}")
        accuracy = f"{100 * row.test_accuracy:.2f} %"
        assert said["test accuracy"] == f"recorded {accuracy}, now {accuracy}"
        assert said["initial weights"].startswith(
            "reproduced" if row.background in ("freeze", "biases") else "not needed"
        )
        assert checksum(load("a.frz")) == row.weights_sha256
        assert Path("a.frz").stat().st_size == row.stored_bytes == sum(sizes(Path("a.frz").read_bytes()).values())


def test_a_run_is_named_by_its_beginning(store: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = trials(store).iloc[-1]
    for beginning in (row["run_id"][:10], row["run_key"][:10]):
        assert main(["export", beginning, "-o", "a.frz"]) == 0
        assert open_artefact("a.frz").header.sha256.weights == row["weights_sha256"]
    assert main(["list", "trials"]) == 0
    assert row["run_id"][:8] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "abc", "-o", "a.frz"], f"run 'abc': is none of the {sum(COUNTS.values())} finished trials"),
        (
            ["export", "zzzzzzzz", "-o", "a.frz"],
            f"run 'zzzzzzzz': is none of the {sum(COUNTS.values())} finished trials",
        ),
        (["export", "zzzzzzzz", "-o", "nowhere/a.frz"], "nowhere/a.frz: no such folder"),
        (["export", "zzzzzzzz", "-o", "a.frz", "--value-dtype", "int4"], "'int4' is not one of"),
        (["verify", "b.frz"], "File 'b.frz' does not exist"),
        (["narrow", "--value-dtype", "float32"], "value-dtype 'float32': must be one of float16, bfloat16, int8"),
        (["narrow", "--name", "nothing"], "name nothing: no stored network"),
        (["export", "zzzz", "-o", "/dev/null"], "output /dev/null: must be a file"),
        (["export", "zzzz", "-o", "a.frz", "--dataset", "x"], "--dataset without --value-dtype"),
        (["export", "zzzz", "-o", "a.frz", "--data-root", "x"], "--data-root without --value-dtype"),
    ],
)
def test_wrong_arguments(here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err
    assert list(here.iterdir()) == []


def exported(store: Path, method: str = "freeze") -> bytes:
    rows = trials(store)
    row = rows[(rows["method"] == method) & (rows["model"] == "lenet-300-100")].iloc[0]
    assert main(["export", row["run_id"], "-o", "a.frz"]) == 0
    return Path("a.frz").read_bytes()


def test_verify_refuses_what_it_cannot_rebuild(
    store: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library or platform that draws another last digit: simulated, in one weight."""
    exported(store)
    drawn = artefact.INITIALISERS["xavier-normal"]

    def elsewhere(generator: np.random.RandomState, shape: tuple[int, ...]) -> Any:
        values = drawn(generator, shape)
        values.flat[0] *= 1 + 1e-6
        return values

    monkeypatch.setitem(artefact.INITIALISERS, "xavier-normal", elsewhere)
    capsys.readouterr()
    assert main(["verify", "a.frz"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "a.frz: the initial weights cannot be reproduced here: xavier-normal, seed 0" in err
    exported(store, "snip")  # a pruned network does not need them
    assert main(["verify", "a.frz"]) == 0


def test_verify_tells_what_differs(
    store: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = exported(store)
    Path("a.frz").write_bytes(data[:-1])
    capsys.readouterr()
    assert main(["verify", "a.frz"]) == 1
    assert "a.frz: corrupted or cut off" in capsys.readouterr().err
    Path("a.frz").write_bytes(data)
    monkeypatch.setattr("bench.cli.verify_command.logits_checksum", lambda *_: hashlib.sha256().hexdigest())
    assert main(["verify", "a.frz"]) == 1
    assert facts(capsys)["logits"].startswith("DIFFERENT")


def test_another_accuracy_is_an_error_where_the_trial_ran_alone_on_a_cpu(
    store: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(store)
    monkeypatch.setattr("bench.cli.verify_command.accuracy_of", lambda *_: 0.125)
    capsys.readouterr()
    assert main(["verify", "a.frz"]) == 1
    out, err = capsys.readouterr()
    assert "now 12.50 %" in out and "warning: another accuracy" in err


@pytest.mark.parametrize(
    ("fields", "recorded", "code"),
    [
        ({"device": "cuda"}, 0.0, 0),
        ({"device": "cuda"}, 9e-4, 0),
        ({"device": "cuda"}, 0.1, 1),
        ({"pack": "vmap"}, 9e-4, 0),
        ({}, 9e-4, 1),
    ],
)
def test_single_images_are_excused_where_the_trial_ran_otherwise(
    store: Path, here: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], recorded: float, code: int
) -> None:
    exported(store)
    network = open_artefact("a.frz")
    spec = network.header.spec.model_copy(update=fields)
    header = network.header.model_copy(update={"spec": spec, "test_accuracy": network.header.test_accuracy + recorded})
    monkeypatch.setattr(
        "bench.cli.verify_command.open_artefact", lambda file: Artefact(header, network.model, network.masks)
    )
    assert main(["verify", "a.frz"]) == code


def test_a_network_of_another_trial_is_not_exported(
    store: Path, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network_of_snip, row = exported(store, "snip"), trials(store).iloc[0]
    capsys.readouterr()
    monkeypatch.setattr(stored_trials, "read_file", lambda uri, run, file, address: network_of_snip)
    assert main(["export", row["run_id"], "-o", "b.frz"]) == 2
    assert "its stored network is another trial's" in capsys.readouterr().err and not Path("b.frz").exists()
    assert main(["narrow", "--value-dtype", "float16", "--name", "digits-lenet-5-caffe"]) == 1
    err = capsys.readouterr().err
    assert err.count("error: run ") == COUNTS["lenet-5-caffe"] and "0 networks measured" in err


def test_export_with_narrow_values(store: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = exported(store)
    row = trials(store).set_index("run_key").loc[facts_of(capsys)["run key"]]
    assert main(["export", row["run_id"], "-o", "b.frz", "--value-dtype", "int8"]) == 0
    assert "as trained" in capsys.readouterr().err
    assert main(["verify", "b.frz"]) == 0
    assert Path("b.frz").stat().st_size < 0.55 * len(whole)
    assert open_artefact("b.frz").header.value_type == "int8"


def facts_of(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert main(["verify", "a.frz"]) == 0
    return facts(capsys)


def test_narrow_measures_each_network_once(store: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = mlflow_store.Store(f"sqlite:///{store}/mlflow.db")
    assert main(["narrow", "--value-dtype", "int8"]) == 0
    assert f"{sum(COUNTS.values())} networks measured" in capsys.readouterr().err
    assert main(["narrow", "--value-dtype", "int8, bfloat16", "--name", "digits-lenet-300-100"]) == 0
    assert f"{COUNTS['lenet-300-100']} networks measured" in capsys.readouterr().err
    assert main(["narrow", "--value-dtype", "int8"]) == 0
    assert "0 networks measured" in capsys.readouterr().err
    row = trials(store).iloc[0]
    assert main(["export", row["run_id"], "-o", "b.frz", "--value-dtype", "int8"]) == 0
    figures = calls.figures(row["run_id"])
    assert figures["stored_bytes_int8"] == Path("b.frz").stat().st_size
    assert figures["test_accuracy_int8"] == open_artefact("b.frz").header.test_accuracy
    assert main(["plot", "storage", "-o", "a.svg"]) == 0
    assert main(["table", "--metric", "test_accuracy_int8"]) == 0
    assert "live values stored in int8" in capsys.readouterr().out


def test_networks_without_trained_weights_are_left_out_of_narrowing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command = ["run", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local", "--no-dense"]
    assert main([*command, "--methods", "edge-popup", "--name", "masks"]) == 0
    capsys.readouterr()
    assert main(["narrow", "--value-dtype", "int8", "--name", "masks"]) == 2
    said = "name masks: no stored network that has values to narrow: of these no weight is trained"
    assert said in capsys.readouterr().err
    assert main([*command, "--methods", "snip", "--name", "weights"]) == 0
    assert main(["narrow", "--value-dtype", "int8"]) == 0
    assert "1 networks measured" in capsys.readouterr().err
    assert main(["plot", "storage", "-o", "a.svg"]) == 0
    drawn = Path("a.svg").read_text()
    assert "edge-popup" in drawn and "Not every seed" not in drawn
