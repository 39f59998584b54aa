"""Which step a trial takes: a fixed function of device, precision, background, rate and shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from requests_of import asked_of_run

from bench.cli.arguments import read_sweep
from bench.models import MODELS
from bench.trial.step_kind import LIMITS, first_convolution_step, layer_step, resolve_step


def resolved(asked: str = "auto", model: str = "lenet-300-100", rate: str = "0.99", **how: Any) -> str:
    given = {"device": "cpu", "precision": "float32", "pack": "single", "background": "prune"} | how
    return resolve_step(asked, rate=Decimal(rate), shapes=MODELS[model].layers(10), **given)


def test_golden_table() -> None:
    """The step kind is in the run key: a limit that moves orphans trials. Change it only with a new measurement."""
    rates = ("0", "0.5", "0.7", "0.8", "0.85", "0.9", "0.95", "0.99")

    def first(model: str, background: str) -> str:
        steps = [resolved(model=model, rate=rate, background=background) for rate in rates]
        return rates[steps.index("sparse")]

    assert {model: (first(model, "freeze"), first(model, "prune")) for model in MODELS} == {
        "lenet-300-100": ("0.7", "0.7"), "lenet-5-caffe": ("0.9", "0.7"), "lenet-5-caffe-relu": ("0.9", "0.7"),
        "vgg16-d": ("0.9", "0.7"), "vgg-c": ("0.9", "0.7"), "vgg-like": ("0.9", "0.7"),
        "vgg11-bn": ("0.9", "0.85"), "vgg16-bn": ("0.9", "0.85"), "vgg19-bn": ("0.9", "0.85"),
        "resnet20": ("0.9", "0.9"), "resnet32": ("0.9", "0.9"),
        "resnet56": ("0.9", "0.9"), "resnet110": ("0.9", "0.9"),
        "resnet20-proj": ("0.9", "0.9"), "resnet32-proj": ("0.9", "0.9"), "resnet32-x2": ("0.9", "0.85"),
        "resnet18": ("0.9", "0.85"), "resnet34": ("0.9", "0.85"),
        "wrn-16-8": ("0.9", "0.85"), "wrn-22-8": ("0.9", "0.85"), "mobilenet-v1": ("0.9", "0.7"),
        "conv-bn": ("0.9", "0.9"),
    }  # fmt: skip


def test_a_first_convolution_is_sparse_up_to_three_quarters_live_where_pruned() -> None:
    assert [first_convolution_step(500, live, "prune") for live in (0, 375, 376)] == ["sparse", "sparse", "dense"]
    assert first_convolution_step(500, 0, "freeze") == "dense"


def test_the_limit_itself_is_sparse_and_counted_exactly() -> None:
    weights = 30_000
    limit = int(LIMITS["linear", "prune"] * weights)
    assert layer_step("linear", weights, limit, "prune") == "sparse"
    assert layer_step("linear", weights, limit + 1, "prune") == "dense"
    assert layer_step("linear", 9_999, 0, "prune") == "dense"


def test_where_there_is_no_sparse_step_auto_is_dense_and_asking_is_an_error() -> None:
    for how, said in (
        ({"device": "cuda"}, "step sparse on cuda: the device must be cpu"),
        ({"precision": "bfloat16"}, "step sparse in bfloat16: the precision must be float32 or float64"),
        ({"pack": "vmap"}, "step sparse with pack vmap: the pack must be single"),
    ):
        assert resolved(**how) == "dense"
        with pytest.raises(ValueError, match=said):
            resolved("sparse", **how)


def test_what_is_asked_for_is_taken_but_at_rate_0() -> None:
    assert resolved("dense") == "dense"
    assert resolved("sparse", rate="0.1") == "sparse"
    assert resolved("sparse", rate="0") == "dense"


@pytest.mark.parametrize(("asked", "steps"), [("auto", "dds"), ("dense", "ddd"), ("sparse", "dss")])
def test_a_sweep_resolves_the_step_of_each_trial(asked: str, steps: str) -> None:
    given = ["--methods", "freeze", "--rates", "0.5,0.99", "--seeds", "1", "--device", "cpu", "--step", asked]
    assert "".join(trial.step[0] for trial in read_sweep(asked_of_run(*given)).trials()) == steps


def test_a_sweep_resolves_the_pack_before_the_step() -> None:
    given = ["--methods", "freeze", "--rates", "0.99", "--seeds", "1", "--device", "cpu", "--pack", "unfold"]
    trials = read_sweep(asked_of_run(*given)).trials()
    assert [(trial.pack, trial.step) for trial in trials] == [("vmap", "dense")] * 2  # no convolution to unfold
    with pytest.raises(ValueError, match="step sparse with pack vmap: the pack must be single"):
        read_sweep(asked_of_run(*given, "--step", "sparse"))
