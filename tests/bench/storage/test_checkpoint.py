"""Checkpoints: a trial that was stopped and goes on gives the bits of one that was not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import stored
from small_trials import images, spec

from bench import names
from bench.cli.cli import main
from bench.datasets.images import ImageData
from bench.engine.train import train, train_epochs
from bench.methods import METHODS, FreezeNet
from bench.storage.checkpoint import SUFFIX, Checkpoint, Checkpoints
from bench.storage.files import Bucket
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

DATA = images()
FEW = images(130, 30)  # enough where nothing is learned
CLOCKS = (names.TRAINING_SECONDS, names.SCORING_SECONDS, names.PEAK_MEMORY)


def coloured(size: int = 8) -> ImageData:
    random = np.random.RandomState(3)
    pixels = torch.from_numpy(random.randint(0, 256, (120, 3, size, size)).astype(np.uint8))
    labels = torch.arange(120) % 10
    return ImageData(
        name="coloured", classes=10, train_images=pixels, train_labels=labels, test_images=pixels[:20],
        test_labels=labels[:20], mean=(0.5,) * 3, std=(0.3,) * 3,
    )  # fmt: skip


def stopped(pack: Sequence[TrialSpec], data: ImageData, checkpoints: Checkpoints, epoch: int) -> list[TrialResult]:
    """Train until the first trial has told of the epoch after this one; the results by then."""
    results = []
    for event in train_epochs(pack, data, "cpu", checkpoints):
        if isinstance(event, TrialResult):
            results.append(event)
        elif event.epoch > epoch:
            break
    return results


def same(resumed: TrialResult, unbroken: TrialResult) -> None:
    assert resumed.outcome == unbroken.outcome == names.DONE
    assert resumed.epochs == unbroken.epochs and resumed.layers == unbroken.layers
    assert resumed.artefact == unbroken.artefact
    for clock in CLOCKS:
        assert resumed.metrics[clock] > 0
    figures = ({k: v for k, v in r.metrics.items() if k not in CLOCKS} for r in (resumed, unbroken))
    assert next(figures) == next(figures)
    assert {k: v for k, v in resumed.tags.items() if k != names.RESUMED} == unbroken.tags


TRIALS: dict[str, tuple[TrialSpec, ImageData]] = {
    "dense": (spec("dense", epochs=4), DATA),
    "sparse freeze": (spec("freeze", "0.99", epochs=4, step="sparse"), DATA),
    "sparse prune, convolutions": (spec("snip", "0.99", epochs=4, step="sparse", model="lenet-5-caffe", lr=0.01), FEW),
    "frozen convolutions": (spec("freeze", "0.95", epochs=4, step="sparse", model="lenet-5-caffe", lr=0.01), FEW),
    "a scale of the background, sparse": (
        replace(spec("freeze", "0.99", epochs=4, step="sparse"), method=FreezeNet(scale=0.25)), DATA,
    ),
    "adam, dense step": (spec("freeze", epochs=4, step="dense", optimizer="adam", lr=0.001), DATA),
    "no momentum, cosine": (spec("snip", epochs=4, momentum=0.0, schedule="cosine", warmup_epochs=1), DATA),
    "BatchNorm, augmentation": (
        spec("snip", epochs=4, model="resnet20", augmentation="flip-translate", batch_size=32), coloured(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_that_goes_on_gives_the_bits_of_an_unbroken_one(name: str, tmp_path: Path) -> None:
    trial, data = TRIALS[name]
    checkpoints = Checkpoints(str(tmp_path / "new" / "folder"), seconds=0)
    for epoch in (1, 2):
        assert stopped([trial], data, checkpoints, epoch) == []
    epochs: list[int] = []
    resumed = train([trial], data, "cpu", lambda e: epochs.append(e.epoch), checkpoints)[0]
    assert epochs == [3, 4] and resumed.tags[names.RESUMED] == "1,2"
    same(resumed, train([trial], data, "cpu")[0])


PACK = [spec("snip", "0.99", seed=s, lr=8.0, epochs=4, pack="vmap", precision="float64") for s in range(3)]
DIVERGING = replace(PACK[0], method=METHODS["dense"], rate=Decimal(0))  # in the third epoch, at this rate of learning


@pytest.mark.parametrize("optimizer", [{}, {"optimizer": "adam", "lr": 0.001}], ids=["momentum", "adam"])
def test_a_pack_that_goes_on_gives_the_bits_of_an_unbroken_one(optimizer: dict[str, Any], tmp_path: Path) -> None:
    pack, checkpoints = [replace(s, **optimizer) for s in PACK], Checkpoints(str(tmp_path), seconds=0)
    assert stopped(pack, DATA, checkpoints, 2) == []
    resumed = train(pack, DATA, "cpu", checkpoints=checkpoints)
    assert [result.tags[names.RESUMED] for result in resumed] == ["2"] * 3
    for one, other in zip(resumed, train(pack, DATA, "cpu"), strict=True):
        same(one, other)


def test_trials_of_a_pack_go_on_after_their_own_epochs(tmp_path: Path) -> None:
    """One has left the pack, one has lost its checkpoint: neither holds the others up."""
    checkpoints, pack = Checkpoints(str(tmp_path), seconds=0), [*PACK, DIVERGING]
    assert [left.outcome for left in stopped(pack, DATA, checkpoints, 3)] == [names.DIVERGED]
    (tmp_path / (PACK[2].run_key + SUFFIX)).unlink()
    resumed = train(pack, DATA, "cpu", checkpoints=checkpoints)
    assert [result.tags.get(names.RESUMED) for result in resumed] == ["3", "3", None, "2"]
    assert [result.outcome for result in resumed] == [*[names.DONE] * 3, names.DIVERGED]
    for one, other in zip(resumed, train(PACK, DATA, "cpu"), strict=False):
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-6)


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "foreign", "torch"])
def test_what_is_no_checkpoint_of_the_trial_is_not_used(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, other = spec(epochs=3), spec(epochs=3, seed=1)
    checkpoints = Checkpoints(str(tmp_path), seconds=0)
    stopped([trial], DATA, checkpoints, 1)
    file = tmp_path / (trial.run_key + SUFFIX)
    whole = bytearray(file.read_bytes())
    if harm == "flipped":
        whole[len(whole) // 2] ^= 1
        file.write_bytes(whole)
    elif harm in ("cut", "empty"):
        file.write_bytes(whole[: len(whole) // 2 if harm == "cut" else 0])
    elif harm == "foreign":
        trial, file = other, file.rename(tmp_path / (other.run_key + SUFFIX))
    else:
        monkeypatch.setattr("bench.storage.checkpoint.environment", lambda: {"bench.torch": "1.0"})
    assert checkpoints.read(trial.run_key) is None
    monkeypatch.undo()


def test_a_storage_that_takes_nothing_does_not_stop_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = train([spec(epochs=2)], DATA, "cpu", checkpoints=Checkpoints(str(tmp_path / "file"), seconds=0))[0]
    assert result.outcome == names.DONE and result.tags[names.UNSAVED].startswith("FileExistsError: ")


def test_short_trials_write_none(tmp_path: Path) -> None:
    train([spec(epochs=2)], DATA, "cpu", checkpoints=Checkpoints(str(tmp_path)))
    assert [*tmp_path.iterdir()] == []
    train([spec(epochs=2)], DATA, "cpu", checkpoints=Checkpoints(str(tmp_path), seconds=math.inf))
    assert [*tmp_path.iterdir()] == []


class Deaf(Checkpoints):
    """A storage that does not answer when one trial's checkpoint is read."""

    def read(self, run_key: str) -> Checkpoint | None:
        return None if run_key == PACK[LOST_INDEX[0]].run_key else super().read(run_key)


