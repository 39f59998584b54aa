"""How and where the trials of a section were trained, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from bench.results.frame.sections import TITLE
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.trial.protocol import CLAUSES, ROWS, has_effect
from bench.trial.start import start_words

HYPERPARAMETERS = {name: row.search for name, row in ROWS.items() if row.search}
ARITHMETIC = "arithmetic"  # the clause that is told without commas
# What is told of the trials besides their protocol.
OTHERS: dict[str, Callable[[Any], str]] = {
    "tuning": lambda v: f"{' and '.join(HYPERPARAMETERS.get(name, name) for name in v['search'])} tuned, see below",
    "start": lambda v: f"{start_words(v)}{_base_protocol(v)}",
    "data_hash": lambda v: f"data {v[:12]}",
    "sources": lambda v: " and ".join(f"own {name} (source {source[:12]})" for name, source in sorted(v.items())),
}


def _base_protocol(start: Mapping[str, Any]) -> str:
    """How the base was trained, in what may be its own: (its base: 30 epochs, learning rate 0.1)"""
    words = [said(start[name]) for name in ("epochs", "lr") if name in start and (said := ROWS[name].words)]
    return f" (its base: {', '.join(words)})" if words else ""


VERSIONS = {"bench.python": "Python", "bench.torch": "torch", "bench.numpy": "numpy"}


def protocol(fields: Mapping[str, Any], varying: Collection[str] = ()) -> str:
    """The fields that have an effect, in words if there are any; `varying` names those in which sections differ.

    A field without words, of a newer version too, is printed as field = value.
    """
    quiet = {name for name, value in fields.items() if name not in varying and _is_plain(name, value)}
    shown = {n: v for n, v in fields.items() if n not in {*quiet, *TITLE} and has_effect(n, fields)}
    spoken = [word for clause in CLAUSES if clause != ARITHMETIC for word in _words(clause, shown)]
    spoken += [words(shown[name]) for name, words in OTHERS.items() if name in shown]
    wordless = [name for name in sorted(shown) if name not in OTHERS and not (name in ROWS and ROWS[name].words)]
    others = [f"{name} = {_plain(shown[name])}" for name in wordless]
    parts = [", ".join(spoken), " ".join(_words(ARITHMETIC, shown)), ", ".join(others)]
    return f"Protocol: {'; '.join(part for part in parts if part)}."


def _is_plain(name: str, value: Any) -> bool:
    """Whether the value is not worth a word."""
    return name == "engine" or (name in ROWS and value in ROWS[name].plain)


def _words(clause: str, fields: Mapping[str, Any]) -> list[str]:
    """The words of the fields of one clause."""
    rows = ((name, row.words) for name, row in ROWS.items() if row.clause == clause and name in fields)
    return [word for name, words in rows if words and (word := words(fields[name]))]


def _plain(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def environment(analysis: Analysis) -> str:
    """Versions, hardware and code of the trials shown, if the store knows them."""
    shown, frame = {(cell.label, rate_text(cell.rate)) for cell in analysis.shown}, analysis.section.frame
    trials = frame[[cell in shown for cell in zip(frame["label"], frame["rate"], strict=True)]]
    rows = trials[(trials[[*VERSIONS, "bench.cpu", "git_commit"]] != "").any(axis=1)]
    versions = [_one(rows[tag], f"{name} {{}}", f"several versions of {name}") for tag, name in VERSIONS.items()]
    hardware = [_one(rows["bench.cpu"], "{}", "several CPUs")]
    if analysis.section.fields.get("device") == "cuda":
        hardware.append(_one(rows["bench.gpu"], "{}", "several GPUs"))
    commit = _one(rows["git_commit"].str[:12], "commit {}", "several commits")
    changed = rows.loc[rows["git_commit"] != "", "git_dirty"].astype(bool)
    if commit and changed.any():
        commit += f" with uncommitted changes{'' if changed.all() else ' in some trials'}"
    parts = {"with ": versions, "on ": hardware, "from ": [commit]}
    said = [word + ", ".join(filter(None, texts)) for word, texts in parts.items() if any(texts)]
    partly = f" (recorded for {len(rows)} of {len(trials)} trials)" if len(rows) < len(trials) else ""
    return f"Trained {' '.join(said)}{partly}." if said else ""


def _one(values: Iterable[str], form: str, several: str) -> str:
    """The value of all trials, as `form` says it; `several` if they differ; empty if none has one."""
    distinct = {value for value in values if value}
    return form.format(*distinct) if len(distinct) == 1 else several if distinct else ""
