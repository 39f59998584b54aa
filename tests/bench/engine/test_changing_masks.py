"""Trials whose masks change while they are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from small_members import after_epochs, data, member_of, result_of
from small_trials import spec
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from bench import names
from bench.artefact.artefact import read
from bench.engine.member import Epoch, Member
from bench.engine.setup.background import draw
from bench.engine.setup.prepare import initial_model, prepare
from bench.engine.steps.learning_rate import learning_rate
from bench.engine.train import Training, train, train_epochs
from bench.methods import METHODS, Background, Masks, Method
from bench.methods.changing.revision import Revision
from bench.methods.changing.shaping import ShapedNetwork
from bench.methods.counts import live_count
from bench.methods.maskable import maskable
from bench.models.initialise import checksum
from bench.storage.checkpoint import Checkpoints
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

DATA = data()
# Those that close channels are in test_budgets.py.
CHANGING = [
    name
    for name, method in METHODS.items()
    if method.changes_masks and not method.closes_channels and not name.endswith("-freeze")
]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"weight_decay": 1e-2},
    "nesterov": {"nesterov": True, "weight_decay": 1e-2},
    "adam": {"optimizer": "adam", "lr": 1e-3, "weight_decay": 1e-2},
    "adamw": {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 1e-2},
    "to-start": {"decay_to": "start", "weight_decay": 1e-2},
}
TWINS = [("rigl", "rigl-freeze"), ("set", "set-freeze"), ("gmp", "gmp-freeze"), ("dropback-prune", "dropback")]
CLOCKS = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}


def changing(method: str = "rigl", epochs: int = 4, **fields: Any) -> TrialSpec:
    return spec(method, epochs=epochs, **fields)


@pytest.mark.parametrize(
    ("method", "optimizer"),
    [
        *(("rigl-freeze", optimizer) for optimizer in OPTIMIZERS),
        *(("rigl", optimizer) for optimizer in ("sgd", "adam")),
        *((method, "nesterov") for method in ("gmp-freeze", "dropback")),
    ],
)
def test_dead_weights_hold_the_background_after_every_epoch(method: str, optimizer: str) -> None:
    s = changing(method, **OPTIMIZERS[optimizer])
    drawn = initial_model(s, 10)
    draw(drawn, s)
    start = {n: w.detach() * (s.method.background == "freeze") for n, w in maskable(drawn).items()}
    member, seen = member_of(s), []
    for epoch in after_epochs(member):
        for name, weight in maskable(member.trial.model).items():
            dead = ~member.trial.masks[name]
            assert torch.equal(weight[dead], start[name][dead])
        seen.append((epoch, {name: mask.clone() for name, mask in member.trial.masks.items()}))
    assert [epoch for epoch, _ in seen] == [0, 1, 2, 3, 4]
    moved = [epoch for (_, a), (epoch, b) in pairwise(seen) if any(not torch.equal(a[n], b[n]) for n in a)]
    moments = s.method.moments(4)
    assert moved == [*moments] or (method == "dropback" and moved == [*moments[: len(moved)]] != [])


@pytest.mark.parametrize("method", ["rigl", "rigl-freeze", "set", "set-freeze"])
def test_every_layer_keeps_its_count_and_changes_as_many_as_the_cosine_says(method: str) -> None:
    result = result_of(changing(method))
    for layer in (layer for layer in result.layers if layer["live"] < layer["weights"]):
        first, second, third = layer[names.REVISIONS]
        assert first["live"] == second["live"] == third["live"] == layer["live"]
        assert 0 < third["grown"] < second["grown"] <= -(-first["live"] * 225 // 1000)  # of 3 epochs, the first: 0.225
    assert result.metrics[names.MEAN_LIVE_WEIGHTS] == result.metrics[names.LIVE_WEIGHTS] == 26_620
    assert result.tags[names.REVISED] == "1,2"


@pytest.mark.parametrize(
    ("background", "optimizer"),
    [*(("freeze", optimizer) for optimizer in OPTIMIZERS), ("prune", "sgd"), ("prune", "adam")],
)
def test_without_a_change_it_is_the_static_trial_bit_for_bit(background: Background, optimizer: str) -> None:
    s = changing(**OPTIMIZERS[optimizer])
    still = replace(s, method=replace(s.method, fraction=0.0, background=background))
    static = replace(s, method=METHODS[f"random-erk-{background}"])
    one, other = result_of(still), result_of(static)
    for tag in (names.WEIGHTS_SHA256, names.MASK_SHA256, names.INIT_SHA256):
        assert one.tags[tag] == other.tags[tag]
    assert one.epochs == other.epochs


@pytest.mark.parametrize(
    ("pruning", "freezing", "optimizer"),
    [*((*TWINS[0], optimizer) for optimizer in OPTIMIZERS), *((*twins, "sgd") for twins in TWINS[1:])],
)
def test_freezing_at_zero_is_pruning_bit_for_bit(pruning: str, freezing: str, optimizer: str) -> None:
    fields = OPTIMIZERS[optimizer]
    pruned, frozen = member_of(changing(pruning, **fields)), Member(changing(freezing, **fields))
    trial = prepare(frozen.spec, DATA, "cpu")
    with torch.no_grad():
        for name, weight in maskable(trial.model).items():
            weight.mul_(trial.masks[name])
    frozen.begin(replace(trial, initial={name: torch.zeros_like(value) for name, value in trial.initial.items()}))
    assert [*after_epochs(pruned)] == [*after_epochs(frozen)] == [0, 1, 2, 3, 4]
    assert all(torch.equal(mask, frozen.trial.masks[name]) for name, mask in pruned.trial.masks.items())
    assert checksum(pruned.trial.model) == checksum(frozen.trial.model)


def test_rate_0_is_the_dense_trial() -> None:
    assert all(spec(method, "0") == spec("dense") for method in CHANGING)


@pytest.mark.parametrize("method", CHANGING)
def test_the_last_masks_are_of_the_rate_and_in_the_file(method: str) -> None:
    s = changing(method)
    result = result_of(s)
    artefact = read(bytes(result.artefact))  # type: ignore[arg-type]
    live = {name: int(mask.sum()) for name, mask in artefact.masks.items()}
    assert sum(live.values()) == live_count(Fraction(s.rate), 266_200) == result.metrics[names.LIVE_WEIGHTS]
    assert live == {layer["name"]: layer["live"] for layer in result.layers}
    assert artefact.header.sha256.mask == result.tags[names.MASK_SHA256]
    assert result.metrics[names.BEST_EPOCH] >= s.method.moments(4)[-1]


@pytest.mark.parametrize(("method", "mean"), [("gmp", 106_480), ("dropback", 86_515)])
def test_mean_live_weights_count_the_dense_epochs(method: str, mean: int) -> None:
    # gmp of 4 epochs begins at 0, ends at 3: rates 0, 0.9 · 19/27, 0.9 · 26/27, 0.9; dropback is dense for one.
    result = result_of(changing(method))
    layers: Sequence[Mapping[str, Any]] = result.layers
    assert result.metrics[names.MEAN_LIVE_WEIGHTS] == mean
    assert sum(layer[names.REVISIONS][0]["live"] for layer in layers) == 266_200
    if method == "dropback":
        assert mean == (266_200 + 3 * 26_620) / 4
        dense = result_of(changing("dense")).metrics
        assert names.TRAINING_MACS not in dense and names.MEAN_LIVE_WEIGHTS not in dense
        per_epoch = dense[names.FORWARD_MACS] + dense[names.BACKWARD_MACS]
        last = result.metrics[names.FORWARD_MACS] + result.metrics[names.BACKWARD_MACS]
        revised_once = result.metrics[names.TRAINING_MACS] - per_epoch - 2 * last
        assert last - 2000 < revised_once < last + 2000  # of its masks, with as many live weights in other layers


def test_a_masked_optimizer_state_is_carried_over() -> None:
    member = member_of(changing("rigl", optimizer="adam", lr=1e-3))
    training = Training([member])
    events = training.events()
    while len(member.epochs) < 1:
        next(events)
    trainer: Any = training._trainer
    training._train(0)
    before, old = dict(member.trial.masks), trainer.states()[0]
    assert member.revise()
    trainer.revise(member.trial)
    for name, state in trainer.states()[0].items():
        if name not in before:
            assert all(torch.equal(a, b) for a, b in zip(state, old[name], strict=True))
            continue
        was, now = before[name].view(-1), member.trial.masks[name].view(-1)
        for tensor, earlier in zip(state[:2], old[name][:2], strict=True):
            whole = torch.zeros(now.numel()).masked_scatter(was, earlier.view(-1))
            assert torch.equal(tensor.view(-1), whole[now])
        assert state[2] == old[name][2] == 4  # steps of an epoch


@pytest.mark.parametrize(
    ("method", "last"),  # before, at and after the last moment
    [
        *(("rigl-freeze", last) for last in (1, 2, 3)),
        ("gmp", 2),
        ("dropback", 1),
        ("halving", 1),
        ("halving", 3),
        ("edge-popup", 2),
    ],
)
def test_stopped_and_resumed_gives_the_same_bits(method: str, last: int, tmp_path: Path) -> None:
    s, checkpoints = changing("rigl" if method == "halving" else method), Checkpoints(str(tmp_path), seconds=0.0)
    s = replace(s, method=Halving()) if method == "halving" else s
    unbroken = result_of(s)
    events = train_epochs([s], DATA, "cpu", checkpoints)
    while not (isinstance(event := next(events), Epoch) and event.epoch == last + 1):
        pass
    events.close()
    (resumed,) = train([s], DATA, "cpu", checkpoints=checkpoints)
    assert resumed.tags[names.RESUMED] == str(last)
    assert resumed.epochs == unbroken.epochs and resumed.layers == unbroken.layers
    for tag in (names.WEIGHTS_SHA256, names.MASK_SHA256, names.REVISED):
        assert resumed.tags[tag] == unbroken.tags[tag]
    figures = [{n: v for n, v in one.metrics.items() if n not in CLOCKS} for one in (resumed, unbroken)]
    assert figures[0] == figures[1]


@dataclass(frozen=True, kw_only=True)
class Halving(Method):
    """A method of the tests that uses all of the seam: a gate on the first layer's outputs, closed for good at last."""

    criterion: str = "random"
    background: Background = "prune"

    def moments(self, epochs: int) -> tuple[int, ...]:
        return (epochs - 1,)

    def attach(self, at: ShapedNetwork) -> Sequence[RemovableHandle]:
        at.state.setdefault("steps", [])
        layer = at.model.get_submodule("fc1")
        return [layer.register_forward_hook(lambda module, inputs, output: output * _open(output.shape[1]))]

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        at.state["steps"].append((done, at.steps, lr))
        with torch.no_grad():
            at.model.get_parameter("fc1.weight").mul_(0.999)

    def revise(self, at: Revision) -> Masks:
        return {**at.masks, "fc1.bias": _open(300).bool()}

    def reset(self, at: Revision, masks: Masks) -> Mapping[str, Tensor]:
        return {"fc1.bias": torch.full((300,), 0.25), "fc2.bias": torch.full((100,), 0.5)}


