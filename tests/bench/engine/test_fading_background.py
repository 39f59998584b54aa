"""weight = where(mask, trained, c · its value at the start) while c falls: in every step, pack, checkpoint and file."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from remade_files import remade
from small_packs import OPTIMIZERS, difference, prepared
from small_trials import images, spec
from torch import Tensor

from bench import names
from bench.artefact.artefact import read
from bench.artefact.container import sizes, unseal
from bench.artefact.narrow import narrowed
from bench.engine.endless import endless_steps
from bench.engine.measures.cost import counts
from bench.engine.member import Epoch
from bench.engine.needs import Needs
from bench.engine.setup.background import scaled
from bench.engine.setup.prepare import Trial, prepare, resident
from bench.engine.steps.fading import Fading
from bench.engine.train import train, train_epochs
from bench.engine.trainers import trainer_of
from bench.methods import FreezeNet
from bench.methods.fading import scale_after
from bench.methods.maskable import maskable
from bench.models.initialise import checksum
from bench.storage.checkpoint import Checkpoints
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.start import Pretraining, Start

DATA = images()
STEPS = 12  # over which the background fades in the tests of single steps


def faded(method: str = "freeze", rate: str = "0.9", how: dict[str, Any] | None = None, **fields: Any) -> TrialSpec:
    """A small trial whose background fades: linearly to 0, unless `how` says another way."""
    plain = spec(method, rate, **fields)
    return replace(plain, method=replace(plain.method, **{"fade": "linear", **(how or {})}))


def result_of(s: TrialSpec, **more: Any) -> TrialResult:
    (result,) = train([s], DATA, "cpu", **more)
    assert result.outcome == names.DONE, result.reason
    return result


def dead(trial: Trial) -> dict[str, Tensor]:
    return {name: weight.detach()[~trial.masks[name]].clone() for name, weight in maskable(trial.model).items()}


def at_scale(values: dict[str, Tensor], c: float) -> dict[str, Tensor]:
    """float32(c) · the values, in their own precision; bit zero at 0."""
    factor = torch.tensor(c, dtype=torch.float32)
    return {name: value * factor.to(value) if c else torch.zeros_like(value) for name, value in values.items()}


def bits(values: dict[str, Tensor]) -> dict[str, bytes]:
    return {name: value.contiguous().numpy().tobytes() for name, value in values.items()}


def after(specs: list[TrialSpec], trials: list[Trial], done: int) -> list[dict[str, Tensor]]:
    """The states after so many steps of 10 images, in one epoch, trained as the first spec's pack kind says."""
    alone = specs[0].pack == "single"
    groups = [[position] for position in range(len(specs))] if alone else [list(range(len(specs)))]
    for positions in groups:
        trainer = trainer_of(specs[positions[0]], [trials[p] for p in positions])
        order = torch.randperm(360, generator=torch.Generator().manual_seed(1))[: done * 10]
        methods = [specs[p].method for p in positions]
        trainer.epoch(
            [order for _ in positions],
            [None for _ in positions],
            lambda step: specs[0].lr,
            lambda step, methods=methods: [scale_after(method, step, STEPS) for method in methods],  # type: ignore[misc]
        )
        trainer.write_back()
    return [{name: value.clone() for name, value in trial.model.state_dict().items()} for trial in trials]


def test_zero_has_no_sign() -> None:
    values = torch.tensor([1.5, -1.5, 0.0, -0.0])
    assert scaled(values, 0).numpy().tobytes() == bytes(16)
    assert scaled(values, 1) is values


def test_by_hand() -> None:
    """Of [[1, -2], [3, 4]] with the diagonal live: at 1/4 the others hold -0.5 and 0.75, whatever they held before."""
    weight, start = torch.tensor([[7.0, 9.0], [9.0, 8.0]]), torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    fading = Fading({"w": weight}, {"w": torch.eye(2, dtype=torch.bool)}, {"w": start})
    for scale, (one, other) in {0.25: (-0.5, 0.75), 0.0: (0.0, 0.0), 0.5: (-1.0, 1.5)}.items():
        fading.hold(scale)
        assert weight.tolist() == [[7.0, one], [other, 8.0]]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("step", ["dense", "sparse"])
def test_dead_weights_hold_it_under_every_optimizer(step: str, optimizer: str, precision: str) -> None:
    if step == "sparse" and precision == "bfloat16":
        pytest.skip("there is no such step")
    how = {"fade": "cosine", "fade_to": 0.1}
    fields = {"model": "lenet-5-caffe", "step": step, "precision": precision, "batch_size": 10}
    s = faded(rate="0.99", how=how, **fields, **OPTIMIZERS[optimizer])
    for done in (5, STEPS):
        (trial,) = prepared([s])
        start, live = dead(trial), {n: w.detach().clone() for n, w in maskable(trial.model).items()}
        (state,) = after([s], [trial], done)
        assert bits(dead(trial)) == bits(at_scale(start, scale_after(s.method, done, STEPS)))
        for name, mask in trial.masks.items():
            assert not mask.any() or not torch.equal(state[name][mask], live[name][mask])


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("float64", 1e-10)])
@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
def test_the_sparse_step_agrees_with_the_dense_step(model: str, precision: str, tolerance: float) -> None:
    given: dict[str, Any] = {"model": model, "precision": precision, "lr": 0.01, "rate": "0.99", "batch_size": 10}
    pair = [faded(step=step, **given) for step in ("dense", "sparse")]
    states = [after([s], prepared([s]), STEPS + 8) for s in pair]
    assert 0 < difference(*states) < tolerance


