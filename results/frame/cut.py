"""A frame cut to some of its trials, with what these start from: a base says what a start is, wherever it stands."""

from __future__ import annotations

import pandas as pd

from bench.results.frame.sections import BASE_ONLY, sections


def with_bases(frame: pd.DataFrame, kept: pd.Series[bool]) -> pd.DataFrame:
    """The trials kept, and those that they start from.

    A base that is in the store only as others need it stays what it is; any other one opens no section in the cut.
    """
    bases = frame["run_key"].isin(set(frame.loc[kept, "base_key"]) - {""}) & ~kept
    if not bases.any():
        return frame[kept]
    needed = {key for section in sections(frame) if section.needed for key in section.frame["run_key"]}
    cut = frame[kept | bases]
    return cut.assign(**{BASE_ONLY: bases[cut.index] & ~cut["run_key"].isin(needed)})
