"""The stored networks that trials need: one that is not there is trained again, another trial's is never taken."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from command_line import called, stored
from safetensors.torch import save
from small_trials import images, spec

from bench import names
from bench.engine.needs import Needs
from bench.engine.train import train
from bench.execution.prerequisites import not_of
from bench.models.initialise import checksum_of
from bench.storage.entry import decode, encode
from bench.trial.start import GivenWeights, Pretraining, Start

RUN = ("run", "--executor", "local", "--epochs", "1", "--seeds", "1", "--no-dense", "--start", "pretrained:digits@0")
FREEZE = ("--methods", "freeze", "--rates", "0.9")
OFFLINE = ("--offline", "kept", "--tracking", "csv")


@cache
def dense(seed: int, **fields: object) -> tuple[str, bytes]:
    """Run key and network of a dense trial."""
    (result,) = train([spec("dense", seed=seed, criterion_per_class=2)], images(130, 30), "cpu")
    return result.run_key, bytes(result.artefact)  # type: ignore[arg-type]


def test_only_the_trials_own_network_is_a_parent_or_a_base() -> None:
    (key, _), (other, network) = dense(0), dense(7)
    ticket = spec("lth", "0.2", criterion_per_class=2)
    assert ticket.needs()[0].run_key == key
    with pytest.raises(ValueError, match=f"must be that of trial {key[:16]}; given is {other[:16]}'s"):
        Needs({key: network}).parent(ticket)
    base = Start(base=Pretraining(dataset="small", data_hash="0", epochs=1, lr=0.1))
    started = spec(start=base, criterion_per_class=2)
    assert started.base_key == key
    with pytest.raises(ValueError, match=f"its base: must be {key[:16]}; given is trial {other[:16]} with weights"):
        Needs({key: network}).base(started)
    assert Needs({key: dense(0)[1]}).base(started).key == key  # type: ignore[union-attr]


def test_only_weights_of_that_checksum_are_given() -> None:
    tensors = {"fc1.weight": torch.ones(3, 2)}
    started = spec(start=Start(base=GivenWeights(sha256="ab" * 32)))
    data = save(tensors)
    words = f"must be abababababababab; given is weights of SHA-256 {checksum_of(tensors)[:16]}"
    with pytest.raises(ValueError, match=words):
        Needs({"ab" * 32: data}).base(started)


def test_a_stored_network_of_another_trial_is_not_taken() -> None:
    (key, own), (other, network) = dense(0), dense(7)
    assert not_of(key, own) == ""
    assert not_of(key, network) == f"its stored network is trial {other[:12]}'s"
    assert not_of(key, own[:-1]).startswith("its stored network cannot be read: corrupted or cut off")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that has a base and a trial that started from it."""
    folder = tmp_path_factory.mktemp("store")
    assert called(folder, *RUN, *FREEZE).returncode == 0
    return folder


def network_file(folder: Path, run_key: str) -> Path:
    (path,) = (folder / "mlruns").rglob(f"{stored(folder)[run_key]['run']}/artifacts/{names.NETWORK_FILE}")
    return path


def base_and_trial(folder: Path) -> tuple[str, str]:
    runs = stored(folder)
    trial = next(key for key, tags in runs.items() if names.BASE_KEY in tags)
    return runs[trial][names.BASE_KEY], trial


def test_a_stored_base_that_cannot_be_read_is_said(store: Path, tmp_path: Path) -> None:
    base, trial = base_and_trial(store)
    path = network_file(store, base)
    kept = path.read_bytes()
    path.write_bytes(network_file(store, trial).read_bytes())
    try:
        done = called(store, *RUN, "--methods", "freeze", "--rates", "0.8")
    finally:
        path.write_bytes(kept)
    assert done.returncode == 1
    assert f"needs digits dense seed 0 ({base[:12]}), its stored network is trial {trial[:12]}'s" in done.stderr
    assert called(store, *RUN, "--methods", "freeze", "--rates", "0.8").returncode == 0  # what failed is tried again


def test_a_base_whose_network_is_gone_from_the_store_is_trained_again(store: Path) -> None:
    base, _ = base_and_trial(store)
    network_file(store, base).unlink()
    again = called(store, *RUN, *FREEZE)  # which needs it no more
    assert again.returncode == 0 and "1 trials: 1 done before, 0 to train;" in again.stderr
    done = called(store, *RUN, "--methods", "freeze", "--rates", "0.7")
    assert "1 trials: 0 done before, 1 to train, and first 1 trial that they need;" in done.stderr
    assert done.returncode == 0, done.stderr
    more = called(store, *RUN, "--methods", "freeze", "--rates", "0.6", "--dry-run")
    assert "1 trials: 0 done before, 1 to train;" in more.stderr


def test_a_base_without_a_network_in_a_folder_is_trained_again(tmp_path: Path) -> None:
    assert called(tmp_path, *RUN, *FREEZE, *OFFLINE).returncode == 0
    lines = {file: json.loads(file.read_text()) for file in (tmp_path / "kept").glob("*.jsonl")}
    (base,) = (file for file, entry in lines.items() if "start" not in entry["spec"])
    entry = decode(base.read_bytes().strip())
    base.write_text(encode(replace(entry, network_sha256="")) + "\n")
    done = called(tmp_path, *RUN, "--methods", "freeze", "--rates", "0.8", *OFFLINE)
    assert done.returncode == 0 and "1 to train, and first 1 trial that they need;" in done.stderr, done.stderr
    assert json.loads(base.read_text())["network_sha256"] == lines[base]["network_sha256"]