LOST_INDEX = [0]


@pytest.mark.parametrize("index", [0, 1])
def test_a_state_that_cannot_be_read_leaves_the_others_as_they_are(index: int, tmp_path: Path) -> None:
    LOST_INDEX[0] = index
    stopped(PACK, DATA, Checkpoints(str(tmp_path), seconds=0), 2)
    resumed = train(PACK, DATA, "cpu", checkpoints=Deaf(str(tmp_path), seconds=0))
    assert [r.tags.get(names.RESUMED) for r in resumed] == [None if i == index else "2" for i in range(3)]
    for one, other in zip(resumed, train(PACK, DATA, "cpu"), strict=True):
        assert len(one.epochs) == 5 and one.metrics[names.BEST_EPOCH] == other.metrics[names.BEST_EPOCH]
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-6)


@pytest.mark.parametrize("optimizer", [{"lr": 0.02}, {"optimizer": "adam", "lr": 0.001}], ids=["momentum", "adam"])
def test_trials_stopped_in_several_packs_go_on_in_one(optimizer: dict[str, Any], tmp_path: Path) -> None:
    """In one of them a layer had no live weight, and so no state."""
    checkpoints, given = Checkpoints(str(tmp_path), seconds=0), {"epochs": 4, "pack": "vmap", **optimizer}
    empty = spec("magnitude-prune", "0.9999", precision="float64", **given)
    full = spec("random-freeze", "0.9", precision="float64", **given)
    for one in (empty, full):
        stopped([one], DATA, checkpoints, 2)
    saved = checkpoints.read(empty.run_key)
    assert saved is not None and not all(mask.any() for mask in saved.masks.values())
    for one, other in zip(
        train([empty, full], DATA, "cpu", checkpoints=checkpoints), train([empty, full], DATA, "cpu"), strict=True
    ):
        assert one.outcome == names.DONE and one.tags[names.RESUMED] == "2"
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-6)


