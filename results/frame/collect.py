"""The tidy frame: one row per trial of an MLflow store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import nan
from typing import Any

import pandas as pd

from bench import names
from bench.masking import masked
from bench.messages import one_of, say, say_left_out
from bench.metrics import METRICS
from bench.mlflow_metrics import CONSTANTS, STORED, stored_figures
from bench.paging import without_collector
from bench.results.frame.conflicts import conflicts, in_words, own_images, own_record
from bench.results.frame.spec_columns import BIASES as BIASES
from bench.results.frame.spec_columns import DENSE as DENSE
from bench.results.frame.spec_columns import columns_of
from bench.results.frame.spec_columns import spec_columns as spec_columns
from bench.results.frame.starts import only_needed
from bench.results.frame.stored_spec import is_number
from bench.stored_runs.query import RunQuery, StoredRun
from bench.stored_runs.reading import read_runs
from bench.tags import was_cut, whole

UNREADABLE = "unreadable"  # attribute of the frame: (run, reason) of each trial that is left out
LATEST = 2**43  # milliseconds since 1970 of a start: in the year 2248, and what a date of pandas can be
IDENTITY = (
    "run_id", "run_key", "group_key", "experiment", "dataset", "model", "method", "rate", "rate_value", "seed",
    "background", "outcome", "reason", "sweeps", "protocol", "init_sha256", "mask_sha256", "weights_sha256", "base_key",
    "test_right", "started", "git_commit", "git_dirty", "conflict",
)  # fmt: skip
COMMANDS = RunQuery(tag=names.COMMAND, oldest_first=True, tags=(names.COMMAND,), parameters=("trials",))


def collect(tracking_uri: str, *, warns: bool = True) -> pd.DataFrame:
    """One row per trial of a store that exists: its identity, its spec, its outcome and its figures.

    Returns: columns IDENTITY; `spec.<field>` for every field of the TrialSpec (lists and the method as canonical JSON
             text); every tag of `names.ENVIRONMENT` (text, empty if absent); every name of `bench.metrics.METRICS`
             (float, NaN if absent). `rate` is the decimal text, `rate_value` its float; `sweeps` a tuple of sweep
             names; `protocol` the canonical JSON of the spec without method, rate and seed; `base_key` the run key of
             the trial that gave the start, the SHA-256 of its file, or ""; `test_right` which test images it got
             right (`bench.test_right`), or ""; `started` UTC. Rows are ordered by protocol, method, rate and seed.
             A run key stands once: its earliest finished run, or else its latest failed one; if it has finished runs
             with different results, or figures that are not those it was stored with, or another accuracy than that
             of its test images, `conflict` says which, else "".
             A run whose record is damaged is left out, and stands in the frame's attribute UNREADABLE. Both are named
             on stderr if `warns`.
    """
    with without_collector():
        rows, unreadable = _rows(read_runs(tracking_uri, _trials()))
    frame = _unique(tidy(rows))
    frame.attrs[UNREADABLE] = unreadable
    if not warns:
        return frame
    say_left_out("trial", unreadable)
    if (conflicting := frame[frame["conflict"] != ""]).shape[0]:
        say(f"warning: {in_words(conflicting)}")
    return frame


def _trials() -> RunQuery:
    """The trials that have ended; a run still going on, or killed, is no result."""
    return RunQuery(
        tag=names.KIND,
        value=names.TRIAL,
        statuses=("FINISHED", "FAILED"),
        tags=(
            names.RUN_KEY, names.SPEC, names.METHOD, names.OUTCOME, names.REASON, names.FIGURES, names.INIT_SHA256,
            names.MASK_SHA256, names.WEIGHTS_SHA256, names.TEST_RIGHT, names.BASE_KEY, names.GIT_COMMIT,
            names.GIT_DIRTY, *names.ENVIRONMENT,
        ),
        beginning=names.IN_SWEEP,
        parameters=CONSTANTS,
        metrics=(*METRICS, *STORED.values()),
    )  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A command line that trained or tuned."""

    text: str
    sweep: str
    trials: int  # that it asked for; 0 of one that tuned


def commands(tracking_uri: str) -> list[Command]:
    """Those of the store's sweeps and choices, each once, oldest first; not again for what the sweeps need."""
    by_text = {}
    for run in read_runs(tracking_uri, COMMANDS):
        if only_needed([run.experiment]):
            continue
        if text := masked(whole(run.tags, names.COMMAND)):  # an earlier version stored it as it was typed
            shown = f"{text}…  # cut by an earlier version" if was_cut(run.tags, names.COMMAND) else text
            trials = run.parameters.get("trials", "")
            asked = int(trials) if trials.isdecimal() else 0
            by_text[text] = Command(shown, run.experiment, asked)
    return list(by_text.values())


