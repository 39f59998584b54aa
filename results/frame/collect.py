"""The tidy frame: one row per trial of an MLflow store. With `history` the only file of `results` to import mlflow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench import names
from bench.canonical import group_key_of, key_of
from bench.masking import masked
from bench.messages import one_of, say, say_left_out
from bench.metrics import METRICS
from bench.mlflow_metrics import CONSTANTS, stored_figures
from bench.paging import address, paged, without_collector
from bench.results.frame.conflicts import conflicts, in_words, own_record
from bench.results.frame.method_record import canonical
from bench.results.frame.starts import only_needed
from bench.results.frame.stored_spec import is_number, stored_spec
from bench.tags import was_cut, whole

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DENSE = "dense"  # the method name, and the background, of rate 0
BIASES = "biases"  # the background of rate 1, at which no maskable weight is trained
VARYING = ("method", "rate", "seed")  # the fields of a trial that may differ within a section of the table
UNREADABLE = "unreadable"  # attribute of the frame: (run, reason) of each trial that is left out
LATEST = 2**43  # milliseconds since 1970 of a start: in the year 2248, and what a date of pandas can be
PAGE = 10_000  # runs per call; a store answers 1,000 trials in one
IDENTITY = (
    "run_id", "run_key", "group_key", "experiment", "dataset", "model", "method", "rate", "rate_value", "seed",
    "background", "outcome", "reason", "sweeps", "protocol", "init_sha256", "mask_sha256", "weights_sha256", "base_key",
    "started", "git_commit", "git_dirty", "conflict",
)  # fmt: skip


def collect(tracking_uri: str) -> pd.DataFrame:
    """One row per trial of a store that exists: its identity, its spec, its outcome and its figures.

    Returns: columns IDENTITY; `spec.<field>` for every field of the TrialSpec (lists and the method as canonical JSON
             text); every tag of `names.ENVIRONMENT` (text, empty if absent); every name of `bench.metrics.METRICS`
             (float, NaN if absent). `rate` is the decimal text, `rate_value` its float; `sweeps` a tuple of sweep
             names; `protocol` the canonical JSON of the spec without method, rate and seed; `base_key` the run key of
             the trial that gave the start, the SHA-256 of its file, or ""; `started` UTC. Rows are ordered by
             protocol, method, rate and seed.
             A run key stands once: its earliest finished run, or else its latest failed one; if it has finished runs
             with different results, or figures that are not those it was stored with, `conflict` says which, else "".
             A run whose record is damaged is left out, and stands in the frame's attribute UNREADABLE. Both are named
             on stderr.
    """
    # No usage reports: reading a table sends nothing anywhere.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client = MlflowClient(address(tracking_uri))
    with without_collector():
        experiments = {e.experiment_id: e.name for e in paged(client.search_experiments)}
        rows, unreadable = _rows(_trials(client, list(experiments)), experiments)
    say_left_out("trial", unreadable)
    frame = _unique(tidy(rows))
    frame.attrs[UNREADABLE] = unreadable
    if (conflicting := frame[frame["conflict"] != ""]).shape[0]:
        say(f"warning: {in_words(conflicting)}")
    return frame


@dataclass(frozen=True)
class Command:
    """A command line that trained or tuned."""

    text: str
    sweep: str
    trials: int  # that it asked for; 0 of one that tuned


def commands(tracking_uri: str) -> list[Command]:
    """Those of the store's sweeps and choices, each once, oldest first; not again for what the sweeps need."""
    from mlflow import MlflowClient

    client = MlflowClient(address(tracking_uri))
    experiments = {e.experiment_id: e.name for e in paged(client.search_experiments)}
    query = {"filter_string": f"tags.`{names.COMMAND}` LIKE '%'", "max_results": PAGE}
    order = ["attributes.start_time ASC"]
    by_text = {}
    for run in paged(client.search_runs, experiment_ids=list(experiments), order_by=order, **query):
        if only_needed([experiments[run.info.experiment_id]]):
            continue
        if text := masked(whole(run.data.tags, names.COMMAND)):  # an earlier version stored it as it was typed
            shown = f"{text}…  # cut by an earlier version" if was_cut(run.data.tags, names.COMMAND) else text
            trials = run.data.params.get("trials", "")
            asked = int(trials) if trials.isdecimal() else 0
            by_text[text] = Command(shown, experiments[run.info.experiment_id], asked)
    return list(by_text.values())