@dataclass(frozen=True, kw_only=True)
class Shrinking(Method):
    """Halves the weights of one layer after every step, and at the moment gives those of another a value."""

    criterion: str = "random"
    background: Background = "prune"

    def moments(self, epochs: int) -> tuple[int, ...]:
        return (1,)

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        with torch.no_grad():
            at.model.get_parameter("fc1.weight").mul_(0.5)

    def revise(self, at: Revision) -> Masks:
        at.state["halved"] = at.model.get_parameter("fc1.weight").detach().float()
        return at.masks

    def reset(self, at: Revision, masks: Masks) -> Mapping[str, Tensor]:
        return {"fc2.weight": torch.full((100, 300), 7.0)}


@pytest.mark.parametrize("decay_to", ["zero", "start"])
def test_what_a_method_gives_live_weights_is_what_they_go_on_from(decay_to: str) -> None:
    """Steps so small that they do not count; where weights decay to does not bring back what they were before."""
    method = Shrinking()
    member = member_of(replace(changing("snip", 2, decay_to=decay_to, weight_decay=1e-3, lr=1e-6), method=method))
    live = member.trial.masks["fc2.weight"]
    initial = member.trial.model.get_parameter("fc1.weight").detach().clone()
    for epoch in after_epochs(member):
        if epoch:
            assert torch.allclose(member.trial.state["halved"], initial / 2**4, atol=1e-4)  # 4 steps an epoch
            assert torch.allclose(member.trial.model.get_parameter("fc2.weight")[live], torch.tensor(7.0), atol=1e-3)


