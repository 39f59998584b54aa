"""Trials whose masks follow from the trained network of another."""

from __future__ import annotations

import inspect
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import torch
from small_trials import images, spec

from bench import names
from bench.artefact.artefact import Artefact, read
from bench.engine.needs import Needs
from bench.engine.setup.background import draw
from bench.engine.setup.prepare import initial_model
from bench.engine.train import train
from bench.methods import METHODS, LotteryTicket, Method
from bench.methods.counts import live_count
from bench.methods.maskable import maskable
from bench.trial.needs import needed_by, training_epochs
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import Pretraining, Start

DATA = images()
READING = ["lth", "lt-sft"]
START = Start(base=Pretraining(dataset="small", data_hash="0", epochs=2, lr=0.05))


@cache
def result_of(s: TrialSpec) -> TrialResult:
    (result,) = train([s], DATA, "cpu", needs=Needs(files_of(s)))
    assert result.outcome == names.DONE, result.reason
    return result


def files_of(s: TrialSpec) -> dict[str, bytes]:
    return {need.run_key: bytes(result_of(need).artefact) for need in s.needs()}  # type: ignore[arg-type]


def network_of(s: TrialSpec) -> Artefact:
    return read(bytes(result_of(s).artefact), files_of(s))  # type: ignore[arg-type]


def test_the_parent_is_the_level_before_of_the_same_data_seed_protocol_and_start() -> None:
    s = spec("lth", "0.5", seed=3, lr=0.2, start=START, head="trained", step="sparse", weight_decay=1e-3)
    base, parent = s.needs()
    assert base == s.base()
    assert parent == replace(s, rate=parent.rate) and str(parent.rate) == "0.488"
    assert s.record().keys() == replace(s, method=METHODS["snip"]).record().keys()
    first = spec("lth", "0.2", seed=3, lr=0.2, step="sparse").needs()
    assert first == (spec("dense", seed=3, lr=0.2),)
    assert spec("lth-oneshot", "0.9").needs() == (spec("dense"),)


def test_rates_share_their_levels() -> None:
    of = {rate: {s.run_key for s in needed_by([spec("lth", rate)])} for rate in ("0.4", "0.5", "0.9")}
    assert of["0.4"] < of["0.5"] < of["0.9"] and [len(keys) for keys in of.values()] == [3, 4, 11]
    assert spec("lth", "0.36").run_key in of["0.4"]
    assert len(needed_by([spec(method, "0.5") for method in READING])) == 1 + 2 * 3  # the dense trial is both's


@pytest.mark.parametrize("method", READING)
def test_masks_are_nested_and_of_the_level_before(method: str) -> None:
    s, start = spec(method, "0.4"), maskable(initial_model(spec(), 10))
    while s.rate:
        network = network_of(s)
        (parent,) = s.needs()
        before = network_of(parent)
        assert sum(int(mask.sum()) for mask in network.masks.values()) == live_count(Fraction(s.rate), 266_200)
        assert all(not (mask & ~before.masks[name]).any() for name, mask in network.masks.items())
        scores = {n: (w if method == "lth" else w - start[n]).detach().abs() for n, w in maskable(before.model).items()}
        kept = torch.cat([scores[n][mask] for n, mask in network.masks.items()])
        gone = torch.cat([scores[n][before.masks[n] & ~mask] for n, mask in network.masks.items()])
        assert kept.min() >= gone.max()
        s = parent


@pytest.mark.parametrize("method", READING)
def test_every_level_starts_again_and_dead_weights_hold_their_background(method: str) -> None:
    s = spec(method, "0.3")
    tags = result_of(s).tags
    (parent,) = s.needs()
    assert tags[names.INIT_SHA256] == result_of(parent).tags[names.INIT_SHA256]
    assert tags[names.PARENT_KEY] == parent.run_key
    assert tags[names.PARENT_SHA256] == result_of(parent).tags[names.WEIGHTS_SHA256]
    drawn, network = initial_model(s, 10), network_of(s)
    draw(drawn, s)
    for name, weight in maskable(network.model).items():
        dead = ~network.masks[name]
        expected = torch.zeros_like(weight) if method == "lth" else maskable(drawn)[name]
        assert torch.equal(weight[dead], expected[dead])


