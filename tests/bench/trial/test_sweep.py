"""The grid of a sweep, as a list of trials and in a line."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

from bench.methods import METHODS, Method
from bench.models import MODELS
from bench.storage.entry import check_new_name
from bench.trial.needs import needed_by
from bench.trial.sweep import Sweep, data_and_model

PROTOCOL = {
    "dataset": "digits",
    "data_hash": "0",
    "model": "lenet-300-100",
    "step": "auto",
    "pack": "auto",
    "precision": "float32",
}


@pytest.mark.parametrize(
    ("methods", "rates", "seeds", "dense", "line"),
    [
        ("freeze snip", "0.9 0.99", 5, True, "2 methods × 2 rates × 5 seeds + dense × 5 seeds = 25 trials"),
        ("freeze", "0.9", 1, False, "1 method × 1 rate × 1 seed = 1 trial"),
        ("freeze snip", "0 0.9", 2, False, "2 methods × 1 rate × 2 seeds + dense × 2 seeds = 6 trials"),
        ("dense", "0.9", 3, False, "dense × 3 seeds = 3 trials"),
        ("freeze snip", "0", 3, True, "dense × 3 seeds = 3 trials"),
        (
            "freeze biases",
            "0.9 0.99",
            2,
            True,
            "1 method × 2 rates × 2 seeds + dense × 2 seeds + biases × 2 seeds = 8 trials",
        ),
        ("biases", "0.9 0.99", 3, False, "biases × 3 seeds = 3 trials"),
        ("freeze snip-freeze", "0.9", 2, True, "1 method × 1 rate × 2 seeds + dense × 2 seeds = 4 trials"),
    ],
)
def test_the_grid_in_a_line(methods: str, rates: str, seeds: int, dense: bool, line: str) -> None:
    sweep = Sweep(
        methods={name: METHODS[name] for name in methods.split()},
        rates=[Decimal(rate) for rate in rates.split()],
        seeds=range(seeds),
        dense=dense,
        classes=10,
        protocol=PROTOCOL,
    )
    assert sweep.grid() == f"grid: {line}"


def test_a_folder_of_images_is_one_data_set_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setitem(MODELS, "small", replace(MODELS["lenet-300-100"], image_shape=(3, 4, 4)))
    for folder, name in itertools.product(
        (tmp_path / "here", tmp_path / "there"), ("train/a", "train/b", "val/a", "val/b")
    ):
        (folder / "some" / name).mkdir(parents=True)
        Image.new("RGB", (4, 4), "red").save(folder / "some" / name / "0.png")
    here, there = (
        data_and_model(f"folder:{tmp_path / folder / 'some'}@4", "small", "xavier-normal")
        for folder in ("here", "there")
    )
    assert here == there
    assert here["dataset"] == "folder:some@4"
    with pytest.raises(ValueError, match=r"^data set 'folder:nowhere': must be folder:PATH or folder:PATH@SIDE"):
        data_and_model("folder:nowhere", "small", "xavier-normal")


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("mnist", "mnist-resnet20"),
        ("folder:my photos/é_1.2@64", "folder:my photos/é_1.2-64-resnet20"),  # legal, but for the SIDE
        ("folder:my data (v2)", "folder:my data -v2--resnet20"),
        ("folder:a%20b", "folder:a-20b-resnet20"),
        ("folder:a;b\n'c'\\ \udcff", "folder:a-b--c-- --resnet20"),
        ("folder:" + 250 * "ü", "folder:" + 184 * "ü" + "-resnet20"),
    ],
)
def test_the_default_name_is_one_that_a_sweep_can_have(dataset: str, name: str) -> None:
    sweep = Sweep(
        methods={}, rates=[], seeds=[0], dense=True, classes=10, protocol={"dataset": dataset, "model": "resnet20"}
    )
    assert sweep.default_name == name
    check_new_name(name)


@dataclass(frozen=True, kw_only=True)
class FromAnother(Method):
    """Reads the network of another method's trial."""

    criterion: str = "magnitude"
    background: str = "prune"  # type: ignore[assignment]
    reads_parent: ClassVar[bool] = True

    def parent(self, rate: Decimal) -> tuple[Method, Decimal]:
        return METHODS["magnitude-freeze"], rate / 2


def test_a_needed_trial_is_called_by_its_own_method() -> None:
    control = replace(METHODS["lth"], control="shuffle")
    methods = {"lth:control=shuffle": control, "another": FromAnother(), "mine": FromAnother(criterion="random")}
    sweep = Sweep(
        methods=methods, known={**METHODS, "named": FromAnother(criterion="gradient")}, rates=[Decimal("0.5")],
        seeds=[0], dense=False, classes=10, protocol=PROTOCOL,
    )  # fmt: skip
    names = {sweep.name_of(spec.method): format(spec.rate, "f") for spec in sweep.trials()}
    assert names == dict.fromkeys(methods, "0.5")
    needed = [(sweep.name_of(spec.method), format(spec.rate, "f")) for spec in needed_by(sweep.trials())]
    assert sorted(needed) == [
        ("dense", "0"), ("lth", "0.2"), ("lth", "0.36"), ("lth", "0.488"), ("magnitude-freeze", "0.25"),
    ]  # fmt: skip
    assert sweep.name_of(FromAnother(criterion="gradient")) == "named"
    assert sweep.name_of(replace(control, fraction=0.5)) == "lth:control=shuffle:fraction=0.5"
    assert replace(sweep, methods={}).name_of(METHODS["dense"]) == "dense"
