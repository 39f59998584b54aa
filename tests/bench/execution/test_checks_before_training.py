"""What would fail in training is refused before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command_line import called
from npz_files import npz
from small_trials import images, spec

from bench.engine.needs import Needs
from bench.engine.train import train
from bench.execution.outcomes import not_done
from bench.methods.channels import check_channel_snip
from bench.models import build
from bench.trial.loading import module_name
from bench.trial.needs import need_words
from bench.trial.outside.rows import add
from bench.trial.result import TrialResult
from bench.trial.start import Pretraining, Start
from bench.trial.sweep import Sweep

RUN = (
    "run", "--executor", "local", "--epochs", "1", "--rates", "0.9", "--seeds", "1", "--offline", "kept",
    "--tracking", "csv", "--model", "lenet-300-100",
)  # fmt: skip
START = ("--start", "pretrained:digits")


def refusal(folder: Path, *options: str) -> str:
    """The message of a run that is refused, and writes nothing."""
    done = called(folder, *RUN, *options)
    assert done.returncode == 2 and not (folder / "kept").exists(), done.stderr
    return done.stderr.splitlines()[-1].removeprefix("error: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--head", "trained", "--rates", "0.9,0.999", *START),
            "head trained at rate 0.999: 266 live weights; must be at least the head's 1000",
        ),
        (
            ("--methods", "channel-snip-freeze"),
            "channel-snip with model 'lenet-300-100': layer fc1 (Linear): has no BatchNorm directly behind it; "
            "channel-snip needs one, but of the last layer",
        ),
        ((*START, "--start-norm", "fresh"), "start-norm fresh: must be kept; model 'lenet-300-100' has no BatchNorm"),
    ],
)
def test_what_follows_from_the_shapes_of_the_network(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    assert refusal(tmp_path, *options) == message


HEAD_FIRST = """
from torch import nn

class HeadFirst(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(20, classes)
        self.hidden = nn.Linear(784, 20)

    def forward(self, images):
        return self.head(self.hidden(images.flatten(1)).relu())

MODELS = {"head-first": HeadFirst}
"""


@pytest.fixture
def head_first(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Asks for the network."""
    file = tmp_path / "net.py"
    file.write_text(HEAD_FIRST)
    yield "--plugin", str(file), "--model", "head-first"
    add([], module_name(file))  # the commands ran in this process, whose tables have its rows


@pytest.mark.parametrize("options", [("--head", "trained"), START, ("--methods", "last-layer")])
def test_a_head_is_the_layer_that_gives_the_classes(
    tmp_path: Path, head_first: tuple[str, ...], options: tuple[str, ...]
) -> None:
    assert refusal(tmp_path, *head_first, *options) == (
        "model 'head-first': its last Linear layer, 'hidden', does not give the 10 classes, the layer 'head' gives "
        "them; the head must be the Linear layer that is defined last"
    )


def test_without_need_of_a_head_any_order_serves(tmp_path: Path, head_first: tuple[str, ...]) -> None:
    done = called(tmp_path, *RUN, *head_first, *START, "--start-head", "kept", "--dry-run")
    assert done.returncode == 0, done.stderr


def test_as_many_live_weights_as_the_head_has_are_enough(tmp_path: Path) -> None:
    enough = ("--head", "trained", "--rates", str(1 - 1000 / 266200), *START, "--no-dense", "--dry-run")
    done = called(tmp_path, *RUN, *enough)
    assert done.returncode == 0 and "fail" not in done.stdout, done.stderr


def test_channel_snip_takes_a_network_with_batch_norm() -> None:
    check_channel_snip(build("resnet20", 10).eval(), torch.zeros(2, 3, 32, 32))
    with pytest.raises(ValueError, match=r"layer fc1 \(Linear\): has no BatchNorm"):
        check_channel_snip(build("lenet-300-100", 10).eval(), torch.zeros(2, 1, 28, 28))


def test_a_base_with_too_few_images_of_a_class(tmp_path: Path) -> None:
    few = npz(tmp_path / "few", 10, images=5)
    expected = "base on npz:data.npz: criterion-per-class 10: must be at most 4, the smallest class's training images"
    assert refusal(tmp_path, "--start", f"pretrained:{few}", "--dataset", npz(tmp_path / "ours", 5)) == expected


def test_the_floor_of_the_biases_is_estimated_from_a_start(tmp_path: Path) -> None:
    done = called(tmp_path, *RUN, "--methods", "biases", "--start", "pretrained:digits@0", "--no-dense", "--dry-run")
    assert done.returncode == 0, done.stderr
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in done.stdout.splitlines()[2:4]]
    assert [row[:4] for row in rows] == [["dense", "dense", "0", "1"], ["sparse", "freeze", "1", "1"]]
    assert "fail" not in done.stdout


def test_a_frozen_network_whose_weights_are_its_bases_is_no_start(tmp_path: Path) -> None:
    base = Start(base=Pretraining(dataset="small", data_hash="0", epochs=1, lr=0.1))
    started, data = spec(start=base, criterion_per_class=2), images(130, 30)
    (trained,) = train([started.needs()[0]], data, "cpu")
    (frozen,) = train([started], data, "cpu", needs=Needs({trained.run_key: trained.artefact}))
    (tmp_path / "frozen.frz").write_bytes(bytes(frozen.artefact))
    message = refusal(tmp_path, "--start", f"pretrained:{tmp_path / 'frozen.frz'}")
    ending = f"must be self-contained: its frozen weights are those of another network, {trained.run_key[:16]}"
    assert message == f"start '{tmp_path / 'frozen.frz'}': {ending}"


def test_what_is_needed_and_failed_is_named_by_data_set_and_key() -> None:
    base = Start(base=Pretraining(dataset="other", data_hash="1", epochs=1, lr=0.1))
    dense = spec("dense", start=base)
    (need,) = dense.needs()
    methods = {"dense": dense.method}
    protocol = {"dataset": "small", "data_hash": "0", "model": "lenet-300-100", "start": base}
    asked = Sweep(methods=methods, rates=[], seeds=[0], dense=True, classes=10, protocol=protocol)
    lost = {
        trial: TrialResult(run_key=trial.run_key, outcome="failed", reason=reason, started=0, ended=0)
        for trial, reason in ((need, "no memory"), (dense, "needs it"))
    }
    assert not_done(asked, [dense], {}, lost) == [
        f"failed: no memory: 1 of the trials that they need: other dense seed 0 ({need.run_key[:12]})",
        "failed: needs it: 1 of the sweep's trials: dense 0 seed 0",
    ]
    assert need_words(spec("lth", "0.2", seed=3)).startswith("small rate 0.2 seed 3 (")
