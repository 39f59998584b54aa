"""Trials of whole filters, which have fewer live weights than the rate allows, and of biases alone, which have none."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from small_trials import images, pictures, spec

from bench import names
from bench.artefact.artefact import read
from bench.engine.setup.prepare import prepare
from bench.engine.train import train
from bench.methods import METHODS
from bench.methods.counts import live_count
from bench.methods.maskable import maskable
from bench.methods.scopes import check_live
from bench.models.initialise import checksum
from bench.trial.result import TrialResult

DATA = images(130, 30)
PLAIN = {"criterion_per_class": 2}


def trained(method: str, rate: str = "0.98", **fields: object) -> TrialResult:
    (result,) = train([spec(method, rate, **{**PLAIN, **fields})], DATA, "cpu")
    assert result.outcome == names.DONE, result.reason
    return result


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
@pytest.mark.parametrize("method", ["filter-snip-freeze", "filter-snip-prune", "filter-random-freeze"])
def test_what_is_stored_of_whole_filters_is_what_is_live(method: str, model: str) -> None:
    result = trained(method, model=model)
    weights, live = result.metrics[names.MASKABLE_WEIGHTS], result.metrics[names.LIVE_WEIGHTS]
    assert live <= live_count(Fraction("0.98"), int(weights))
    assert live == sum(layer["live"] for layer in result.layers)
    others = result.metrics[names.TOTAL_PARAMETERS] - weights
    assert result.metrics[names.STORED_PARAMETERS] == live + others
    stored = read(result.artefact).model
    assert checksum(stored) == result.tags[names.WEIGHTS_SHA256]


@pytest.mark.parametrize("method", ["filter-magnitude-freeze", "filter-magnitude-prune", "biases"])
def test_a_sparse_step_agrees_with_the_dense_one(method: str) -> None:
    """Magnitude takes rows of all layers at this rate; of biases alone every layer is without a live weight."""
    dense, sparse = (
        read(trained(method, "0.9", step=step, precision="float64").artefact).model for step in ("dense", "sparse")
    )
    for (name, one), other in zip(dense.named_parameters(), sparse.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12), name


def test_channel_snip_trains_a_network_with_batch_normalisation() -> None:
    fields = {**PLAIN, "model": "resnet20", "batch_size": 64}
    trial = prepare(spec("channel-snip-freeze", "0.9", **fields), pictures(DATA), "cpu")
    check_live(trial.masks, Fraction("0.9"), "filter")
    twin = prepare(spec("channel-snip-prune", "0.9", **fields), pictures(DATA), "cpu")
    assert all(torch.equal(mask, twin.masks[name]) for name, mask in trial.masks.items())


def test_fisher_does_not_see_the_protocols_statistics() -> None:
    fields = {"criterion_per_class": 1, "model": "resnet20"}
    one, other = (
        prepare(spec("fisher-freeze", "0.9", criterion_statistics=s, **fields), pictures(DATA), "cpu").masks
        for s in ("batch", "running")
    )
    assert all(torch.equal(mask, other[name]) for name, mask in one.items())


def test_a_shuffle_of_whole_filters_has_whole_filters() -> None:
    one = spec("filter-snip-freeze", "0.9", **PLAIN)
    controlled = replace(one, method=replace(METHODS["filter-snip-freeze"], control="shuffle"))
    plain, other = (prepare(s, DATA, "cpu").masks for s in (one, controlled))
    check_live(other, Fraction("0.9"), "filter")
    for name, mask in plain.items():
        assert mask.sum() == other[name].sum()
    assert any(not torch.equal(mask, other[name]) for name, mask in plain.items())


def test_biases_are_the_only_ones_that_move() -> None:
    result = trained("biases")
    assert result.metrics[names.LIVE_WEIGHTS] == 0
    assert result.metrics[names.STORED_PARAMETERS] == 410 == 300 + 100 + 10
    first = dict(prepare(spec("biases", **PLAIN), DATA, "cpu").model.named_parameters())
    last = read(result.artefact).model
    weights = maskable(last)
    for name, parameter in last.named_parameters():
        assert torch.equal(parameter, first[name]) is (name in weights)


def test_biases_are_what_freezing_is_with_no_live_weight() -> None:
    """At a rate that rounds to none the same network is trained; only its name and its rate are others."""
    named, rounded = trained("biases"), trained("freeze", "0.9999999")
    assert named.tags[names.WEIGHTS_SHA256] == rounded.tags[names.WEIGHTS_SHA256]
    assert named.run_key != rounded.run_key
