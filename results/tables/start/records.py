"""The starts in the machine-readable forms: a field of its own, and the groups that no section without a base has.

A store whose networks all start from scratch has none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.results.frame.starts import SCRATCH
from bench.results.statistics.analysis import Analysis
from bench.results.tables.start import largest_rate_table, task_bytes

START = "start"


def names_starts(analyses: Sequence[Analysis]) -> bool:
    """Whether a section of these that is shown, or differs from one in its start only, does not start from scratch."""
    return any(start != SCRATCH for analysis in analyses if analysis.shown for start in analysis.starts)


def start_field(analysis: Analysis, analyses: Sequence[Analysis]) -> Mapping[str, str]:
    """The start in words, if that of one of the analyses is no scratch."""
    return {START: analysis.section.start} if names_starts(analyses) else {}


def of_section(analysis: Analysis) -> dict[str, list[dict[str, Any]]]:
    """The records of the largest rates, with the first section of its family, and of the bytes of several tasks."""
    if set(analysis.starts) == {SCRATCH}:
        return {}
    groups = {"largest_rates": largest_rate_table.records(analysis), "task_bytes": task_bytes.records(analysis)}
    return {name: records for name, records in groups.items() if records}