def test_a_state_of_another_network_is_not_used(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path), seconds=0)
    stopped([spec(epochs=3)], DATA, checkpoints, 1)
    saved = checkpoints.read(spec(epochs=3).run_key)
    assert saved is not None
    checkpoints.write(replace(saved, model={f"old.{name}": value for name, value in saved.model.items()}))
    again = train([spec(epochs=3)], DATA, "cpu", checkpoints=checkpoints)[0]
    assert names.RESUMED not in again.tags
    reason = "RuntimeError: Error(s) in loading state_dict for LeNet300100: Missing key(s)"
    assert again.tags[names.RESTARTED].startswith(reason)
    tags = {tag: words for tag, words in again.tags.items() if tag != names.RESTARTED}
    same(replace(again, tags=tags), train([spec(epochs=3)], DATA, "cpu")[0])


def test_where_it_ran_before_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints, trial = Checkpoints(str(tmp_path), seconds=0), spec(epochs=3)
    stopped([trial], DATA, checkpoints, 1)
    saved = checkpoints.read(trial.run_key)
    assert saved is not None
    checkpoints.write(replace(saved, tags={**saved.tags, "bench.cpu": "an old one"}))
    tags = train([trial], DATA, "cpu", checkpoints=checkpoints)[0].tags
    assert json.loads(tags[names.RESUMED_FROM]) == {"bench.cpu": "an old one"} and tags["bench.cpu"] != "an old one"


class Strange:
    """An object store whose library has errors of its own."""

    type_name = "abfs"

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no\ntoken")


def test_whatever_an_object_store_raises_the_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(f"file://{tmp_path}")
    bucket.system = Strange()
    for use in (lambda: bucket.write("a", b""), lambda: bucket.read("a"), bucket.names, lambda: bucket.remove("a")):
        with pytest.raises(OSError, match="RuntimeError: no token"):
            use()
    monkeypatch.setattr("bench.storage.checkpoint.files_at", lambda address: bucket)
    checkpoints = Checkpoints("anywhere", seconds=0)
    result = train([spec(epochs=2)], DATA, "cpu", checkpoints=checkpoints)[0]
    assert result.outcome == names.DONE and result.tags[names.UNSAVED].endswith("RuntimeError: no token")
    checkpoints.remove([result.run_key])