def tidy(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The frame of `collect` from one dictionary per run; absent figures become NaN, absent tags empty."""
    known = dict.fromkeys(name for keys in {tuple(row) for row in rows} for name in keys)
    specs = sorted(name for name in known if name.startswith("spec."))
    columns = [*IDENTITY, *(c for c in ("finished",) if c in known), *specs, *names.ENVIRONMENT, *METRICS]
    numbers = {"seed": "int64", **dict.fromkeys((*METRICS, "rate_value"), "float64")}
    absent = dict.fromkeys((*names.ENVIRONMENT, "base_key", "test_right", "conflict"), "")
    # A column at a time: pandas takes several times as long to find the columns of many dictionaries.
    frame = pd.DataFrame(
        {name: _column(rows, name, absent.get(name, nan), numbers.get(name, "object")) for name in columns}
    )
    return frame.assign(started=pd.to_datetime(frame["started"], unit="ms", utc=True)).copy()


def _column(rows: Sequence[Mapping[str, Any]], name: str, absent: Any, type_: str) -> pd.Series:
    return pd.Series([row.get(name, absent) for row in rows], dtype=type_)


def _rows(runs: Iterable[StoredRun]) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The rows of the runs; and run and reason of those that have none."""
    rows, unreadable = [], []
    for run in runs:
        try:
            rows.append(_row(run))
        except ValueError as error:
            unreadable.append((run.id, str(error)))
    return rows, unreadable


def _row(run: StoredRun) -> dict[str, Any]:
    """Raises ValueError if the run's record is damaged."""
    # A database takes anything: a value that is no text is none.
    tags = run.tags if {*map(type, run.tags.values())} <= {str} else _texts(run.tags)
    finished = run.status == "FINISHED"
    columns, figures = columns_of(tags), _figures(run)
    for tag in (names.RUN_KEY, names.METHOD):
        if not tags.get(tag):
            raise ValueError(f"it has no tag {tag}")
    if (outcome := tags.get(names.OUTCOME)) is not None and outcome not in names.OUTCOMES:
        raise ValueError(f"its outcome {outcome!r}: {one_of(names.OUTCOMES)}")
    if not is_number(run.started) or abs(run.started) > LATEST:
        raise ValueError(f"its start_time {run.started!r} is no time in milliseconds")
    identity = {
        "run_id": run.id,
        "finished": finished,
        "run_key": tags[names.RUN_KEY],
        "experiment": run.experiment,
        "outcome": tags.get(names.OUTCOME, names.DONE if finished else names.FAILED),
        "reason": whole(tags, names.REASON),
        "sweeps": _sweeps(tuple(tags)),
        "init_sha256": tags.get(names.INIT_SHA256, ""),
        "mask_sha256": tags.get(names.MASK_SHA256, ""),
        "weights_sha256": tags.get(names.WEIGHTS_SHA256, ""),
        "base_key": tags.get(names.BASE_KEY, ""),
        "test_right": whole(tags, names.TEST_RIGHT),
        "started": run.started,
        "git_commit": tags.get(names.GIT_COMMIT, ""),
        "git_dirty": tags.get(names.GIT_DIRTY) == "true",
    }
    identity["conflict"] = ""
    if finished:
        words = own_record(figures, whole(tags, names.FIGURES)), own_images(figures, identity["test_right"])
        identity["conflict"] = "; ".join(filter(None, words))
    environment = {tag: tags.get(tag, "") for tag in names.ENVIRONMENT}
    return {**identity, **columns, **environment, **figures}


def _texts(tags: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if isinstance(value, str)}


@lru_cache(maxsize=4096)  # most runs have the same tags
def _sweeps(tags: tuple[str, ...]) -> tuple[str, ...]:
    """The sweeps that a run with these tags belongs to."""
    return tuple(sorted(tag.removeprefix(names.IN_SWEEP) for tag in tags if tag.startswith(names.IN_SWEEP)))


def _figures(run: StoredRun) -> dict[str, float]:
    """Raises ValueError if one is no number: a database takes anything."""
    figures = stored_figures(run.metrics, run.parameters)
    figures |= {name: _parsed(figures[name]) for name in CONSTANTS if name in figures}
    for name, value in figures.items() if {*map(type, figures.values())} != {float} else ():
        if not is_number(value):
            raise ValueError(f"its {name} {value!r} is no number")
    return figures


def _parsed(constant: Any) -> Any:
    """The number that a parameter holds; whatever is none stays as it is."""
    try:
        return float(constant)
    except (TypeError, ValueError):
        return constant


def _union(sweeps: Iterable[tuple[str, ...]]) -> Any:
    return tuple(sorted({sweep for of_run in sweeps for sweep in of_run}))


def _unique(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per run key: the earliest finished run, or else the latest failed one; in the sweeps of all its runs."""
    if frame.empty:
        return frame.drop(columns="finished", errors="ignore")
    if not frame["run_key"].duplicated().any():
        return _ordered(frame.drop(columns="finished").assign(conflict=[*frame["conflict"]]))
    repeated = frame[frame["run_key"].duplicated(keep=False)]
    united = repeated.groupby("run_key")["sweeps"].agg(_union).to_dict()
    done = frame[frame["finished"].astype(bool)].sort_values(["started", "run_id"])
    failed = frame[~frame["finished"].astype(bool)].sort_values(["started", "run_id"], ascending=False)
    # Finished runs come first, so that a failed one stays only if its key has nothing better.
    kept = pd.concat([done, failed]).drop_duplicates("run_key").drop(columns="finished")
    of_run = kept[["run_key", "sweeps"]].itertuples(index=False)
    kept["sweeps"] = [united.get(key, sweeps) for key, sweeps in of_run]
    differing = conflicts(done)
    own = kept[["run_key", "conflict"]].itertuples(index=False)
    kept["conflict"] = ["; ".join(filter(None, (differing.get(key, ""), words))) for key, words in own]
    return _ordered(kept)


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["protocol", "method", "rate_value", "seed", "run_key"], ignore_index=True)
