"""weight = where(mask, trained, scale · its value at the start): in every step, pack, start and file."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from remade_files import remade
from small_packs import after, prepared
from small_trials import images, spec
from stepping import difference, steps

from bench import names
from bench.artefact.artefact import read
from bench.artefact.container import unseal
from bench.artefact.narrow import narrowed
from bench.engine.needs import Needs
from bench.engine.setup.background import apply_background, scaled
from bench.engine.setup.prepare import Trial, prepare, resident
from bench.engine.train import train
from bench.methods.maskable import maskable
from bench.models.initialise import checksum
from bench.trial.optimizers import UPDATES
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import Pretraining, Start

DATA = images()
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "momentum": {"lr": 0.02},
    "nesterov": {"lr": 0.02, "nesterov": True},
    **{name: {"optimizer": name, "lr": 0.001} for name in UPDATES if name != "sgd"},
}


def of_scale(
    scale: float, method: str = "freeze", rate: str = "0.9", control: str = "none", **fields: Any
) -> TrialSpec:
    """A small trial whose dead weights hold that many times their value at the start."""
    plain = spec(method, rate, **fields)
    return replace(plain, method=replace(plain.method, scale=scale, control=control))


def result_of(s: TrialSpec, **more: Any) -> TrialResult:
    (result,) = train([s], DATA, "cpu", **more)
    assert result.outcome == names.DONE, result.reason
    return result


def starting(trial: Trial) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in maskable(trial.model).items()}


def test_the_product_is_rounded_once_in_float32() -> None:
    """0.1 is the float32 nearest to it, whatever the precision of the weights; so the product in float64 is exact."""
    values = torch.tensor([0.3, -1.7, 3e-39, 0.0])
    products = np.float32(0.1) * values.numpy()
    assert scaled(values, 0.1).numpy().tobytes() == products.tobytes()
    wide = scaled(values.double(), 0.1)
    assert wide.dtype == torch.float64
    assert wide.tolist() == [float(np.float32(0.1)) * v for v in values.double().tolist()]
    assert torch.equal(wide.float(), scaled(values, 0.1))


def test_by_hand() -> None:
    """Of [[1, -2], [3, 4]] with the diagonal live and scale 0.25: [[1, -0.5], [0.75, 4]]."""
    model = torch.nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 4.0]]))
    apply_background(model, {"weight": torch.eye(2, dtype=torch.bool)}, of_scale(0.25))
    assert model.weight.tolist() == [[1.0, -0.5], [0.75, 4.0]]


def test_at_1_and_0_the_keys_are_those_of_freeze_and_prune() -> None:
    for method in ("freeze", "snip"):
        assert of_scale(1, method).run_key == spec("freeze").run_key
        assert of_scale(0, method).run_key == spec("snip").run_key
    assert of_scale(0.25, "snip").run_key == of_scale(0.25).run_key
    between = [of_scale(scale) for scale in (0, 0.25, 0.250001, 1, 2)]
    assert len({s.run_key for s in between}) == len({s.group_key for s in between}) == 5
    assert replace(of_scale(0.25), rate=Decimal(0)).run_key == spec("dense").run_key


def test_at_1_and_0_the_weights_are_those_of_freeze_and_prune() -> None:
    for scale, same in ((1, "freeze"), (0, "snip")):
        one, other = result_of(of_scale(scale, "snip" if scale else "freeze")), result_of(spec(same))
        assert one.tags[names.WEIGHTS_SHA256] == other.tags[names.WEIGHTS_SHA256]
        assert one.epochs == other.epochs


def test_every_scale_has_the_mask_of_freeze_and_its_own_network() -> None:
    results = [result_of(of_scale(scale)) for scale in (0, 0.25, 0.5, 1, 2)]
    assert len({r.tags[names.MASK_SHA256] for r in results}) == len({r.tags[names.INIT_SHA256] for r in results}) == 1
    assert len({r.tags[names.WEIGHTS_SHA256] for r in results}) == 5


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("step", ["dense", "sparse"])
def test_dead_weights_hold_it_under_every_optimizer(step: str, optimizer: str, precision: str) -> None:
    if step == "sparse" and precision == "bfloat16":
        pytest.skip("there is no such step")
    s = of_scale(0.3, model="lenet-5-caffe", rate="0.99", step=step, precision=precision, **OPTIMIZERS[optimizer])
    trial = prepare(s, DATA, "cpu")
    initial = starting(trial)
    trained = steps(trial, s, 10)
    for name, first in initial.items():
        live = trial.masks[name]
        assert torch.equal(trained[name][~live], (first * torch.tensor(0.3).to(first))[~live])
        assert not live.any() or not torch.equal(trained[name][live], first[live])


@pytest.mark.parametrize(
    ("precision", "count", "tolerance"),
    [
        ("float32", 20, 1e-6),
        ("float64", 20, 1e-10),
        pytest.param("float64", 200, 1e-10, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("scale", [0.25, 2])
@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
def test_the_sparse_step_agrees_with_the_dense_step(
    model: str, scale: float, precision: str, count: int, tolerance: float
) -> None:
    given: dict[str, Any] = {"model": model, "precision": precision, "lr": 0.01, "rate": "0.99"}
    dense, sparse = (of_scale(scale, step=step, **given) for step in ("dense", "sparse"))
    one, other = (steps(prepare(s, DATA, "cpu"), s, count) for s in (dense, sparse))
    assert 0 < difference(one, other) < tolerance


@pytest.mark.parametrize(("pack", "model"), [("vmap", "lenet-300-100"), ("unfold", "lenet-5-caffe")])
def test_packs_of_several_scales(pack: str, model: str) -> None:
    given: dict[str, Any] = {"model": model, "precision": "float64", "lr": 0.02}
    packed, alone = (
        [of_scale(scale, seed=seed, pack=kind, **given) for seed, scale in enumerate((0, 0.25, 1, 2))]
        for kind in (pack, "single")
    )
    trials = prepared(packed)
    dead = [{n: w.detach()[~t.masks[n]].clone() for n, w in maskable(t.model).items()} for t in trials]
    together, single = after(packed, trials, 20), after(alone, prepared(alone), 20)
    for state, expected, trial, held in zip(together, single, trials, dead, strict=True):
        assert difference(state, expected) < 1e-10
        assert all(torch.equal(state[name][~trial.masks[name]], values) for name, values in held.items())


@pytest.mark.parametrize("control", ["none", "shuffle", "reinitialise", "invert", "redraw", "sign", "mean"])
def test_a_network_is_rebuilt_from_its_file_under_every_control(control: str) -> None:
    result = result_of(of_scale(0.3, control=control, model="lenet-5-caffe", lr=0.02))
    stored = read(result.artefact)
    assert checksum(stored.model) == result.tags[names.WEIGHTS_SHA256]
    assert stored.header.run_key == result.run_key
    assert stored.header.spec.method.background == 0.3
    assert any(bool(weight[~stored.masks[name]].any()) for name, weight in maskable(stored.model).items())
    tested = resident(stored.header.spec.model, "float32", DATA, "cpu", DATA.test_images, DATA.test_labels)
    smaller = read(narrowed(stored, "float16", tested))
    for name, weight in maskable(stored.model).items():
        dead = ~stored.masks[name]
        assert torch.equal(maskable(smaller.model)[name][dead], weight[dead])


def test_under_a_control_the_scale_is_of_what_frozen_weights_hold_then() -> None:
    for control in ("redraw", "sign", "mean", "reinitialise"):
        (whole, half) = (of_scale(scale, control=control) for scale in (1, 0.5))
        trials = [prepare(s, DATA, "cpu") for s in (whole, half)]
        for s, trial in zip((whole, half), trials, strict=True):
            apply_background(trial.model, trial.masks, s)
        for (name, one), other in zip(
            maskable(trials[0].model).items(), maskable(trials[1].model).values(), strict=True
        ):
            dead = ~trials[0].masks[name]
            assert torch.equal(other[dead], one[dead] / 2) and torch.equal(other[~dead], one[~dead])


def with_background(artefact: bytes, background: object) -> bytes:
    """The file with another background in its header."""
    spec_record = unseal(artefact)[0].model_dump()["spec"]
    return remade(artefact, spec=spec_record | {"method": spec_record["method"] | {"background": background}})


def test_a_damaged_scale_in_a_file_is_one_line() -> None:
    artefact = result_of(of_scale(0.5)).artefact
    for value in (11.0, -0.5, "half"):
        with pytest.raises(ValueError, match="background") as error:
            read(with_background(artefact, value))
        assert "\n" not in str(error.value)


def test_another_scale_in_a_file_is_noticed() -> None:
    artefact = result_of(of_scale(0.5)).artefact
    with pytest.raises(ValueError, match="weights rebuilt differently"):
        read(with_background(artefact, 0.25))


def test_from_a_base_it_is_of_the_bases_weights() -> None:
    start = Start(base=Pretraining(dataset="small", data_hash="0", epochs=1, lr=0.05))
    s = of_scale(0.5, start=start, lr=0.05)
    base = result_of(s.needs()[0])
    files = {base.run_key: base.artefact}
    result = result_of(s, needs=Needs(files))
    with pytest.raises(ValueError, match=r"its base .* is missing"):
        read(result.artefact)
    stored, of_base = read(result.artefact, files), maskable(read(base.artefact).model)
    assert checksum(stored.model) == result.tags[names.WEIGHTS_SHA256]
    weights = maskable(stored.model)
    *kept, _ = weights  # the last layer is drawn again
    for name in kept:
        dead = ~stored.masks[name]
        assert torch.equal(weights[name][dead], (of_base[name] / 2)[dead])


def test_levels_of_lottery_tickets_have_it_too() -> None:
    s = of_scale(0.5, "lth-oneshot")
    parent = s.parent()
    assert parent is not None and parent.run_key == spec("dense").run_key
    first, second = of_scale(0.5, "lth", "0.3"), of_scale(0.5, "lth", "0.36")
    assert second.parent() == replace(first, rate=Decimal("0.2"))
    dense = result_of(parent)
    result = result_of(s, needs=Needs({dense.run_key: dense.artefact}))
    assert checksum(read(result.artefact).model) == result.tags[names.WEIGHTS_SHA256]


def test_weights_that_are_not_zero_cost_what_frozen_ones_cost() -> None:
    counted = {scale: result_of(of_scale(scale, rate="0.95")).metrics for scale in (0, 0.25, 1)}
    for name in (names.FORWARD_MACS, names.BACKWARD_MACS):
        assert counted[0.25][name] == counted[1][name] > counted[0][name]
    for name in (names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.MASK_BYTES):
        assert counted[0.25][name] == counted[1][name] == counted[0][name]


def test_the_floor_under_freezing_has_no_scale() -> None:
    with pytest.raises(ValueError, match=r"scale 0\.5 of Biases: must be left out; it is the floor under freezing"):
        of_scale(0.5, "biases")


def test_a_network_with_batchnorm() -> None:
    result = result_of(of_scale(0.25, model="conv-bn", lr=0.02))
    assert checksum(read(result.artefact).model) == result.tags[names.WEIGHTS_SHA256]