def test_rate_0_is_the_dense_trial() -> None:
    assert spec("lth", "0") == spec("lth-oneshot", "0") == spec("dense")


@pytest.mark.parametrize("head", ["masked", "trained"])
def test_levels_of_frozen_weights_from_a_base(head: str) -> None:
    s = spec("lt-sft", "0.3", start=START, head=head)
    network = network_of(s)
    assert network.masks["fc3.weight"].all().item() is (head == "trained")
    dead = ~network.masks["fc1.weight"]
    base = s.base()
    assert base is not None
    expected = network_of(base).model.get_parameter("fc1.weight")
    assert torch.equal(network.model.get_parameter("fc1.weight")[dead], expected[dead])


def test_a_shuffled_ticket_has_the_densities_of_the_ticket() -> None:
    one = spec("lth", "0.3")
    other = replace(one, method=LotteryTicket(control="shuffle"))
    assert one.needs() == other.needs()
    plain, shuffled = network_of(one).masks, network_of(other).masks
    for name, mask in plain.items():
        assert int(mask.sum()) == int(shuffled[name].sum()) and not torch.equal(mask, shuffled[name])


def test_epochs_of_training_count_each_need_once() -> None:
    assert [training_epochs(spec("lth", rate, epochs=3)) for rate in ("0.5", "0.9")] == [15, 36]
    assert training_epochs(spec("lth", "0.5", epochs=3, start=START)) == 15 + 2
    assert training_epochs(spec("snip", epochs=3)) == training_epochs(spec("dense", epochs=3)) == 3
    assert result_of(spec("lth", "0.3")).metrics[names.TRAINING_EPOCHS] == 3
    assert names.TRAINING_EPOCHS not in result_of(spec("dense")).metrics


def test_without_its_parent_a_trial_fails_by_name() -> None:
    s = spec("lth", "0.3")
    (result,) = train([s], DATA, "cpu")
    assert result.outcome == names.FAILED
    assert f"the network of its parent {s.needs()[0].run_key[:16]} is missing" in result.reason


def test_a_parent_of_no_lower_rate_is_refused() -> None:
    class Itself(LotteryTicket):
        def parent(self, rate: Any) -> Any:
            return self, rate

    with pytest.raises(ValueError, match=r"parent of Itself at rate 0.5: of rate 0.5; must be lower"):
        replace(spec("dense"), rate=spec("snip", "0.5").rate, method=Itself()).needs()


def test_no_other_method_is_given_a_trained_network() -> None:
    given: list[dict[str, Any]] = []

    class Spy(Method):
        def select(self, *arguments: Any, **keywords: Any) -> Any:
            given.append(keywords)
            return super().select(*arguments)

    (parent,) = spec("lth-oneshot").needs()
    spying = replace(spec("snip"), method=Spy(criterion="snip", background="prune"))
    (result,) = train([spying], DATA, "cpu", needs=Needs({parent.run_key: bytes(result_of(parent).artefact)}))  # type: ignore[arg-type]
    assert result.outcome == names.DONE and given == [{}]
    for method in METHODS.values():
        parameters = inspect.signature(type(method).select).parameters
        assert {"trained", "live"} <= parameters.keys() or not {"trained", "live"} & parameters.keys()
        assert ("trained" in parameters) is method.reads_parent


def test_levels_can_be_trained_in_a_pack() -> None:
    specs = [spec("lth", "0.2", seed=seed, pack="vmap") for seed in (0, 1)]
    files: dict[str, bytes] = {}
    for s in specs:
        files |= files_of(s)
    results = train(specs, DATA, "cpu", needs=Needs(files))
    for s, result in zip(specs, results, strict=True):
        assert result.outcome == names.DONE, result.reason
        assert result.tags[names.PARENT_KEY] == s.needs()[0].run_key
        assert result.tags[names.MASK_SHA256] == result_of(s).tags[names.MASK_SHA256]
