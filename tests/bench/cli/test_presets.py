"""Presets: every one can be run as it is, says where each field is from, and yields to the command line."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from requests_of import asked_of_run

from bench.cli.arguments import read_sweep
from bench.cli.cli import main
from bench.cli.presets import PRESETS, Origin
from bench.engine.steps.learning_rate import learning_rate
from bench.trial.spec import TrialSpec


def trials(*arguments: str) -> list[TrialSpec]:
    return read_sweep(asked_of_run(*arguments)).trials()


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("freezenet-mnist", (2 * 1 + 1) * 20),
        ("freezenet-mnist-250", (2 * 5 + 1) * 5),
        ("snip-mnist", (2 * 2 + 1) * 20),
        ("snip-cifar10", (2 * 1 + 1) * 5),
        ("grasp-cifar10", (4 * 3 + 1) * 5),
        ("grasp-cifar100", (4 * 3 + 1) * 5),
        ("synflow-cifar10", (8 * 9 + 1) * 3),
        ("synflow-cifar100", (8 * 9 + 1) * 3),
        ("pretraining-like", (6 * 7 + 1) * 5),
        ("pretraining-like-mobilenet", (6 * 7 + 1) * 5),
        ("budget-cifar10", (4 * 4 + 1) * 5),
        ("budget-cifar10-resnet56", (4 * 4 + 1) * 5),
    ],
)
def test_every_preset_is_a_sweep(name: str, count: int) -> None:
    specs = trials("--preset", name)
    assert len(specs) == count
    for field, (value, origin) in PRESETS[name].fields.items():
        assert origin in get_args(Origin)
        if field not in ("methods", "rates", "seeds", "milestones", "when") and not field.startswith("start"):
            assert {getattr(spec, field) for spec in specs} == {value}


def test_all_presets_are_tested() -> None:
    (mark,) = test_every_preset_is_a_sweep.pytestmark  # type: ignore[attr-defined]
    assert {name for name, _ in mark.args[1]} == set(PRESETS)


def test_the_steps_of_a_schedule_are_the_papers() -> None:
    """Every 25,000 of 250 epochs of 540 iterations; every 30,000 of 150,000; epochs 60 and 120 of 160."""
    snip, steps = trials("--preset", "snip-mnist")[0], 250 * 540
    for k in range(1, 6):
        before, after = (learning_rate(snip, 25_000 * k + i, steps) for i in (-1, 0))
        assert (before, after) == (pytest.approx(0.1**k), pytest.approx(0.1 ** (k + 1)))
    assert trials("--preset", "snip-cifar10")[0].milestones == (0.2, 0.4, 0.6, 0.8)
    assert trials("--preset", "synflow-cifar100")[0].milestones == (60 / 160, 120 / 160)


@pytest.mark.parametrize(
    ("arguments", "warmup"),
    [([], 1.0), (["--epochs", "10"], 1.0), (["--epochs", "3"], 0.3), (["--epochs", "3", "--warmup-epochs", "0"], 0.0)],
)
def test_without_a_preset_the_first_epoch_warms_up(arguments: list[str], warmup: float) -> None:
    assert {spec.warmup_epochs for spec in trials(*arguments)} == {warmup}


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_the_default_network_of_mnist_has_a_relu_after_each_convolution(dataset: str) -> None:
    assert {spec.model for spec in trials("--dataset", dataset)} == {"lenet-5-caffe-relu"}


def test_no_preset_warms_up_but_those_that_say_so() -> None:
    warm = {"freezenet-mnist": 1.0, "freezenet-mnist-250": 1.0}
    for name, preset in PRESETS.items():
        assert preset.options()["warmup_epochs"] == warm.get(name, 0.0)


def test_what_is_given_counts() -> None:
    specs = trials(
        "--lr", "0.03", "--preset", "grasp-cifar10", "--seeds", "1", "--rates", "0.9", "--model", "resnet32-x2"
    )
    assert {(spec.lr, spec.model, spec.epochs, spec.seed) for spec in specs} == {(0.03, "resnet32-x2", 160, 0)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "snip-cifar1"], "unknown preset 'snip-cifar1': must be one of freezenet-mnist"),
        (["--preset", "grasp-cifar10", "--schedule", "cosine", "--gamma", "0.1"], "gamma with schedule cosine"),
        (["--preset", "grasp-cifar10", "--model", "lenet-5-caffe"], "takes images (1, 28, 28); data set 'cifar10' has"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_listing_says_where_each_field_is_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "presets", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "freezenet-mnist-250,lr,0.05,ours" in lines and "snip-mnist,lr,0.1,paper" in lines
    assert "grasp-cifar10,epochs,160,code" in lines
    assert len(lines) == 1 + sum(len(preset.fields) + 2 for preset in PRESETS.values())


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (("--schedule", "cosine"), {"schedule": "cosine", "milestones": (), "gamma": 0.1, "lr": 0.1}),
        (("--optimizer", "adam", "--lr", "0.001"), {"nesterov": False, "lr": 0.001, "schedule": "step"}),
        (("--no-nesterov",), {"nesterov": False, "momentum": 0.9}),
        (("--schedule", "step", "--milestones", "0.5"), {"milestones": (0.5,), "gamma": 0.1}),
    ],
)
def test_what_belongs_to_another_choice_goes_with_it(given: tuple[str, ...], fields: dict[str, Any]) -> None:
    spec = trials("--preset", "synflow-cifar100", *given)[0]
    assert {name: getattr(spec, name) for name in fields} == fields


def test_adam_still_wants_a_learning_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--preset", "synflow-cifar100", "--optimizer", "adam"]) == 2
    assert capsys.readouterr().err == "error: optimizer adam: needs --lr; the default 0.1 is for sgd\n"
