"""What trials need is trained first, once, and belongs to a sweep of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import called
from small_trials import spec

from bench import names
from bench.execution.prerequisites import passes_of
from bench.trial.needs import needed_by
from bench.trial.spec import TrialSpec
from bench.trial.start import Pretraining, Start

RUN = ("run", "--executor", "local", "--epochs", "1", "--rates", "0.9", "--offline", "kept", "--tracking", "csv")


def started(dataset: str = "other", inner: Start | None = None, **fields: Any) -> TrialSpec:
    base = Pretraining(dataset=dataset, data_hash="1", epochs=2, lr=0.1, start=inner)
    return spec(start=Start(base=base), **fields)


def trials(folder: Path) -> list[dict[str, Any]]:
    """The stored trials of the offline folder."""
    lines = [line for file in sorted((folder / "kept").glob("*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def test_each_need_is_reached_once_and_only_if_it_is_missing() -> None:
    two = [started(method=method) for method in ("freeze", "snip")]
    (base,) = two[0].needs()
    assert needed_by(two) == [base]
    assert needed_by([*two, base]) == []
    assert needed_by(two, {spec.run_key for spec in two}) == []
    assert needed_by(two, {two[0].run_key}) == [base]
    chain = started(inner=started("third").start)
    needs = needed_by([chain])
    assert [need.dataset for need in needs] == ["other", "third"]
    assert needed_by([chain], {needs[0].run_key}) == [needs[0]]  # it has its network, so nothing of its own is needed


def test_a_pass_has_one_data_set_and_needs_nothing_later() -> None:
    plain, chain = spec(), started(inner=started("third").start)
    needs = needed_by([chain])
    assert passes_of([plain, chain, *needs]) == [[plain], [needs[1]], [needs[0]], [chain]]
    assert passes_of([chain, plain]) == [[chain, plain]]  # what it needs has ended
    assert passes_of([]) == []
    seeds = [replace(started(), seed=seed) for seed in range(3)]
    assert passes_of([*needed_by(seeds), *seeds]) == [needed_by(seeds), seeds]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("started")
    done = called(path, *RUN, "--methods", "freeze,snip", "--seeds", "2", "--start", "pretrained:digits")
    assert done.returncode == 0, done.stderr
    assert "6 trials: 0 done before, 6 to train, and first 2 trials that they need" in done.stderr
    return path


def test_the_bases_are_trained_once_and_are_the_dense_baseline_of_their_data(folder: Path) -> None:
    stored = trials(folder)
    bases = [t for t in stored if "start" not in t["spec"]]
    assert len(stored) == 8 and {t["sweep"] for t in bases} == {"digits-lenet-300-100-needs"}
    assert sorted(t["spec"]["seed"] for t in bases) == [0, 1]
    keys = {t["spec"]["seed"]: t["result"]["run_key"] for t in bases}
    for trial in stored:
        if trial not in bases:
            assert trial["sweep"] == "digits-lenet-300-100"
            assert trial["result"]["tags"][names.BASE_KEY] == keys[trial["spec"]["seed"]]
            assert trial["result"]["outcome"] == names.DONE
    again = called(folder, *RUN, "--methods", "freeze", "--seeds", "2", "--name", "scratch")
    assert "6 trials" not in again.stderr and "4 trials: 2 done before, 2 to train;" in again.stderr


def test_run_again_trains_nothing_and_another_sweep_only_what_it_lacks(folder: Path) -> None:
    start = ("--start", "pretrained:digits")
    same = called(folder, *RUN, "--methods", "freeze,snip", "--seeds", "2", *start)
    assert "6 trials: 6 done before, 0 to train;" in same.stderr
    more = called(folder, *RUN, "--methods", "random-freeze", "--seeds", "3", "--no-dense", "--dry-run", *start)
    assert "3 trials: 0 done before, 3 to train, and first 1 trial that they need;" in more.stderr


def test_a_base_that_diverges_fails_what_needs_it_by_name(tmp_path: Path) -> None:
    command = (*RUN, "--methods", "freeze", "--seeds", "1", "--start", "pretrained:digits", "--start-lr", "1e30")
    for _ in range(2):  # what failed is tried again, what diverged is not
        done = called(tmp_path, *command)
        assert done.returncode == 1
        assert "failed: needs digits dense seed 0" in done.stderr and "diverged: " in done.stderr
    outcomes = {
        (t["spec"]["method"]["background"], t["spec"]["rate"]): t["result"]["outcome"] for t in trials(tmp_path)
    }
    assert [t["result"]["outcome"] for t in trials(tmp_path) if "start" not in t["spec"]] == [names.DIVERGED]
    assert outcomes["freeze", "0.9"] == names.FAILED


def test_masks_after_a_dense_training_start_from_it(tmp_path: Path) -> None:
    done = called(tmp_path, *RUN, "--methods", "magnitude-prune", "--seeds", "1", "--when", "after", "--no-dense")
    assert done.returncode == 0, done.stderr
    dense, pruned = sorted(trials(tmp_path), key=lambda t: "start" in t["spec"])
    assert pruned["spec"]["start"]["head"] == "kept" and "start" not in dense["spec"]
    assert pruned["result"]["tags"][names.BASE_KEY] == dense["result"]["run_key"]
    assert pruned["result"]["tags"][names.INIT_SHA256] == dense["result"]["tags"][names.WEIGHTS_SHA256]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--start", "mnist"), "start 'mnist': must be one of scratch, pretrained:DATA, pretrained:DATA@SEED"),
        (("--start", "pretrained:mnits"), "unknown data set 'mnits'"),
        (("--start", "pretrained:cifar10"), "model 'lenet-300-100' takes images (1, 28, 28); data set 'cifar10' has"),
        (("--start-epochs", "3"), "start-epochs 3 with start scratch: must be left out, or with a base"),
        (("--start-head", "kept"), "start-head kept with start scratch: must be left out, or with a base"),
        (("--start", "pretrained:digits", "--start-epochs", "0"), "start-epochs 0: must be a whole number >= 1"),
        (
            ("--start", "pretrained:digits", "--start-epochs", "1", "--epochs", "30"),
            "start-epochs 1: must be more than the 1 warm-up epochs, which the base has too",
        ),
        (("--start", "pretrained:digits@4294967296"), "seed of the base 4294967296: must be 0 <="),
    ],
)
def test_usage_errors_are_one_line_and_nothing_is_written(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = called(tmp_path, *RUN, *options)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "kept").exists()
