"""Two data sets whose files have one name: each trial is trained on its own, and a wrong one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import called
from npz_files import npz
from small_trials import images, spec

from bench import datasets, names
from bench.artefact.container import unseal
from bench.engine.setup.prepare import prepare
from bench.engine.train import train
from bench.execution.prerequisites import by_data, passes_of
from bench.trial.start import Pretraining, Start

RUN = (
    "run", "--executor", "local", "--epochs", "1", "--methods", "freeze", "--rates", "0.9", "--seeds", "1",
    "--no-dense", "--offline", "kept", "--tracking", "csv", "--model", "lenet-300-100",
)  # fmt: skip


def networks(folder: Path) -> dict[tuple[str, str], int]:
    """(rate, data hash) -> classes of the stored network."""
    stored = {}
    for file in (folder / "kept").glob("*.jsonl"):
        entry = json.loads(file.read_text())
        assert entry["result"]["outcome"] == names.DONE, entry["result"]["reason"]
        (network,) = (folder / "kept").glob(f"{entry['result']['run_key'][:32]}*.frz")
        stored[entry["spec"]["rate"], entry["spec"]["data_hash"]] = unseal(network.read_bytes())[0].classes
    return stored


@pytest.mark.parametrize("when", ["before", "after"])
def test_data_sets_of_one_label_are_told_apart_by_their_content(tmp_path: Path, when: str) -> None:
    ours, theirs = npz(tmp_path / "ours", 5), npz(tmp_path / "theirs", 10)
    assert datasets.label(ours) == datasets.label(theirs) == "npz:data.npz"
    hashes = [datasets.row_of(name).content_hash for name in (ours, theirs)]
    done = called(tmp_path, *RUN, "--dataset", ours, "--start", f"pretrained:{theirs}", "--when", when)
    assert done.returncode == 0, done.stderr
    expected = {("0.9", hashes[0]): 5, ("0", hashes[1]): 10}
    assert networks(tmp_path) == expected | ({("0", hashes[0]): 5} if when == "after" else {})
    first = "1 trial of npz:data.npz"
    assert f", and first {', '.join([first] * (2 if when == 'after' else 1))}\n" in done.stderr


def test_a_dry_run_measures_each_on_its_own(tmp_path: Path) -> None:
    ours, theirs = npz(tmp_path / "ours", 5), npz(tmp_path / "theirs", 10)
    done = called(tmp_path, *RUN, "--dataset", ours, "--start", f"pretrained:{theirs}", "--dry-run")
    assert done.returncode == 0, done.stderr
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:4]]
    assert [row[1:4] for row in rows] == [["dense", "0", "1"], ["freeze", "0.9", "1"]]
    assert "fail" not in done.stdout


def test_the_engine_refuses_another_data_set(tmp_path: Path) -> None:
    one, other = (datasets.load(npz(tmp_path / name, classes)) for name, classes in (("one", 5), ("other", 10)))
    right = spec(data_hash=one.content_hash, criterion_per_class=2)
    prepare(right, one, "cpu")
    (result,) = train([right], other, "cpu")
    message = f"content {other.content_hash[:12]}: must be {one.content_hash[:12]}, that of the trial"
    assert result.outcome == names.FAILED and message in result.reason
    assert images().content_hash == ""  # of images that were made here, any trial


def test_passes_and_groups_hold_one_content_each() -> None:
    base = Start(base=Pretraining(dataset="small", data_hash="1", epochs=1, lr=0.1))
    one, other = spec(), spec(data_hash="1")
    assert by_data([one, other, replace(one, seed=1)]) == [[one, replace(one, seed=1)], [other]]
    assert passes_of([one, other]) == [[one], [other]]
    assert {need.data for need in replace(one, start=base).needs()} == {("small", "1")}
