"""Published figures beside the store's: the files of `results/published`, and what tells their protocols from ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench import names
from bench.metrics import NONE
from bench.results.frame.collect import DENSE
from bench.results.frame.sections import searched
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, percent_of_dense
from bench.results.statistics.stats import Summary
from bench.results.tables.formats import Grid
from bench.results.tables.marks import of_seeds, seeds_legend
from bench.trial.protocol import ROWS

FOLDER = Path(__file__).parents[1] / "published"
NEAR = 0.01  # a share of the multiply-accumulates that is no farther from a printed one is the same
FEWER = (
    " Of networks with fewer channels: those of any method, if the multiply-accumulates of a forward pass, as counted "
    f"here, are the same share of the dense network's to within {NEAR:g}."
)
# Fields of the protocol that a source may state; those of the sample and the arithmetic are told last.
COMPARED = sorted(
    (name for name, row in ROWS.items() if row.stated), key=lambda name: ROWS[name].clause in ("sample", "arithmetic")
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A figure of a paper. Accuracies in percent; `percent_of_dense` if that is what was printed."""

    source: str
    tier: str  # A: primary, B: quoted by a secondary source, C: an independent re-run
    stated: Mapping[str, Any]  # the fields of the protocol that the source states
    differs: tuple[str, ...]  # what no field says
    dataset: str
    model: str
    criterion: str
    background: str
    rate: str  # "" of one at a share of the multiply-accumulates
    macs: str  # that share, of networks with fewer channels, by whatever method; else ""
    accuracy: float | None
    sd: float | None
    n: int | None
    percent_of_dense: float | None
    note: str

    def is_of(self, cell: Cell, dense: Cell | None) -> bool:
        """Whether the cell has the same method at the same rate; of fewer channels, any with the same share of the
        dense cell's MACs at every seed.
        """
        if cell.background == DENSE:
            return self.background == DENSE
        record = cell.record.fields
        if self.macs:
            shares = _shares(cell, dense) if record.get("closes_channels") else ()
            return bool(shares) and all(abs(share - float(self.macs)) <= NEAR for share in shares)
        if cell.record.fades:
            return False
        own = record.get("criterion"), record.get("scope", "global"), record.get("background"), rate_text(cell.rate)
        return own == (self.criterion, "global", self.background, self.rate)

    @property
    def text(self) -> str:
        """The figure as printed there."""
        if self.accuracy is None:
            return f"{self.percent_of_dense} % of dense"
        spread = f" ± {self.sd}" if self.sd is not None else ""
        return f"{self.accuracy}{spread}{f' (n = {self.n})' if self.n else ''}"


def _shares(cell: Cell, dense: Cell | None) -> tuple[float, ...]:
    """The least and the largest share of the dense network's MACs over the seeds; none if they were not counted."""
    if dense is None or not {names.FORWARD_MACS} <= cell.counts.keys() & dense.counts.keys():
        return ()
    return tuple(macs / dense.counts[names.FORWARD_MACS][0] for macs in cell.counts[names.FORWARD_MACS])


@cache
def published() -> tuple[Published, ...]:
    """Every figure of the folder's files."""
    return tuple(row for file in sorted(FOLDER.glob("*.json")) for row in _rows(json.loads(file.read_text("utf-8"))))


def _rows(content: Mapping[str, Any]) -> Iterator[Published]:
    for row in content["results"]:
        fewer = f"{row['criterion']}, at {row['macs']} of the MACs" if "macs" in row else ""
        notes = (fewer, row.get("repeat", ""), f"dense run beside {row['run_with']}" if "run_with" in row else "")
        yield Published(
            source=content["source"],
            tier=content["tier"],
            stated=content["protocols"][row["protocol"]],
            differs=tuple(content["differs"]),
            **{name: row[name] for name in ("dataset", "model", "criterion", "background", "accuracy")},
            **{name: row.get(name, "") for name in ("rate", "macs")},
            **{name: row.get(name) for name in ("sd", "n", "percent_of_dense")},
            note="; ".join(note for note in notes if note),
        )


def matches(a: Analysis) -> list[tuple[Cell, Published]]:
    """The cells shown that have published figures, by rate, method and source."""
    here = [row for row in published() if (row.dataset, row.model) == (a.section.dataset, a.section.model)]
    pairs = [(cell, row) for cell in a.shown for row in here if row.is_of(cell, a.dense)]
    return sorted(pairs, key=lambda pair: (pair[0].rate, pair[0].label, pair[1].source, pair[1].note))


def grid(a: Analysis) -> Grid:
    """Published figures and the store's, side by side."""
    sources = _sources(a)
    rows = []
    for cell, row in matches(a):
        place = f"[{sources[row.source]}] {row.tier[0]}"
        rows.append([rate_text(cell.rate), cell.label, row.text, _ours(a, cell, row), place, row.note or NONE])
    caption = (
        "Published figures beside these: test accuracy in percent, at the same method and rate. Tier: A, the paper's "
        "own text or data; B, its number quoted by a secondary source; C, an independent re-run. The protocols differ "
        "as listed below, so a difference is no verdict on either."
        f"{FEWER if any(row.macs for _, row in matches(a)) else ''}"
        f"{seeds_legend(''.join(of_seeds(cell) for cell, _ in matches(a)))}"
    )
    headers = ["rate", "method", "published", "here", "source, tier", "note"]
    return Grid(caption, headers, rows, "Published figures beside these")


def _ours(a: Analysis, cell: Cell, row: Published) -> str:
    if row.accuracy is None:
        return f"{_spread(percent_of_dense(cell, a.dense)[0], 1)} % of dense" if a.dense else NONE
    return f"{_spread(cell.summary, 100)}{of_seeds(cell)}"


def _spread(summary: Summary, factor: float) -> str:
    if not summary.n:
        return NONE
    spread = f" ± {factor * summary.sd:.2f}" if summary.n > 1 else ""
    return f"{factor * summary.mean:.2f}{spread} (n = {summary.n})"


def _sources(a: Analysis) -> dict[str, int]:
    return {source: i for i, source in enumerate(sorted({row.source for _, row in matches(a)}), 1)}


def protocols(a: Analysis) -> list[str]:
    """One line per source and protocol: what is otherwise here, what the source does not state."""
    found: dict[tuple[str, str], Published] = {}
    for _, row in matches(a):
        key = (row.source, json.dumps(dict(row.stated), sort_keys=True))
        found.setdefault(key, row)
    sources = _sources(a)
    return [f"[{sources[row.source]}] {row.source}. {_differences(a, row)}" for row in found.values()]


def _differences(a: Analysis, row: Published) -> str:
    here = a.section.fields
    absent = dict.fromkeys(searched(here), "tuned")
    other = [
        f"{name} {_plain(row.stated[name])} (here {_plain(here.get(name, absent.get(name, 'none')))})"
        for name in COMPARED
        if name in row.stated and row.stated[name] != here.get(name)
    ]
    unknown = [name for name in COMPARED if name not in row.stated and name in here]
    parts = [f"Otherwise there: {', '.join(other)}." if other else "", f"Not stated: {', '.join(unknown)}."]
    return " ".join([*(part for part in parts if part), *(f"{text[0].upper()}{text[1:]}." for text in row.differs)])


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
