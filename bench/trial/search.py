"""Search: what `tune` looks for and how hard, the same for every method and rate. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.messages import nearest
from bench.trial.protocol import ROWS

FACTOR = 3  # after 1 / FACTOR of the training a candidate goes on if it is among the best 1 / FACTOR seen there so far
SPREAD = 10  # candidates that are spread over the bounds; Optuna proposes the later ones by what became of the others
MOST_SEEDS = 100  # of a candidate
FIELDS = tuple(name for name, row in ROWS.items() if row.search)  # that can be searched; log-uniform
DECADES = 10.0  # without bounds: from the protocol's own value / DECADES to the value * DECADES
SEARCH_HELP = (
    f"comma list of {' and '.join(FIELDS)}, each by its name (a tenth to ten times the protocol's value) or lr=lo:hi"
)


@dataclass(frozen=True, kw_only=True)
class Search:
    """The budget of every cell: `budget` candidates, each judged by its validation accuracy after the last epoch, mean
    over `seeds`.

    Asynchronous successive halving (ASHA, Li et al., MLSys 2020, arXiv:1810.05934) with one rung: after `grace` epochs
    a candidate below the best 1 / factor of those seen there so far is stopped; the first one there always goes on.
    Earlier rungs would favour what is fast at first, small learning rates and many live weights.
    """

    bounds: tuple[tuple[str, float, float], ...]  # (field, low, high)
    protocol_values: tuple[float, ...]  # of these fields
    budget: int
    seeds: tuple[int, ...]
    grace: int
    factor: int = FACTOR
    spread: int = SPREAD

    def record(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "search": {name: [low, high] for name, low, high in self.bounds},
            "own": self.first,
            "budget": self.budget,
            "seeds": list(self.seeds),
            "grace": self.grace,
            "factor": self.factor,
            "spread": self.spread,
        }

    def starts(self) -> list[dict[str, float]]:
        """The first candidates, the same of every cell: the protocol's own values if the bounds hold them, then the
        points of Halton's sequence (1960) on a logarithmic scale, without its first two, a corner and the middle."""
        from scipy.stats import qmc

        within = all(
            low <= value <= high for value, (_, low, high) in zip(self.protocol_values, self.bounds, strict=True)
        )
        candidates = [self.first] if within else []
        number = min(self.budget, self.spread) - len(candidates)
        for point in qmc.Halton(len(self.bounds), scramble=False).random(number + 2)[2:]:
            steps = zip(self.bounds, point, strict=True)
            candidates.append({name: float(low * (high / low) ** step) for (name, low, high), step in steps})
        return candidates

    @property
    def first(self) -> dict[str, float]:
        """The protocol's own values, field -> value."""
        return dict(zip(self.fields, self.protocol_values, strict=True))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are searched."""
        return tuple(name for name, _, _ in self.bounds)

    @property
    def label(self) -> str:
        """What tells one search from another: "lr=0.01:1 budget=8 seeds=1000"."""
        bounds = ",".join(f"{name}={_short(low)}:{_short(high)}" for name, low, high in self.bounds)
        return f"{bounds} budget={self.budget} seeds={','.join(map(str, self.seeds))}"


def _short(value: float) -> str:
    """The shortest text that is this number."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def search_of(record: Mapping[str, Any]) -> Search:
    """The search with that record."""
    return Search(
        bounds=tuple((name, float(low), float(high)) for name, (low, high) in record["search"].items()),
        protocol_values=tuple(float(record["own"][name]) for name in record["search"]),
        budget=record["budget"],
        seeds=tuple(record["seeds"]),
        grace=record["grace"],
        factor=record["factor"],
        spread=record.get("spread", 0),
    )


def read_search(search: str, budget: int, seeds: Sequence[int], protocol: Mapping[str, Any]) -> Search:
    """The search of a command line for trials of a protocol. Raises ValueError, in one line."""
    if budget < 1:
        raise ValueError(f"budget {budget}: must be a whole number >= 1")
    if len(seeds) > MOST_SEEDS:
        raise ValueError(f"seeds: {len(seeds)} for every candidate: must be at most {MOST_SEEDS}")
    named = [item.strip() for item in search.split(",")]
    bounds = [_bounds(item, protocol) for item in named]
    if len({name for name, _, _ in bounds}) < len(bounds):
        raise ValueError(f"search {search!r}: must name each field once")
    bounds.sort()
    return Search(
        bounds=tuple(bounds),
        protocol_values=tuple(float(protocol[name]) for name, _, _ in bounds),
        budget=budget,
        seeds=tuple(seeds),
        grace=max(1, protocol["epochs"] // FACTOR),
    )


def _bounds(item: str, protocol: Mapping[str, Any]) -> tuple[str, float, float]:
    name, equals, given = item.partition("=")
    if name not in FIELDS:
        raise ValueError(f"search {item!r}: {nearest('field', name, FIELDS)}")
    value = float(protocol[name])
    if not equals:
        if value == 0:
            raise ValueError(
                f"search {item!r}: the protocol's own {name} is 0, so it needs bounds, as {name}=1e-5:1e-3"
            )
        return name, value / DECADES, value * DECADES
    try:
        low, high = (float(bound) for bound in given.split(":"))
    except ValueError:
        raise ValueError(f"search {item!r}: must be a {SEARCH_HELP}") from None
    if not 0 < low < high < float("inf"):
        raise ValueError(f"search {item!r}: must be 0 < lo < hi")
    return name, low, high


def check_disjoint(search: Search, seeds: Sequence[int]) -> None:
    """Raise ValueError if a trial to be reported has a seed on which its hyper-parameters were chosen."""
    if shared := sorted(set(search.seeds) & set(seeds)):
        raise ValueError(
            f"seeds {', '.join(map(str, shared))}: the hyper-parameters were chosen on them; must be other seeds"
        )