def _open(size: int) -> Tensor:
    return (torch.arange(size) % 2).float()


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam", "adamw"])
def test_masks_of_biases_values_hooks_and_steps(optimizer: str) -> None:
    s = replace(changing(epochs=3, **OPTIMIZERS[optimizer]), method=Halving())
    member, biases = member_of(s), []
    for _ in after_epochs(member):
        biases.append(member.trial.model.get_parameter("fc1.bias").detach().clone())
    model, closed = member.trial.model, _open(300) == 0
    rates = [learning_rate(s, step, 12) for step in range(8)]  # 4 steps an epoch, to the last moment
    assert member.trial.state["steps"] == [(i + 1, 12, lr) for i, lr in enumerate(rates)]
    assert not model.get_submodule("fc1")._forward_hooks
    assert torch.equal(biases[2], 0.25 * _open(300))  # right after the moment
    assert bool((biases[3][closed] == 0).all()) and bool((biases[3][~closed] != 0.25).any())
    assert member.metrics[names.STORED_PARAMETERS] == 26_620 + 410 - 150
    (result,) = [event for event in [member.result(0.0)] if isinstance(event, TrialResult)]
    assert result.outcome == names.DONE


@dataclass(frozen=True, kw_only=True)
class Opening(Method):
    """Masks a bias at the first moment, and at the second no more."""

    criterion: str = "random"
    background: Background = "prune"
    live: ClassVar[int] = 150

    def moments(self, epochs: int) -> tuple[int, ...]:
        return (1, 2)

    def revise(self, at: Revision) -> Masks:
        masks = {name: mask for name, mask in at.masks.items() if name != "fc1.bias"}
        return masks | ({"fc1.bias": torch.arange(300) < self.live} if at.epoch == 1 else {})