def tidy(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The frame of `collect` from one dictionary per run; absent figures become NaN, absent tags empty."""
    frame = pd.DataFrame(rows, dtype=object)
    specs = sorted(c for c in frame.columns if c.startswith("spec."))
    columns = [*IDENTITY, *(c for c in ("finished",) if c in frame), *specs]
    # One reindex instead of a column at a time: a wide frame grown column by column is fragmented.
    frame = frame.reindex(columns=[*columns, *names.ENVIRONMENT, *METRICS])
    texts = (*names.ENVIRONMENT, "base_key", "conflict")
    types = dict.fromkeys((*METRICS, "rate_value"), "float64") | dict.fromkeys(texts, "object")
    typed = frame.astype(types | {"seed": "int64"}).fillna(dict.fromkeys(texts, ""))
    # Copied, because a frame that so many columns were set in is fragmented.
    return typed.assign(started=pd.to_datetime(frame["started"], unit="ms", utc=True)).copy()


def _trials(client: MlflowClient, experiments: list[str]) -> Iterator[Run]:
    """The ended runs of trials; a run still going on, or killed, is no result."""
    if experiments:
        query = {"filter_string": f"tags.`{names.KIND}` = '{names.TRIAL}'", "max_results": PAGE}
        runs = paged(client.search_runs, experiment_ids=experiments, **query)
        yield from (run for run in runs if run.info.status in ("FINISHED", "FAILED"))


def _rows(runs: Iterable[Run], experiments: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows of the runs; and run and reason of those that have none."""
    rows, unreadable = [], []
    for run in runs:
        try:
            rows.append(_row(run, experiments[run.info.experiment_id]))
        except ValueError as error:
            unreadable.append((run.info.run_id, str(error)))
    return rows, unreadable


def _row(run: Run, experiment: str) -> dict[str, Any]:
    """Raises ValueError if the run's record is damaged."""
    # A database takes anything: a value that is no text is none.
    tags = {name: value for name, value in run.data.tags.items() if isinstance(value, str)}
    finished = run.info.status == "FINISHED"
    spec, figures = stored_spec(tags), _figures(run)
    for tag in (names.RUN_KEY, names.METHOD):
        if not tags.get(tag):
            raise ValueError(f"it has no tag {tag}")
    if key_of(spec) != tags[names.RUN_KEY]:
        raise ValueError("its spec is not the one of its run key")
    if (outcome := tags.get(names.OUTCOME)) is not None and outcome not in names.OUTCOMES:
        raise ValueError(f"its outcome {outcome!r}: {one_of(names.OUTCOMES)}")
    if not is_number(run.info.start_time) or abs(run.info.start_time) > LATEST:
        raise ValueError(f"its start_time {run.info.start_time!r} is no time in milliseconds")
    identity = {
        "run_id": run.info.run_id,
        "finished": finished,
        "run_key": tags[names.RUN_KEY],
        "group_key": group_key_of(spec),
        "experiment": experiment,
        "outcome": tags.get(names.OUTCOME, names.DONE if finished else names.FAILED),
        "reason": whole(tags, names.REASON),
        "sweeps": tuple(sorted(t.removeprefix(names.IN_SWEEP) for t in tags if t.startswith(names.IN_SWEEP))),
        "init_sha256": tags.get(names.INIT_SHA256, ""),
        "mask_sha256": tags.get(names.MASK_SHA256, ""),
        "weights_sha256": tags.get(names.WEIGHTS_SHA256, ""),
        "base_key": tags.get(names.BASE_KEY, ""),
        "started": run.info.start_time,
        "git_commit": tags.get(names.GIT_COMMIT, ""),
        "git_dirty": tags.get(names.GIT_DIRTY) == "true",
    }
    identity["conflict"] = own_record(figures, whole(tags, names.FIGURES)) if finished else ""
    environment = {tag: tags.get(tag, "") for tag in names.ENVIRONMENT}
    return {**identity, **spec_columns(spec, whole(tags, names.METHOD)), **environment, **figures}


def _figures(run: Run) -> dict[str, float]:
    """Raises ValueError if one is no number: a database takes anything."""
    figures = stored_figures(run.data.metrics, run.data.params)
    figures |= {name: _parsed(figures[name]) for name in CONSTANTS if name in figures}
    for name, value in figures.items():
        if not is_number(value):
            raise ValueError(f"its {name} {value!r} is no number")
    return figures


def _parsed(constant: Any) -> Any:
    """The number that a parameter holds; whatever is none stays as it is."""
    try:
        return float(constant)
    except (TypeError, ValueError):
        return constant


def spec_columns(spec: dict[str, Any], method: str) -> dict[str, Any]:
    """The columns that follow from a trial's spec and the name of its method."""
    return {
        "dataset": spec["dataset"],
        "model": spec["model"],
        "method": method,
        "rate": spec["rate"],
        "rate_value": float(Decimal(spec["rate"])),
        "seed": spec["seed"],
        "background": _background(spec),
        "protocol": canonical({name: value for name, value in spec.items() if name not in VARYING}),
        **{f"spec.{n}": canonical(v) if isinstance(v, dict | list) else v for n, v in spec.items()},
    }


def _background(spec: dict[str, Any]) -> str:
    """By the rate, whatever the method is called."""
    unrated = {Decimal(0): DENSE, Decimal(1): BIASES}
    return unrated.get(Decimal(spec["rate"])) or str(spec["method"].get("background", ""))


def _union(sweeps: Iterable[tuple[str, ...]]) -> Any:
    return tuple(sorted({sweep for of_run in sweeps for sweep in of_run}))


def _unique(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per run key: the earliest finished run, or else the latest failed one; in the sweeps of all its runs."""
    if frame.empty:
        return frame.drop(columns="finished", errors="ignore")
    sweeps = frame.groupby("run_key")["sweeps"].agg(_union)
    done = frame[frame["finished"].astype(bool)].sort_values(["started", "run_id"])
    failed = frame[~frame["finished"].astype(bool)].sort_values(["started", "run_id"], ascending=False)
    # Finished runs come first, so that a failed one stays only if its key has nothing better.
    kept = pd.concat([done, failed]).drop_duplicates("run_key").drop(columns="finished")
    kept["sweeps"] = kept["run_key"].map(sweeps)
    differing = conflicts(done)
    own = kept[["run_key", "conflict"]].itertuples(index=False)
    kept["conflict"] = ["; ".join(filter(None, (differing.get(key, ""), words))) for key, words in own]
    return kept.sort_values(["protocol", "method", "rate_value", "seed", "run_key"], ignore_index=True)