@pytest.mark.parametrize(("pack", "model"), [("vmap", "lenet-300-100"), ("unfold", "lenet-5-caffe")])
def test_packs_of_several_ways_to_fade(pack: str, model: str) -> None:
    given: dict[str, Any] = {"model": model, "precision": "float64", "lr": 0.02, "batch_size": 10}
    still = {"fade": "none"}
    hows: list[dict[str, Any]] = [{}, {"fade": "cosine", "fade_to": 0.5}, still, still | {"scale": 0}]
    packed, alone = (
        [faded(seed=seed, how=how, pack=kind, **given) for seed, how in enumerate(hows)] for kind in (pack, "single")
    )
    trials = prepared(packed)
    starts = [dead(trial) for trial in trials]
    together, single = after(packed, trials, 7), after(alone, prepared(alone), 7)
    assert difference(together, single) < 1e-10
    for s, trial, start in zip(packed, trials, starts, strict=True):
        relative = scale_after(s.method, 7, STEPS) if s.method.background_scale else 1.0
        assert bits(dead(trial)) == bits(at_scale(start, relative))


def watched(s: TrialSpec) -> tuple[list[float], TrialResult]:
    """The validation accuracy of each epoch, and the result."""
    *epochs, result = train_epochs([s], DATA, "cpu")
    assert isinstance(result, TrialResult) and result.outcome == names.DONE
    return [e.figures[names.VALIDATION_ACCURACY] for e in epochs if isinstance(e, Epoch)], result


def test_the_best_epoch_is_one_at_whose_end_it_has_faded() -> None:
    s = faded(how={"fade_until": 0.5}, epochs=4)
    accuracies, result = watched(s)
    best = int(result.metrics[names.BEST_EPOCH])
    assert best in (2, 3, 4)
    assert accuracies[best] == max(accuracies[2:]) and best == 2 + accuracies[2:].index(accuracies[best])
    _, last = watched(replace(s, method=replace(s.method, fade_until=1.0)))
    assert last.metrics[names.BEST_EPOCH] == 4


def test_faded_to_zero_it_is_stored_as_a_pruned_network_is() -> None:
    frozen, pruned, result = (result_of(s) for s in (spec("freeze"), spec("snip"), faded()))
    stored = read(result.artefact)
    assert stored.header.is_self_contained and not read(frozen.artefact).header.is_self_contained
    for name, weight in maskable(stored.model).items():
        assert weight.detach()[~stored.masks[name]].numpy().tobytes() == bytes(4 * int((~stored.masks[name]).sum()))
    assert checksum(stored.model) == result.tags[names.WEIGHTS_SHA256]
    assert len({r.tags[names.MASK_SHA256] for r in (frozen, pruned, result)}) == 1
    assert len({r.tags[names.WEIGHTS_SHA256] for r in (frozen, pruned, result)}) == 3
    assert sizes(result.artefact)["mask"] == sizes(pruned.artefact)["mask"]
    elsewhere = remade(result.artefact, spec=unseal(result.artefact)[0].model_dump()["spec"] | {"seed": 77})
    assert checksum(read(elsewhere).model) == result.tags[names.WEIGHTS_SHA256]  # the seed gives nothing of it


@pytest.mark.parametrize("control", ["none", "shuffle", "reinitialise", "invert", "redraw", "sign", "mean"])
def test_a_network_is_rebuilt_from_its_file_under_every_control(control: str) -> None:
    s = faded(how={"fade_to": 0.3, "control": control}, model="lenet-5-caffe", lr=0.02)
    result = result_of(s)
    stored = read(result.artefact)
    assert checksum(stored.model) == result.tags[names.WEIGHTS_SHA256]
    assert stored.header.run_key == result.run_key and stored.header.spec.method.background_scale == 0.3
    start = prepare(s, DATA, "cpu").unscaled
    for name, weight in maskable(stored.model).items():
        away = ~stored.masks[name]
        assert torch.equal(weight[away], (start[name] * torch.tensor(0.3))[away])
    tested = resident(stored.header.spec.model, "float32", DATA, "cpu", DATA.test_images, DATA.test_labels)
    smaller = read(narrowed(stored, "float16", tested))
    for name, weight in maskable(stored.model).items():
        assert torch.equal(maskable(smaller.model)[name][~stored.masks[name]], weight[~stored.masks[name]])


def with_end(artefact: bytes, end: object) -> bytes:
    spec_record = unseal(artefact)[0].model_dump()["spec"]
    return remade(artefact, spec=spec_record | {"method": spec_record["method"] | {"fade_to": end}})


