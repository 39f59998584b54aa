"""A trial's result as what a store keeps: parameters, tags, metric points; and as a line of text. Imports no MLflow."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import names
from bench.result import TrialResult
from bench.spec import TrialSpec, canonical_json

# The limits MLflow's stores put on a value.
PARAMETER_LENGTH = 6000
TAG_LENGTH = 8000


def run_name(spec: TrialSpec, method: str) -> str:
    """How the trial is called in MLflow's pages: "freeze 0.99 seed 3"."""
    return f"{method} {spec.record()['rate']} seed {spec.seed}"


def parameters(spec: TrialSpec) -> dict[str, str]:
    """Every field of the spec, a nested one as `method.criterion`."""
    return {name: text[:PARAMETER_LENGTH] for name, text in _flat("", spec.record())}


def _flat(prefix: str, record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", str(value)


def tags(spec: TrialSpec, result: TrialResult, method: str) -> dict[str, str]:
    """What identifies the trial and says how it ended."""
    texts = {
        **result.tags,
        names.KIND: names.TRIAL,
        names.RUN_KEY: spec.run_key,
        names.GROUP_KEY: spec.group_key,
        names.SPEC: canonical_json(spec.record()),
        names.METHOD: method,
        names.OUTCOME: result.outcome,
    }
    if result.reason:
        texts[names.REASON] = result.reason
    return {name: text[:TAG_LENGTH] for name, text in texts.items()}


def points(result: TrialResult) -> Iterator[tuple[str, float, int, int]]:
    """Every metric as (name, value, milliseconds, epoch). The clock of an epoch is its share of the trial's time."""
    last = max(len(result.epochs) - 1, 1)
    for epoch, figures in enumerate(result.epochs):
        moment = result.started + (result.ended - result.started) * epoch / last
        yield from ((name, value, int(moment * 1000), epoch) for name, value in figures.items())
    yield from ((name, value, int(result.ended * 1000), 0) for name, value in result.metrics.items())


def line(spec: TrialSpec, result: TrialResult, method: str) -> str:
    """The trial as one line of JSON, from which it can be stored later."""
    return json.dumps({"spec": spec.record(), "method": method, "result": asdict(result)}, sort_keys=True)


def rescue(lines: Iterable[str]) -> Path:
    """Write lines that no store took to a new file in the working folder, or in the temporary one; its path."""
    texts = list(lines)
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        path = folder / f"bench-rescue-{time.time_ns()}.jsonl"
        try:
            path.write_text("".join(f"{text}\n" for text in texts))
            return path
        except OSError as error:
            failure = error
    raise failure
