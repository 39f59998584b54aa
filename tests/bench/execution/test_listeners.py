"""What a sweep keeps of each trial until its end."""

from __future__ import annotations

import pickle
import tracemalloc
from dataclasses import replace

from stored_entries import spec

from bench import metrics, names
from bench.execution.listeners import Collected
from bench.execution.outcomes import REMARKS
from bench.trial.result import TrialResult

TRIALS, EPOCHS, LAYERS, EACH = 100, 31, 20, 4_000  # bytes that a trial may take


def test_what_is_kept_of_a_trial_is_how_it_ended_and_not_its_figures() -> None:
    epochs = [dict.fromkeys(metrics.per_epoch(), epoch + 0.1) for epoch in range(EPOCHS)]
    layers = [{"name": f"layer {n}", "weights": n, "live": n} for n in range(LAYERS)]
    whole = TrialResult(
        run_key="",
        outcome=names.DONE,
        metrics={name: number + 0.1 for number, name in enumerate(metrics.final())},
        epochs=epochs,
        layers=layers,
        tags={name: f"{name} of this machine" for name in names.ENVIRONMENT} | dict.fromkeys(REMARKS, "said"),
        artefact=b"x" * 100_000,
    )
    received = [pickle.dumps(replace(whole, run_key=spec(seed).run_key)) for seed in range(TRIALS)]
    collected = Collected()
    tracemalloc.start()
    for seed, data in enumerate(received):
        collected.finished(spec(seed), pickle.loads(data))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(collected.results) == TRIALS and held < TRIALS * EACH
    kept = collected.results[spec(3)]
    assert (kept.outcome, kept.metrics, kept.tags) == (whole.outcome, {}, dict.fromkeys(REMARKS, "said"))