class OpeningOne(Opening):
    """The same with one live entry, of which the state could be taken for that of all."""

    live: ClassVar[int] = 1


@pytest.mark.parametrize("method", [Opening(), OpeningOne()], ids=["half", "one"])
def test_a_bias_that_is_masked_no_more_is_live_again(method: Opening) -> None:
    s, live = replace(changing(epochs=3, optimizer="adam", lr=1e-3), method=method), method.live
    member = member_of(s)
    training = Training([member])
    trainer: Any = training._trainer
    for event in training.events():
        if isinstance(event, Epoch) and event.epoch in (1, 2):
            moments = trainer.states()[0]["fc1.bias"][:2]
            if event.epoch == 1:
                earlier = [moment.clone() for moment in moments]
                assert all(moment.shape == (live,) for moment in moments)
            else:
                assert all(moment.shape == (300,) and not moment[live:].any() for moment in moments)
    assert all(bool(moment.any()) for moment in earlier)


@dataclass(frozen=True, kw_only=True)
class InPlace(Method):
    """Changes the masks that it is given, and returns them or copies; and the initial values."""

    criterion: str = "random"
    background: Background = "prune"
    copies: ClassVar[bool] = False

    def moments(self, epochs: int) -> tuple[int, ...]:
        return (1,)

    def revise(self, at: Revision) -> Masks:
        given = {name: mask.clone() for name, mask in at.masks.items()} if self.copies else at.masks
        for mask in given.values():
            mask.copy_(mask.flatten().roll(1).view(mask.shape))
        for values in at.initial.values():
            values.zero_()
        return given


class OnCopies(InPlace):
    """The same that changes copies."""

    copies: ClassVar[bool] = True


def test_what_a_method_is_given_at_a_moment_is_its_own() -> None:
    one, other = (result_of(replace(changing(), method=method)) for method in (InPlace(), OnCopies()))
    assert one.tags[names.WEIGHTS_SHA256] == other.tags[names.WEIGHTS_SHA256]
    assert [layer[names.REVISIONS] for layer in one.layers] == [layer[names.REVISIONS] for layer in other.layers]
    assert sum(layer[names.REVISIONS][1]["grown"] for layer in one.layers) > 0


def test_a_method_that_ends_at_another_rate_fails_by_name() -> None:
    s = replace(changing(epochs=2), rate=Decimal("0.5"), method=HalvingTooFew())
    (result,) = train([s], DATA, "cpu")
    assert result.outcome == names.FAILED
    assert "masks of 0 live weights at rate 0.5: must be exactly 133100" in result.reason


@dataclass(frozen=True, kw_only=True)
class HalvingTooFew(Halving):
    """One that leaves nothing live."""

    def attach(self, at: ShapedNetwork) -> Sequence[RemovableHandle]:
        return ()

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        pass

    def revise(self, at: Revision) -> Masks:
        return {name: torch.zeros_like(mask) for name, mask in at.masks.items()}


def test_weights_that_are_no_numbers_diverge() -> None:
    (result,) = train([changing("rigl", lr=1e30)], DATA, "cpu")
    assert result.outcome == names.DIVERGED


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"step": "sparse"}, "step sparse with method SparseTraining: must be dense; its masks change while training"),
        ({"pack": "vmap"}, "pack vmap with method SparseTraining: must be single"),
        ({"head": "trained"}, "head trained with method SparseTraining: must be masked"),
        ({"epochs": 1}, "epochs 1 with method SparseTraining: must be more, its masks would never change"),
    ],
)
def test_what_does_not_go_with_changing_masks(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        changing(**{"epochs": 4, **fields})
