"""Sanity controls: each changes the one thing it is about."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
import torch
from small_trials import images, spec

from bench import names
from bench.artefact.artefact import read
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import Trial, prepare
from bench.engine.train import train
from bench.methods import METHODS, Dense, IterativeSNIP
from bench.methods.controls import CONTROLS
from bench.methods.counts import live_count
from bench.methods.maskable import maskable
from bench.methods.types import Control
from bench.models.initialise import checksum
from bench.trial.plugins import Catalogue
from bench.trial.spec import TrialSpec

DATA = images()


def controlled(control: str, method: str = "freeze", **fields: object) -> TrialSpec:
    plain = spec(method, **fields)
    return replace(plain, method=replace(plain.method, control=control))


def at_first_step(s: TrialSpec) -> Trial:
    trial = prepare(s, DATA, "cpu")
    apply_background(trial.model, trial.masks, s)
    return trial


def layers(trial: Trial) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return {name: (weight, trial.masks[name]) for name, weight in maskable(trial.model).items()}


PLAIN = prepare(spec("freeze"), DATA, "cpu")
INITIAL = {name: weight.detach().clone() for name, weight in maskable(PLAIN.model).items()}


def test_every_control_is_explained() -> None:
    assert tuple(CONTROLS) == Control.__args__


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
def test_shuffled_masks_keep_the_layers_densities(model: str) -> None:
    plain, shuffled = (
        prepare(s, DATA, "cpu") for s in (spec("freeze", model=model), controlled("shuffle", model=model))
    )
    for name, mask in plain.masks.items():
        other = shuffled.masks[name]
        assert other.shape == mask.shape and other.sum() == mask.sum() and not torch.equal(other, mask)
    assert checksum(plain.model) == checksum(shuffled.model)
    pruned = prepare(controlled("shuffle", "snip", model=model), DATA, "cpu")
    assert all(torch.equal(pruned.masks[name], mask) for name, mask in shuffled.masks.items())
    other = prepare(controlled("shuffle", model=model, seed=1), DATA, "cpu")
    assert not torch.equal(other.masks["fc1.weight"], shuffled.masks["fc1.weight"])


def test_a_shuffled_mask_is_uniform() -> None:
    """Of 2 live weights among 6 every pair is equally likely: 15 pairs, chi-square over 3,000 shuffles."""
    from bench.methods.controls import shuffled
    from bench.trial.streams import stream

    mask, generator = torch.tensor([[True, False, False], [False, True, False]]), stream(0, "shuffle")
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(3_000):
        pair = tuple(shuffled({"w": mask}, generator)["w"].flatten().nonzero().flatten().tolist())
        seen[pair] = seen.get(pair, 0) + 1
    assert len(seen) == 15 and sum((n - 200) ** 2 / 200 for n in seen.values()) < 36.1  # 0.1 % of 14 degrees of freedom


@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_other_weights_are_trained_under_the_scored_mask(method: str) -> None:
    trial = at_first_step(controlled("reinitialise", method))
    for name, (weight, mask) in layers(trial).items():
        assert torch.equal(mask, PLAIN.masks[name])
        assert not (weight == INITIAL[name])[mask].any()
        assert (weight[~mask] == 0).all() if method == "snip" else not (weight == INITIAL[name]).any()
    assert trial.init_sha256 != PLAIN.init_sha256


def test_inverted_the_weights_of_lowest_score_are_live() -> None:
    """Random scores have no ties, so the lowest tenth is what the highest nine tenths leave."""
    inverted = prepare(controlled("invert", "random-freeze"), DATA, "cpu")
    highest = prepare(spec("random-freeze", "0.1"), DATA, "cpu")
    total = sum(mask.numel() for mask in inverted.masks.values())
    assert sum(int(m.sum()) for m in inverted.masks.values()) == live_count(Fraction("0.9"), total)
    assert all(torch.equal(mask, ~highest.masks[name]) for name, mask in inverted.masks.items())


def test_what_frozen_weights_hold() -> None:
    for name, (weight, mask) in layers(at_first_step(controlled("redraw"))).items():
        assert torch.equal(weight[mask], INITIAL[name][mask])
        assert not (weight == INITIAL[name])[~mask].any()
        assert weight[~mask].std().item() == pytest.approx(INITIAL[name].std().item(), rel=0.1)
    for name, (weight, mask) in layers(at_first_step(controlled("sign"))).items():
        first = INITIAL[name]
        assert torch.equal(weight[mask], first[mask])
        assert torch.equal(weight[~mask].sign(), first[~mask].sign())
        assert weight[~mask].abs().unique().tolist() == [
            pytest.approx(first.double().std(correction=0).item(), rel=1e-6)
        ]
    for name, (weight, mask) in layers(at_first_step(controlled("mean"))).items():
        assert torch.equal(weight[mask], INITIAL[name][mask])
        (value,) = weight[~mask].unique().tolist()
        assert value == pytest.approx(math.fsum(INITIAL[name].double().flatten().tolist()) / mask.numel(), rel=1e-6)


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
@pytest.mark.parametrize("control", [c for c in CONTROLS if c != "none"])
def test_a_controlled_network_is_rebuilt_from_its_file(control: str, model: str) -> None:
    trained = train([controlled(control, model=model, lr=0.02)], DATA, "cpu")[0]
    assert trained.outcome == names.DONE, trained.reason
    artefact = read(trained.artefact)
    assert checksum(artefact.model) == trained.tags[names.WEIGHTS_SHA256]
    assert artefact.header.spec.method.control == control


def test_a_control_is_another_trial_and_none_is_not() -> None:
    keys = {controlled(control).run_key for control in CONTROLS}
    assert len(keys) == len(CONTROLS) and spec("freeze").run_key in keys
    assert "control" not in METHODS["freeze"].record()


def test_a_control_is_a_field_of_any_method() -> None:
    name, method = Catalogue().parse("freeze:control=shuffle")
    assert name == "freeze:control=shuffle" and method == replace(METHODS["freeze"], control="shuffle")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("snip:control=redraw", "background prune with control redraw: must be freeze"),
        ("iter-snip:control=invert", "control invert of IterativeSNIP: must be of a one-shot method"),
        (
            "snip:control=shufle",
            "control 'shufle': must be one of none, shuffle, reinitialise, invert, ",
        ),
    ],
)
def test_what_no_control_can_do_is_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        Catalogue().parse(name)
    assert "\n" not in str(error.value)


def test_of_the_dense_baseline_there_is_no_control() -> None:
    assert spec("freeze", "0").run_key == replace(controlled("shuffle"), rate=Decimal(0)).run_key
    with pytest.raises(ValueError, match="control invert of Dense"):
        Dense(control="invert")
    assert IterativeSNIP(control="shuffle").record()["control"] == "shuffle"
