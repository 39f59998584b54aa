"""Start: what the weights of a trial are before it, if they are not drawn; and the trial that gave them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Head = Literal["redrawn", "kept"]
Norm = Literal["kept", "fresh"]
When = Literal["before", "after"]
SCRATCH = "scratch"
PREFIX = "pretrained:"
SUFFIXES = (".frz", ".safetensors", ".pt", ".pth", ".bin")  # of files of weights
START_HELP = (
    f"{SCRATCH}, drawn by the initialiser; {PREFIX}DATA[@SEED], those of a dense trial on this data set, of the trial's"
    f" own seed or of one for all; {PREFIX}FILE, those in a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file; or"
    f" {PREFIX}torchvision/NAME"
)


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """The dense trial whose trained weights are the base, in all that the trial's own protocol does not say."""

    dataset: str
    data_hash: str
    seed: int | None = None  # None = the trial's own: one base per seed, shared by all methods and rates
    epochs: int
    lr: float
    start: Start | None = None  # of that trial

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", float(self.lr))  # 1 and 1.0 are one value, so one key

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
    """Weights that are given as a file, whatever it is called and in whichever form they lie in it."""

    sha256: str  # of its tensors, in hexadecimal: `bench.models.initialise.checksum_of`
    label: str = field(default="", compare=False)  # what it was called, for readers

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"weights": self.sha256}


class Taking(Protocol):
    """What is taken of a base."""

    @property
    def head(self) -> Head: ...

    @property
    def norm(self) -> Norm: ...


@dataclass(frozen=True, kw_only=True)
class Start:
    """The base, and what is taken of it; all else is drawn as without one."""

    base: Pretraining | GivenWeights
    # The last Linear layer: another task's classes mean nothing. Redrawn: as `bench.engine.setup.start.set_start` says.
    head: Head = "redrawn"
    norm: Norm = "kept"  # BatchNorm's scale, shift and statistics

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**self.base.record(), "head": self.head, "norm": self.norm}


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
