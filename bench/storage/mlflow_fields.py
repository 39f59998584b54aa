"""An entry as MLflow's parameters, tags and metric points. Imports no MLflow."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench import names
from bench.canonical import canonical_json, group_key_of
from bench.messages import shortened
from bench.metrics import final
from bench.mlflow_metrics import CONSTANTS, stored_figures, stored_name
from bench.storage.entry import Entry
from bench.tags import whole
from bench.trial.result import TrialResult
from bench.trial.start import start_words

SOURCE_NAME, SOURCE_TYPE, USER = "mlflow.source.name", "mlflow.source.type", "mlflow.user"  # MLflow's tags
RUN_NAME = "mlflow.runName"  # another: of a sweep's run, the sweep
DIGEST_LENGTH = 32  # of a data set; a store takes 36 characters


def run_name(spec: Mapping[str, Any], method: str) -> str:
    """The name of a trial's run in MLflow's pages, with its start if that is no scratch.

    >>> base = {"dataset": "mnist", "seed": "own", "head": "redrawn", "norm": "kept"}
    >>> run_name({"rate": "0.99", "seed": 3}, "freeze"), run_name({"rate": "0.5", "seed": 0, "start": base}, "snip")
    ('freeze 0.99 seed 3', 'snip 0.5 seed 0, pretrained on mnist')
    """
    start = f", {start_words(spec['start'])}" if "start" in spec else ""
    return f"{method} {spec['rate']} seed {spec['seed']}{start}"


def parameters(entry: Entry) -> dict[str, str]:
    """The method's name, every field of the spec, a nested one as `method.criterion`, and the network's constants."""
    figures = entry.result.metrics
    constants = {name: f"{figures[name]:.15g}" for name in CONSTANTS if name in figures}
    return {**constants, "method": entry.method, **dict(_flat("", entry.spec))}


def _flat(prefix: str, record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", str(value)


def tags(entry: Entry) -> dict[str, str]:
    """What identifies the trial and says how it ended."""
    values = {
        **entry.result.tags,
        names.KIND: names.TRIAL,
        names.RUN_KEY: entry.run_key,
        names.GROUP_KEY: group_key_of(entry.spec),
        names.SPEC: canonical_json(entry.spec),
        names.METHOD: entry.method,
        names.OUTCOME: entry.result.outcome,
        names.FIGURES: canonical_json(_last_figures(entry.result)),
    }
    if entry.result.reason:
        values[names.REASON] = entry.result.reason
    return values


def _last_figures(result: TrialResult) -> dict[str, float]:
    """The final figures, and those of the last epoch: what a run shows without its history; none of the machine."""
    figures = {**(result.epochs[-1] if result.epochs else {}), **result.metrics}
    return {name: value for name, value in figures.items() if name not in names.OF_THE_MACHINE}


def data_set(spec: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the trial's data set, and of its content hash what MLflow takes as a digest.

    >>> data_set({"dataset": "digits", "data_hash": "10735b43ecf1019cc37203e34f52d8e53626"})
    ('digits', '10735b43ecf1019cc37203e34f52d8e5')
    """
    return str(spec["dataset"]), str(spec.get("data_hash", ""))[:DIGEST_LENGTH]


def origin() -> dict[str, str]:
    """MLflow's own tags of who stored a run, and by which program."""
    tags = {SOURCE_NAME: "freeze-or-prune", SOURCE_TYPE: "LOCAL"}
    try:
        return {**tags, USER: getpass.getuser()}
    except (OSError, KeyError):  # a user without a name, as in a container
        return tags


def points(result: TrialResult) -> Iterator[tuple[str, float, int, int]]:
    """Every metric as (name, value, milliseconds, epoch). The clock of an epoch is its share of the trial's time."""
    last = max(len(result.epochs) - 1, 1)
    for epoch, figures in enumerate(result.epochs):
        moment = result.started + (result.ended - result.started) * epoch / last
        yield from ((stored_name(name), value, int(moment * 1000), epoch) for name, value in figures.items())
    final = {name: value for name, value in result.metrics.items() if name not in CONSTANTS}
    yield from ((stored_name(name), value, int(result.ended * 1000), 0) for name, value in final.items())


def entry(run: Any, curves: Mapping[str, Mapping[int, float]]) -> Entry:
    """The entry of a finished trial's run.

    Args: curves: of each figure of an epoch, epoch -> value.
    """
    tags = run.data.tags
    figures = stored_figures(run.data.metrics, run.data.params)
    last = max((epoch for curve in curves.values() for epoch in curve), default=-1)
    result = TrialResult(
        run_key=tags[names.RUN_KEY],
        outcome=tags.get(names.OUTCOME, names.DONE),
        reason=whole(tags, names.REASON),
        metrics={name: float(figures[name]) for name in final() if name in figures},
        epochs=[{name: curve[e] for name, curve in curves.items() if e in curve} for e in range(last + 1)],
        started=run.info.start_time / 1000,
        ended=(run.info.end_time or run.info.start_time) / 1000,
    )
    try:
        spec = spec_of(whole(tags, names.SPEC))
    except ValueError as error:
        raise ValueError(f"run {run.info.run_id}: {error}") from error
    return Entry(sweep="", command="", method=whole(tags, names.METHOD), spec=spec, result=result)


def spec_of(text: str) -> dict[str, Any]:
    """The spec that a trial was stored with. Raises ValueError, in one line, if the text is none."""
    try:
        spec = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its tag {names.SPEC} is {shortened(text, 40)!r}: must be JSON") from error
    if not isinstance(spec, dict) or not isinstance(spec.get("method"), dict):
        raise ValueError(f"its tag {names.SPEC} is {shortened(text, 40)!r}: must be a JSON object with a method")
    return spec
