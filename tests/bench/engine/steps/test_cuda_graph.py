"""Steps recorded once and replayed, on graphs that are pretended: the numbers of steps that run as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import fake_graphs
import pytest
import torch
from small_packs import CELLS, DATA, OPTIMIZERS, difference, pack_of, prepared
from small_trials import spec

from bench import names
from bench.datasets import augment
from bench.engine.setup.precision import DTYPES
from bench.engine.steps import cuda_graph
from bench.engine.steps.cuda_graph import WARM_UP, RecordingFailed, is_recorded
from bench.engine.train import train, train_epochs
from bench.engine.trainers import Alone, trainer_of
from bench.models import MODELS
from bench.models.row import ModelRow
from bench.trial.optimizers import UPDATES, OptimizerRow
from bench.trial.plugins import Catalogue
from bench.trial.spec import TrialSpec

EPOCHS = 5  # of 7 batches of 50 images and one of 10: of either size some steps are replayed


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[fake_graphs.FakeGraph]:
    return fake_graphs.install(monkeypatch)


def test_which_steps_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single trials and packs by one rule; by itself no code from outside, whose Python is not replayed."""
    for pack in ("single", "vmap"):
        s = spec(pack=pack)
        assert [is_recorded(replace(s, precision=p), "cuda") for p in DTYPES] == [True, True, False]
        assert not any(is_recorded(replace(s, precision=p), "cpu") for p in DTYPES)
    monkeypatch.setitem(MODELS, "theirs", ModelRow(build="tiny_networks:Smooth", image_shape=(1, 28, 28)))
    assert [is_recorded(spec(model="theirs", pack=pack), "cuda") for pack in ("single", "vmap")] == [False, True]
    monkeypatch.setitem(UPDATES, "theirs", OptimizerRow(words="theirs", rule="torch.optim:Rprop"))
    assert not is_recorded(spec(optimizer="theirs", lr=0.1), "cuda")


def states(specs: list[TrialSpec], *, recorded: bool, moved: bool = False) -> list[dict[str, torch.Tensor]]:
    """The trials' states after some epochs, the rate another in each step."""
    trials = prepared(specs)
    groups = [[i] for i in range(len(specs))] if specs[0].pack == "single" else [[*range(len(specs))]]
    for group in groups:
        trainer = trainer_of(specs[group[0]], [trials[i] for i in group], recorded=recorded)
        for epoch in range(EPOCHS):
            order = torch.randperm(360, generator=torch.Generator().manual_seed(epoch))
            moves = (37 * torch.arange(360) + epoch) % augment.MOVES if moved else None
            trainer.epoch([order for _ in group], [moves for _ in group], lambda step: specs[0].lr / (1 + step))
        trainer.write_back()
    return [trial.model.state_dict() for trial in trials]


def unreplayed(specs: list[TrialSpec], **options: bool) -> list[dict[str, torch.Tensor]]:
    """The same, no step of which ever ends to be one that is run before it is recorded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_graph, "WARM_UP", 10**9)
        return states(specs, recorded=True, **options)


@pytest.mark.parametrize(
    ("pack_kind", "optimizer"), [*(("single", optimizer) for optimizer in OPTIMIZERS), ("vmap", "momentum")]
)
def test_replayed_steps_are_the_steps(graphs: list[fake_graphs.FakeGraph], pack_kind: str, optimizer: str) -> None:
    """Bit for bit, at a rate on the device; at the same rate as a number, as near as float32 has it."""
    specs = pack_of(pack_kind, CELLS[1:3], batch_size=50, **OPTIMIZERS[optimizer])
    replayed = states(specs, recorded=True)
    sizes = [EPOCHS * 7 - WARM_UP, EPOCHS - WARM_UP]  # replayed steps of 50 and of 10 images
    assert [graph.replays for graph in graphs] == sizes * (len(specs) if pack_kind == "single" else 1)
    assert difference(replayed, unreplayed(specs)) == 0
    assert difference(replayed, states(specs, recorded=False)) < 1e-6


def test_images_that_are_moved_and_batch_statistics(graphs: list[fake_graphs.FakeGraph]) -> None:
    specs = [spec("freeze", "0.9", model="conv-bn", batch_size=50, lr=0.02, augmentation="flip-translate")]
    replayed = states(specs, recorded=True, moved=True)
    assert len(graphs) == 2 and all(graph.replays for graph in graphs)
    assert difference(replayed, unreplayed(specs, moved=True)) == 0


@pytest.mark.parametrize(
    ("method", "fields"),
    [("freeze", {}), ("freeze:fade=linear", {}), ("rigl", {}), ("edge-popup", {}), ("freeze", {"decay_to": "start"})],
)
def test_whole_trials(graphs: list[fake_graphs.FakeGraph], method: str, fields: dict[str, Any]) -> None:
    """Backgrounds that fade, masks that change, methods that shape each step: what is recorded is never out of date."""
    s = replace(spec("freeze", "0.9", epochs=6, batch_size=50, lr=0.02, **fields), method=Catalogue().parse(method)[1])
    (recorded,) = train([s], DATA, "cpu")
    number = len(graphs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.engine.trainers.is_recorded", lambda spec, device: False)
        (plain,) = train([s], DATA, "cpu")
    assert (recorded.outcome, plain.outcome) == (names.DONE, names.DONE), (recorded.reason, plain.reason)
    assert number == len(graphs) and (number > 0 or method == "edge-popup")
    assert recorded.metrics[names.LIVE_WEIGHTS] == plain.metrics[names.LIVE_WEIGHTS]
    for one, other in zip(recorded.epochs, plain.epochs, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-6)


def test_a_step_that_cannot_be_recorded_ends_the_training(
    graphs: list[fake_graphs.FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if what ends is the memory: on a device whose calls all fail, no half of a pack is tried."""

    def full(*given: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "graph", full)
    specs = pack_of("vmap", epochs=2, batch_size=50)
    with pytest.raises(RecordingFailed, match=r"could not be recorded as a CUDA graph \(OutOfMemoryError: CUDA out"):
        train(specs, DATA, "cpu")
    events = [*train_epochs(specs, DATA, "cpu", unrecorded="it failed before")]
    results = [event for event in events if not hasattr(event, "figures")]
    assert {(r.outcome, r.tags[names.UNRECORDED]) for r in results} == {(names.DONE, "it failed before")}
    assert len(results) == len(specs)


def test_a_trial_that_is_never_recorded_says_nothing_of_it() -> None:
    (*_, result) = train_epochs([spec()], DATA, "cpu", unrecorded="it failed before")
    assert names.UNRECORDED not in result.tags


def test_on_the_cpu_nothing_is_recorded() -> None:
    (trial,) = prepared([spec()])
    assert Alone(spec(), trial).replayed is None
