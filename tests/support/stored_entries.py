"""Finished trials as entries, and which of them a store has."""

from __future__ import annotations

from decimal import Decimal

from bench import names
from bench.methods import METHODS
from bench.storage import stored_trials
from bench.storage.entry import Entry
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


def spec(seed: int) -> TrialSpec:
    method = METHODS["freeze"]
    return TrialSpec(dataset="digits", data_hash="0", model="m", method=method, rate=Decimal("0.9"), seed=seed)


def entry(seed: int, outcome: str = names.DONE) -> Entry:
    key, network = spec(seed).run_key, f"network {seed}".encode()
    result = TrialResult(
        run_key=key, outcome=outcome, metrics={names.TEST_ACCURACY: 0.5}, artefact=network, started=1.0, ended=2.0
    )
    return Entry(sweep="sweep", command="bench run", method="freeze", spec=spec(seed).record(), result=result)


def keys(uri: str) -> set[str]:
    return set(stored_trials.finished(uri, [spec(seed).run_key for seed in range(9)]))