def test_a_damaged_end_in_a_file_is_one_line() -> None:
    artefact = result_of(faded(how={"fade_to": 0.5})).artefact
    for value in (11.0, -0.5, "half", None):
        with pytest.raises(ValueError, match="fade_to") as error:
            read(with_end(artefact, value))
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="weights rebuilt differently"):
        read(with_end(artefact, 0.25))


@pytest.mark.parametrize("step", ["dense", "sparse"])
def test_a_trial_that_goes_on_midway_gives_the_bits_of_an_unbroken_one(step: str, tmp_path: Path) -> None:
    s = faded(rate="0.99", how={"fade": "cosine", "fade_to": 0.2}, epochs=4, step=step)
    checkpoints = Checkpoints(str(tmp_path), seconds=0)
    for epoch in (1, 2, 3):  # before it has faded, and just then
        training = train_epochs([s], DATA, "cpu", checkpoints)
        for event in training:
            if isinstance(event, Epoch) and event.epoch > epoch:
                break
        training.close()
    resumed, whole = result_of(s, checkpoints=checkpoints), result_of(s)
    assert resumed.tags[names.RESUMED] == "1,2,3"
    assert resumed.epochs == whole.epochs
    assert resumed.tags[names.WEIGHTS_SHA256] == whole.tags[names.WEIGHTS_SHA256]
    assert resumed.metrics[names.BEST_EPOCH] == whole.metrics[names.BEST_EPOCH]


def test_what_it_costs() -> None:
    """4 epochs, of which 3 with a background that is not 0."""
    s = faded(rate="0.95", epochs=4)
    to_zero, to_half = result_of(s).metrics, result_of(faded(rate="0.95", how={"fade_to": 0.5}, epochs=4)).metrics
    trial = prepare(s, DATA, "cpu")
    frozen, pruned = (counts(trial.model, trial.masks, b, trial.train.image_shape) for b in ("freeze", "prune"))
    macs = [sum(c[name] for name in (names.FORWARD_MACS, names.BACKWARD_MACS)) for c in (frozen, pruned)]
    assert to_zero[names.FORWARD_MACS] == pruned[names.FORWARD_MACS] < frozen[names.FORWARD_MACS]
    assert to_zero[names.TRAINING_MACS] == 3 * macs[0] + macs[1]
    assert to_half[names.FORWARD_MACS] == frozen[names.FORWARD_MACS]
    assert to_half[names.TRAINING_MACS] == 4 * macs[0]
    for name in (names.LIVE_WEIGHTS, names.STORED_PARAMETERS):
        assert to_zero[name] == to_half[name] == frozen[name]
    assert names.MEAN_LIVE_WEIGHTS not in to_zero


def test_from_a_base_it_is_of_the_bases_weights() -> None:
    start = Start(base=Pretraining(dataset="small", data_hash="0", epochs=1, lr=0.05))
    s = faded(how={"fade_to": 0.5}, start=start, lr=0.05)
    base = result_of(s.needs()[0])
    files = {base.run_key: base.artefact}
    result = result_of(s, needs=Needs(files))
    with pytest.raises(ValueError, match=r"its base .* is missing"):
        read(result.artefact)
    assert checksum(read(result.artefact, files).model) == result.tags[names.WEIGHTS_SHA256]
    to_zero = result_of(faded(start=start, lr=0.05), needs=Needs(files))
    assert checksum(read(to_zero.artefact).model) == to_zero.tags[names.WEIGHTS_SHA256]  # which needs no base


def test_levels_of_lottery_tickets_fade_too() -> None:
    first, second = faded("lt-sft", "0.3"), faded("lt-sft", "0.36")
    assert second.parent() == replace(first, rate=Decimal("0.2"))
    s = faded("lt-sft-oneshot", "0.5")
    parent = s.parent()
    assert parent is not None and parent.run_key == spec("dense").run_key
    dense = result_of(parent)
    result = result_of(s, needs=Needs({dense.run_key: dense.artefact}))
    assert checksum(read(result.artefact).model) == result.tags[names.WEIGHTS_SHA256]


def test_its_keys() -> None:
    ways: list[dict[str, Any]] = [{}, {"fade": "cosine"}, {"fade_to": 0.5}, {"fade_until": 0.5}, {"fade": "none"}]
    keys = {faded(how=how).run_key for how in ways}
    assert len(keys) == 5 and faded(how={"fade": "none"}).run_key == spec("freeze").run_key
    assert faded(rate="0.9").run_key != spec("freeze", "0.9").run_key
    assert replace(faded(), rate=Decimal(0)).run_key == spec("dense").run_key


def test_a_network_with_batchnorm_and_decay_to_the_start() -> None:
    result = result_of(faded(model="conv-bn", lr=0.02, decay_to="start"))
    assert checksum(read(result.artefact).model) == result.tags[names.WEIGHTS_SHA256]


def test_a_stopwatch_sees_it_fade() -> None:
    s = replace(spec("freeze", "0.99", step="sparse"), method=FreezeNet(fade="linear"))
    (trial,) = prepared([s])
    start = dead(trial)
    for _ in islice(endless_steps(s, trial), 4):
        pass
    assert bits(dead(trial)) == bits(at_scale(start, scale_after(s.method, 4, 100)))
