"""Whether single trials and packs compute on the device what the CPU computes, and hold the dead weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from bench.datasets.images import ImageData
from bench.engine.setup.precision import settings
from bench.engine.setup.prepare import Trial
from bench.engine.trainers import trainer_of
from bench.methods.maskable import maskable
from bench.speed.first_contact.scene import CELLS, Scene, prepared
from bench.trial.spec import TrialSpec

CASES = (  # network, kinds of pack
    ("lenet-300-100", ("single", "vmap")),
    ("lenet-5-caffe", ("single", "vmap", "unfold")),
)
STEPS = {"float32": 20, "float64": 40}


def step(scene: Scene) -> None:
    """Note the largest difference of a weight after some steps, by network, precision, kind and way of stepping."""
    data = scene.images()
    for (model, kinds), (precision, count) in scene.in_time(product(CASES, STEPS.items()), 15):
        count = 3 if scene.tiny else count
        given: dict[str, Any] = {"model": model, "precision": precision, "batch_size": 20}
        with scene.trying(f"{model} {precision} on the CPU"):
            on_cpu = [scene.spec(m, r, s, **{**given, "device": "cpu"}) for m, r, s in CELLS]
            expected, _ = after(on_cpu, data, count)
            # Those that are recorded come last: one that cannot be leaves a process that nothing more is known of.
            for recorded, kind in product((False, True), kinds):
                with scene.trying(f"{model} {precision} {kind}"):
                    specs = [scene.spec(m, r, s, **given, pack=kind) for m, r, s in CELLS]
                    states, dead = after(specs, data, count, recorded)
                    again, _ = after(specs, data, count, recorded)
                    words = f"{model}, {precision}, {kind}{'' if recorded else ', unrecorded'}, {count} steps"
                    scene.note(words, _compared(states, expected, again, dead))


def _compared(
    states: Sequence[dict[str, Tensor]],
    expected: Sequence[dict[str, Tensor]],
    again: Sequence[dict[str, Tensor]],
    dead: bool,
) -> dict[str, Any]:
    return {
        "largest difference from the CPU, of each trial": differences(states, expected),
        "dead weights held": dead,
        "repeats bit for bit": max(differences(states, again)) == 0,
    }


def after(
    specs: Sequence[TrialSpec], data: ImageData, count: int, recorded: bool = True
) -> tuple[list[dict[str, Tensor]], bool]:
    """The state of each trial's model after so many steps, and whether their dead weights are what they were."""
    with settings(specs[0]):
        trials = prepared(specs, data, specs[0].device)
        before = [_dead(trial) for trial in trials]
        alone = specs[0].pack == "single"
        for places in [[i] for i in range(len(specs))] if alone else [[*range(len(specs))]]:
            _train(specs[places[0]], [trials[i] for i in places], count, recorded)
        held = all(
            torch.equal(one[name], other[name])
            for one, other in zip(before, map(_dead, trials), strict=True)
            for name in one
        )
        return [{n: v.detach().cpu().double() for n, v in t.model.state_dict().items()} for t in trials], held


def _train(spec: TrialSpec, trials: Sequence[Trial], count: int, recorded: bool) -> None:
    trainer = trainer_of(spec, trials, recorded=recorded)
    random, left = torch.Generator().manual_seed(1), count
    while left > 0:
        order = torch.randperm(len(trials[0].train_indices), generator=random)[: left * spec.batch_size]
        trainer.epoch([order.to(spec.device) for _ in trials], [None for _ in trials], lambda step: spec.lr)
        left -= -(-len(order) // spec.batch_size)
    trainer.write_back()


def _dead(trial: Trial) -> dict[str, Tensor]:
    return {name: w.detach()[~trial.masks[name]].clone() for name, w in maskable(trial.model).items()}


def differences(states: Sequence[dict[str, Tensor]], expected: Sequence[dict[str, Tensor]]) -> list[float]:
    """The largest difference of a value, of each trial."""
    return [
        max(float((state[name] - wanted[name]).abs().max()) for name in state)
        for state, wanted in zip(states, expected, strict=True)
    ]