def test_what_a_killed_writer_left_goes_with_the_checkpoint(tmp_path: Path) -> None:
    key, other = spec().run_key, spec(seed=1).run_key
    for name in (f"{key}{SUFFIX}", f".{key}{SUFFIX}.0f0f.part", f"{other}{SUFFIX}"):
        (tmp_path / name).touch()
    Checkpoints(str(tmp_path)).remove([key])
    assert [path.name for path in tmp_path.iterdir()] == [f"{other}{SUFFIX}"]


def test_a_trial_that_failed_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(str(tmp_path), seconds=0)
    stopped([spec(epochs=3)], DATA, checkpoints, 1)
    assert len([*tmp_path.iterdir()]) == 1
    monkeypatch.setattr("bench.engine.member.Member.finish", lambda member, test: 1 / 0)
    assert train([spec(epochs=3)], DATA, "cpu", checkpoints=checkpoints)[0].outcome == names.FAILED
    assert [*tmp_path.iterdir()] == []


def test_an_address_is_used_like_a_folder(tmp_path: Path) -> None:
    checkpoints = Checkpoints(f"file://{tmp_path}/new/place", seconds=0)
    assert checkpoints.read(spec(epochs=3).run_key) is None
    checkpoints.remove([spec(epochs=3).run_key])
    stopped([spec(epochs=3)], DATA, checkpoints, 1)
    (file,) = (tmp_path / "new" / "place").iterdir()
    assert file.name == spec(epochs=3).run_key + SUFFIX
    same(train([spec(epochs=3)], DATA, "cpu", checkpoints=checkpoints)[0], train([spec(epochs=3)], DATA, "cpu")[0])
    checkpoints.remove([spec(epochs=3).run_key])
    assert [*file.parent.iterdir()] == []


class Stop(BaseException):
    """As a kill: nothing of ours catches it."""


@pytest.mark.parametrize("offline", [False, True], ids=["store", "offline"])
def test_the_run_command_goes_on_and_cleans_up(
    offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.execution.run.Checkpoints", partial(Checkpoints, seconds=0))
    monkeypatch.setattr("bench.execution.progress.Progress.epoch", stop_at(3))
    folder = tmp_path / "kept"
    command = ["run", "--executor", "local", "--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--epochs", "4"]
    command += ["--no-dense", "--storage", str(folder), *(["--offline", "out"] if offline else [])]
    with pytest.raises(Stop):
        main(command)
    (file,) = folder.iterdir()
    other = folder / ("0" * 64 + SUFFIX)
    stale = file.read_bytes()
    other.write_bytes(stale)  # of another trial, as far as the name tells
    monkeypatch.setattr("bench.execution.progress.Progress.epoch", lambda *news: None)
    assert main(command) == 0
    assert [*folder.iterdir()] == [other]
    if not offline:
        (tags,) = (run for run in stored(tmp_path).values())
        assert tags[names.RESUMED] == "2"
    file.write_bytes(stale)  # as if killed between the result and the cleaning
    assert main(command) == 0 and [*folder.iterdir()] == [other]


def stop_at(epoch: int) -> Callable[..., None]:
    def on_epoch(progress: Any, spec: TrialSpec, number: int, figures: Any) -> None:
        if number == epoch:
            raise Stop

    return on_epoch


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("file", "storage file: {folder}/file is no folder"),
        ("", "storage '': must be a folder, or an address such as s3://BUCKET/FOLDER"),
        (
            "nowhere://a",
            "storage nowhere://a: no answer (ArrowInvalid: Unrecognized filesystem type in URI: nowhere://a)",
        ),
    ],
)
def test_a_storage_that_cannot_be_is_one_line(
    storage: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["run", "--executor", "local", "--storage", storage]) == 2
    assert capsys.readouterr().err.endswith(f"error: {message.format(folder=tmp_path)}\n")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
