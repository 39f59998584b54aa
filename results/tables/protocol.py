"""How and where the trials of a section were trained, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from bench.results.frame.sections import TITLE
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis

HYPERPARAMETERS = {"lr": "learning rate", "weight_decay": "weight decay"}
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}

# field of the TrialSpec -> its words; a field that is in none of these tables is printed as field = value.
PROTOCOL: dict[str, Callable[[Any], str]] = {
    "optimizer": lambda v: OPTIMIZERS.get(v, v),
    "lr": lambda v: f"learning rate {v:g}",
    "momentum": lambda v: f"momentum {v:g}",
    "nesterov": lambda v: "Nesterov" if v else "",
    "schedule": lambda v: f"{v} schedule",
    "milestones": lambda v: f"milestones at {', '.join(f'{m:g}' for m in v)} of the training",
    "gamma": lambda v: f"learning rate × {v:g} at each",
    "warmup_epochs": lambda v: f"{v:g} warm-up epoch{'' if v == 1 else 's'}" if v else "no warm-up",
    "epochs": lambda v: f"{v} epoch{'s' if v > 1 else ''}",
    "batch_size": lambda v: f"batch {v}",
    "weight_decay": lambda v: f"weight decay {v:g} on live weights only",
    "initialiser": lambda v: f"{v} initial weights",
    "validation_fraction": lambda v: f"{100 * v:g} % of the training images held out for validation, drawn per seed",
    "criterion_per_class": lambda v: f"criterion sample of {v} un-augmented training images per class",
    "augmentation": lambda v: "training images flipped and moved by up to 4 pixels" if v == "flip-translate" else v,
    "tuning": lambda v: f"{' and '.join(HYPERPARAMETERS.get(name, name) for name in v['search'])} tuned, see below",
    "data_hash": lambda v: f"data {v[:12]}",
}
ARITHMETIC = ("precision", "criterion_precision", "device", "threads")  # one clause of their own
OF_STEPS = ("milestones", "gamma")  # without effect under any other schedule
# Not worth a word at this value (None: at any), unless sections differ in it.
PLAIN = {"criterion_statistics": "batch", "engine": None, "pack": "single", "step": "dense", "tf32": False}
VERSIONS = {"bench.python": "Python", "bench.torch": "torch", "bench.numpy": "numpy"}


def protocol(fields: Mapping[str, Any], varying: Collection[str] = ()) -> str:
    """The fields that have an effect, in words where there are any; `varying` names those in which sections differ."""
    steps = fields.get("schedule") == "step"
    told = {name: value for name, value in fields.items() if steps or name not in OF_STEPS}
    spoken = [word for name, words in PROTOCOL.items() if name in told and (word := words(told[name]))]
    quiet = {name for name, value in PLAIN.items() if name not in varying and value in (None, told.get(name))}
    known = {*PROTOCOL, *ARITHMETIC, *TITLE, *quiet}
    others = [f"{name} = {_plain(value)}" for name, value in sorted(told.items()) if name not in known]
    parts = [", ".join(spoken), _arithmetic(fields), ", ".join(others)]
    return f"Protocol: {'; '.join(part for part in parts if part)}."


def _arithmetic(fields: Mapping[str, Any]) -> str:
    """float32 (criterion in float64) on cpu with 1 thread"""
    threads = fields.get("threads")
    parts = {
        "precision": f"{fields.get('precision')}",
        "criterion_precision": "(criterion in float64)" if fields.get("criterion_precision") == "float64" else "",
        "device": f"on {fields.get('device')}",
        "threads": f"with {threads} thread{'' if threads == 1 else 's'}",
    }
    return " ".join(part for name, part in parts.items() if name in fields and part)


def _plain(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def environment(a: Analysis) -> str:
    """Versions, hardware and code of the trials shown, where the store knows them."""
    shown, frame = {(cell.label, rate_text(cell.rate)) for cell in a.shown}, a.section.frame
    trials = frame[[place in shown for place in zip(frame["label"], frame["rate"], strict=True)]]
    rows = trials[(trials[[*VERSIONS, "bench.cpu", "git_commit"]] != "").any(axis=1)]
    versions = [_one(rows[tag], f"{name} {{}}", f"several versions of {name}") for tag, name in VERSIONS.items()]
    hardware = [_one(rows["bench.cpu"], "{}", "several CPUs")]
    if a.section.fields.get("device") == "cuda":
        hardware.append(_one(rows["bench.gpu"], "{}", "several GPUs"))
    commit = _one(rows["git_commit"].str[:12], "commit {}", "several commits")
    changed = rows.loc[rows["git_commit"] != "", "git_dirty"].astype(bool)
    if commit and changed.any():
        commit += f" with uncommitted changes{'' if changed.all() else ' in some trials'}"
    parts = {"with ": versions, "on ": hardware, "from ": [commit]}
    said = [word + ", ".join(found) for word, texts in parts.items() if (found := [text for text in texts if text])]
    partly = f" (recorded for {len(rows)} of {len(trials)} trials)" if len(rows) < len(trials) else ""
    return f"Trained {' '.join(said)}{partly}." if said else ""


def _one(values: Iterable[str], form: str, several: str) -> str:
    """The value of all trials, as `form` says it; `several` where they differ; empty where none has one."""
    found = {value for value in values if value}
    return form.format(*found) if len(found) == 1 else several if found else ""
