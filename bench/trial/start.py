"""Start: what the weights of a trial are before it, if they are not drawn; and the trial that gave them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Head = Literal["redrawn", "kept"]
Norm = Literal["kept", "fresh"]


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """The dense trial whose trained weights are the base, in all that the trial's own protocol does not say."""

    dataset: str
    data_hash: str
    seed: int | None = None  # None = the trial's own: one base per seed, shared by all methods and rates
    epochs: int
    lr: float
    start: Start | None = None  # of that trial

    def record(self) -> dict[str, Any]:
        """Plain JSON values; a base that is trained from scratch has no start."""
        record: dict[str, Any] = {
            "dataset": self.dataset,
            "data_hash": self.data_hash,
            "seed": "own" if self.seed is None else self.seed,
            "epochs": self.epochs,
            "lr": self.lr,
        }
        return {**record, "start": self.start.record()} if self.start else record


@dataclass(frozen=True, kw_only=True)
class GivenWeights:
    """A file of weights that no trial of ours has trained, or that stands for one."""

    sha256: str  # of the file, in hexadecimal

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"weights": self.sha256}


@dataclass(frozen=True, kw_only=True)
class Start:
    """The base, and what is taken of it; all else is drawn as without one."""

    base: Pretraining | GivenWeights
    head: Head = "redrawn"  # the last Linear layer: another task's classes mean nothing
    norm: Norm = "kept"  # BatchNorm's scale, shift and statistics

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**self.base.record(), "head": self.head, "norm": self.norm}


def start_of(record: Mapping[str, Any]) -> Start:
    """The start with that record. Raises: KeyError if something of it is missing."""
    base: Pretraining | GivenWeights
    if "weights" in record:
        base = GivenWeights(sha256=record["weights"])
    else:
        base = Pretraining(
            dataset=record["dataset"],
            data_hash=record["data_hash"],
            seed=None if record["seed"] == "own" else record["seed"],
            epochs=record["epochs"],
            lr=record["lr"],
            start=start_of(record["start"]) if "start" in record else None,
        )
    return Start(base=base, head=record["head"], norm=record["norm"])


def start_words(record: Mapping[str, Any] | None) -> str:
    """What a table says of a start's record, without the base's own protocol.

    >>> start_words(None), start_words({"weights": 64 * "a", "head": "redrawn", "norm": "kept"})
    ('scratch', 'weights aaaaaaaaaaaa')
    """
    if record is None:
        return "scratch"
    if "weights" in record:
        words = f"weights {record['weights'][:12]}"
    else:
        words = f"pretrained on {record['dataset']}"
        words += "" if record["seed"] == "own" else f", base of seed {record['seed']} for all"
        words += f", itself {start_words(record['start'])}" if "start" in record else ""
    words += ", head kept" if record["head"] == "kept" else ""
    return words + (", fresh BatchNorm" if record["norm"] == "fresh" else "")
