"""A plan into the store: once, before the first of its trials is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bench import names
from bench.canonical import canonical_json, key_of
from bench.storage.delivery.write_queue import retried


def store_plan(
    uri: str, experiment: str, command: str, record: Mapping[str, Any], check: Callable[[], bool]
) -> str | None:
    """Store a plan under the name of its sweep; returns its hash, or None if the store had it meanwhile.

    Args:   check: whether the store has this very plan; asked again before the plan counts. Raises ValueError if the
            store has another in its place, or trials of it.
    """
    from bench.storage.mlflow_store import Store

    store, sha256 = Store(uri), key_of(record)
    tags = {
        names.KIND: names.PLAN,
        names.PLANNED: canonical_json(record),
        names.PLAN_SHA256: sha256,
        names.PLAN_COMMAND: command,
    }
    run = retried(lambda: store.create(store.experiment(experiment), f"plan {record['name']}", tags, time.time()))
    try:
        known = check()
    except BaseException:
        store.end(run.id, "FAILED")
        raise
    retried(partial(store.end, run.id, "FAILED" if known else "FINISHED"))  # one that is FINISHED is whole, and counts
    return None if known else sha256
