"""Search: what `tune` looks for and how hard, the same for every method and rate. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.catalogue import nearest

FACTOR = 3  # ASHA lets the best 1 / FACTOR of the candidates seen at a rung go on
RUNGS = 2  # rungs before the last epoch, where there are epochs enough: at 1/9 and 1/3 of the training
FIELDS = ("lr", "weight_decay")  # of a TrialSpec, that can be searched; log-uniform
DECADES = 10.0  # without bounds: from the protocol's own value / DECADES to the value * DECADES
SEARCH_HELP = "comma list of lr and weight_decay, each alone (a decade either way of the protocol's value) or lr=lo:hi"


@dataclass(frozen=True, kw_only=True)
class Search:
    """The budget of every cell: `budget` candidates, each judged by its validation accuracy after the last epoch, mean
    over `seeds`; the first has the protocol's own values where the bounds hold them.

    Asynchronous successive halving (ASHA, Li et al., MLSys 2020, arXiv:1810.05934): after grace · FACTOR^k epochs a
    candidate below the best 1 / FACTOR of those seen there is stopped.
    """

    bounds: tuple[tuple[str, float, float], ...]  # (field, low, high)
    budget: int
    seeds: tuple[int, ...]
    grace: int  # epochs before the first rung

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "search": {name: [low, high] for name, low, high in self.bounds},
            "budget": self.budget,
            "seeds": list(self.seeds),
            "grace": self.grace,
            "factor": FACTOR,
        }

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are searched."""
        return tuple(name for name, _, _ in self.bounds)

    @property
    def text(self) -> str:
        """What tells one search from another: "lr=0.01:1 budget=8 seeds=1000"."""
        bounds = ",".join(f"{name}={low:g}:{high:g}" for name, low, high in self.bounds)
        return f"{bounds} budget={self.budget} seeds={','.join(map(str, self.seeds))}"


def search_of(record: Mapping[str, Any]) -> Search:
    """The search with that record."""
    return Search(
        bounds=tuple((name, float(low), float(high)) for name, (low, high) in record["search"].items()),
        budget=record["budget"],
        seeds=tuple(record["seeds"]),
        grace=record["grace"],
    )


def read_search(text: str, budget: int, seeds: Sequence[int], protocol: Mapping[str, Any]) -> Search:
    """The search of a command line for trials of a protocol. Raises ValueError, in one line."""
    if budget < 1:
        raise ValueError(f"budget {budget}: allowed is a whole number >= 1")
    named = [item.strip() for item in text.split(",")]
    bounds = [_bounds(item, protocol) for item in named]
    if len({name for name, _, _ in bounds}) < len(bounds):
        raise ValueError(f"search {text!r}: allowed is each field once")
    return Search(
        bounds=tuple(sorted(bounds)),
        budget=budget,
        seeds=tuple(seeds),
        grace=max(1, protocol["epochs"] // FACTOR**RUNGS),
    )


def _bounds(item: str, protocol: Mapping[str, Any]) -> tuple[str, float, float]:
    name, equals, given = item.partition("=")
    if name not in FIELDS:
        raise ValueError(f"search {item!r}: {nearest('field', name, FIELDS)}")
    own = float(protocol[name])
    if not equals:
        if own == 0:
            raise ValueError(
                f"search {item!r}: the protocol's own {name} is 0, so it needs bounds, as {name}=1e-5:1e-3"
            )
        return name, own / DECADES, own * DECADES
    try:
        low, high = (float(bound) for bound in given.split(":"))
    except ValueError:
        raise ValueError(f"search {item!r}: allowed is {SEARCH_HELP}") from None
    if not 0 < low < high < float("inf"):
        raise ValueError(f"search {item!r}: allowed is 0 < lo < hi")
    return name, low, high


def check_disjoint(search: Search, seeds: Sequence[int]) -> None:
    """Raise ValueError where a trial to be reported has a seed on which its hyper-parameters were chosen."""
    if shared := sorted(set(search.seeds) & set(seeds)):
        raise ValueError(
            f"seeds {', '.join(map(str, shared))}: the hyper-parameters were chosen on them; allowed are all others"
        )
