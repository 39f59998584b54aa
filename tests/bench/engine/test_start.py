"""Trials that start from the trained weights of another."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from small_trials import images, spec
from torch import nn

from bench import models, names
from bench.artefact.artefact import Artefact, read
from bench.engine.needs import Needs
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import initial_model, prepare
from bench.engine.setup.start import Base, set_start, tensors_of
from bench.engine.train import train
from bench.methods import METHODS
from bench.methods.counts import live_count
from bench.methods.maskable import head_of, maskable
from bench.models.initialise import checksum
from bench.trial.optimizers import UPDATES
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import GivenWeights, Pretraining, Start, start_words

DATA = images()
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "momentum": {},
    "nesterov": {"nesterov": True},
    **{name: {"optimizer": name, "lr": 0.01} for name in UPDATES if name != "sgd"},
}


def start(**fields: Any) -> Start:
    return Start(base=Pretraining(dataset="small", data_hash="0", epochs=2, lr=0.05), **fields)


def started(method: str = "freeze", rate: str = "0.9", **fields: Any) -> TrialSpec:
    return spec(method, rate, **{"start": start(), **fields})


@cache
def trained(base: TrialSpec) -> TrialResult:
    (result,) = train([base], DATA, "cpu")
    assert result.outcome == names.DONE, result.reason
    return result


def needs_of(s: TrialSpec) -> Needs:
    return Needs({need.run_key: bytes(trained(need).artefact) for need in s.needs()})  # type: ignore[arg-type]


def base_of(s: TrialSpec) -> Artefact:
    (need,) = s.needs()
    return read(bytes(trained(need).artefact))  # type: ignore[arg-type]


def result_of(s: TrialSpec) -> TrialResult:
    (result,) = train([s], DATA, "cpu", needs=needs_of(s))
    assert result.outcome == names.DONE, result.reason
    return result


def test_the_base_is_the_dense_trial_that_a_sweep_of_its_data_would_train() -> None:
    s = started("snip", "0.95", seed=3, epochs=1, lr=0.2, start=start(head="kept"), head="trained", decay_to="start")
    assert s.base() == spec("dense", dataset="small", data_hash="0", seed=3, epochs=2, lr=0.05)
    fixed = replace(s, start=Start(base=Pretraining(dataset="small", data_hash="0", epochs=2, lr=0.05, seed=0)))
    assert [replace(fixed, seed=seed).base_key for seed in (3, 4)] == [fixed.base_key] * 2
    assert replace(s, seed=4).base_key != s.base_key == s.needs()[0].run_key
    assert spec().needs() == () and spec().base() is None and spec().base_key == ""


def test_drawn_weights_are_no_field_of_the_record() -> None:
    assert not {"start", "head", "decay_to"} & spec().record().keys()


def test_a_learning_rate_of_the_base_is_one_value_however_it_is_written() -> None:
    whole, real = (Start(base=Pretraining(dataset="x", data_hash="1", epochs=1, lr=lr)) for lr in (1, 1.0))
    assert spec(start=whole).run_key == spec(start=real).run_key
    assert str(whole.record()["lr"]) == "1.0"


@pytest.mark.parametrize("value", [start(), start(head="kept", norm="fresh"), Start(base=GivenWeights(sha256="ab"))])
def test_the_words_of_a_start_of_a_start(value: Start) -> None:
    nested = Start(base=Pretraining(dataset="x", data_hash="1", epochs=1, lr=0.1, seed=7, start=value))
    assert start_words(nested.record()).startswith("pretrained on x, base of seed 7 for all, itself ")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_dead_weights_hold_the_base_or_zero(method: str, optimizer: str) -> None:
    s = started(method, **OPTIMIZERS[optimizer])
    network, base = read(bytes(result_of(s).artefact), needs_of(s).files), base_of(s)  # type: ignore[arg-type]
    for name in ("fc1.weight", "fc2.weight"):
        weight, dead = maskable(network.model)[name], ~network.masks[name]
        expected = maskable(base.model)[name] if method == "freeze" else torch.zeros_like(weight)
        assert torch.equal(weight[dead], expected[dead])
        assert int((weight != maskable(base.model)[name])[~dead].sum()) > 0.9 * int((~dead).sum())


def test_the_head_is_drawn_again_from_the_trials_own_stream_or_kept() -> None:
    base = base_of(started())
    drawn = initial_model(spec(), 10)
    for head, expected in (("redrawn", drawn), ("kept", base.model)):
        trial = prepare(started(start=start(head=head)), DATA, "cpu", base=needs_of(started()).base(started()))
        weights = dict(trial.model.named_parameters())
        assert torch.equal(weights["fc3.weight"], expected.get_parameter("fc3.weight"))
        assert torch.equal(weights["fc1.weight"], base.model.get_parameter("fc1.weight"))
        assert trial.taken is not None and trial.taken.drawn == (
            ("fc3.weight", "fc3.bias") if head == "redrawn" else ()
        )


def test_methods_at_one_seed_share_base_and_initial_weights() -> None:
    tags = [result_of(started(method)).tags for method in ("freeze", "snip", "random-prune")]
    for tag in (names.INIT_SHA256, names.BASE_KEY, names.BASE_SHA256, names.BASE_TAKEN):
        assert len({t[tag] for t in tags}) == 1
    assert tags[0][names.BASE_SHA256] == trained(started().needs()[0]).tags[names.WEIGHTS_SHA256]
    assert result_of(started(seed=1)).tags[names.INIT_SHA256] != tags[0][names.INIT_SHA256]


@pytest.mark.parametrize("method", ["freeze", "snip", "random-prune"])
def test_rate_0_is_plain_fine_tuning_bit_for_bit(method: str) -> None:
    s = started(method, "0", head="trained")
    assert s == started("dense")
    model = initial_model(s, 10)
    base = needs_of(s).base(s)
    assert base is not None
    set_start(model, start(), base)
    assert result_of(s).tags[names.INIT_SHA256] == checksum(model)


def test_freezing_at_a_base_of_zeros_is_pruning_bit_for_bit() -> None:
    zeros = {name: torch.zeros_like(t) for name, t in tensors_of(initial_model(spec(), 10)).items()}
    base = Base("0" * 64, "0" * 64, zeros)
    trials = [
        prepare(started(m, start=start(head="kept")), DATA, "cpu", base=base) for m in ("random-freeze", "random-prune")
    ]
    for trial, method in zip(trials, ("random-freeze", "random-prune"), strict=True):
        apply_background(trial.model, trial.masks, started(method))
    assert checksum(trials[0].model) == checksum(trials[1].model)
    assert all(torch.equal(trials[0].masks[name], mask) for name, mask in trials[1].masks.items())


@pytest.mark.parametrize("method", ["freeze", "snip", "random-like-snip-prune", "uniform-magnitude-prune", "synflow"])
def test_a_trained_head_is_live_first_and_k_is_what_it_was(method: str) -> None:
    s = spec(method, "0.97", head="trained")
    masks = prepare(s, DATA, "cpu").masks
    assert bool(masks["fc3.weight"].all()) and masks["fc3.weight"].numel() == 1000
    assert sum(int(mask.sum()) for mask in masks.values()) == live_count(Fraction(s.rate), 266_200)
    assert list(masks) == list(prepare(spec(method, "0.97"), DATA, "cpu").masks)


def test_a_head_of_more_weights_than_are_live_fails_by_name() -> None:
    (result,) = train([spec("freeze", "0.999", head="trained")], DATA, "cpu")
    assert result.outcome == names.FAILED
    assert "head trained at rate 0.999: 266 live weights; must be at least the head's 1000" in result.reason


def test_batchnorm_is_kept_or_fresh() -> None:
    model = models.build("resnet20", 10)
    values = {name: torch.full_like(tensor, 2) for name, tensor in tensors_of(model).items()}
    base = Base("0" * 64, "0" * 64, values)
    fresh = {name: tensor.clone() for name, tensor in tensors_of(model).items()}
    norms = [f"{name}." for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in ("kept", "fresh"):
        started_model = models.build("resnet20", 10)
        started_model.load_state_dict(fresh)
        set_start(started_model, start(norm=norm), base)
        for name, tensor in tensors_of(started_model).items():
            is_fresh = name.startswith("fc.") or (norm == "fresh" and name.startswith(tuple(norms)))
            assert torch.equal(tensor, (fresh if is_fresh else values)[name]), name


def test_a_base_that_does_not_fit_is_named() -> None:
    model = models.build("lenet-300-100", 10)
    tensors = dict(tensors_of(models.build("lenet-300-100", 10)))
    assert head_of(model)[0] == "fc3"
    with pytest.raises(ValueError, match=r"base 000000000000: fc1.weight of shape \(2, 2\); must be of shape"):
        set_start(model, start(), Base("0" * 64, "", tensors | {"fc1.weight": torch.zeros(2, 2)}))
    del tensors["fc2.bias"]
    with pytest.raises(ValueError, match=r"base 000000000000: has no fc2.bias; must have every tensor"):
        set_start(model, start(), Base("0" * 64, "", tensors))
    (result,) = train([started()], DATA, "cpu")
    assert result.outcome == names.FAILED and "its base" in result.reason and "is missing" in result.reason


def test_trained_from_a_base_it_is_better_than_with_no_live_weight() -> None:
    """What fine-tuning adds to the base's features with biases alone: k = 0."""
    tuned, none_live = (
        result_of(started(m, r, start=start(head="kept"))) for m, r in (("dense", "0"), ("freeze", "0.9999999"))
    )
    assert none_live.metrics[names.LIVE_WEIGHTS] == 0
    assert names.TEST_ACCURACY in none_live.metrics and names.TEST_ACCURACY in tuned.metrics


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"method": METHODS["freeze"].__class__(control="reinitialise")},
            "control reinitialise with a pre-trained start",
        ),
        ({"start": Start(base=Pretraining(dataset="x", data_hash="0", epochs=0, lr=0.1))}, "start-epochs 0: must be"),
        ({"start": Start(base=Pretraining(dataset="x", data_hash="0", epochs=1, lr=0))}, "start-lr 0.0: must be"),
        ({"decay_to": "start", "weight_decay": 0}, "decay_to start with weight_decay 0.0: must be zero"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(started(), **fields)


SMALL = [name for name, method in METHODS.items() if method.closes_channels and not method.changes_masks]


@pytest.mark.parametrize("name", SMALL)
def test_a_network_that_is_small_from_the_start_takes_no_weights_of_a_base(name: str) -> None:
    owner = type(METHODS[name]).__name__
    with pytest.raises(ValueError, match=f"{owner} with a pre-trained start: must be trained from scratch"):
        replace(started(), method=METHODS[name])
    assert replace(started(), method=METHODS["budget-gate"]).start is not None
