"""Results that wait to be delivered."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bench.cli.doctor.finding import Finding
from bench.messages import counted
from bench.storage.delivery.redeliver import left_folders, redeliver


def undelivered(uri: str) -> Iterator[Finding]:
    """What commands that are gone have finished, and the store does not have."""
    for folder, results in left_folders(uri):
        yield Finding(
            words=f"{folder}: {counted(results, 'result')} of a command that is gone, not in the store",
            remedy="--fix delivers them, as the next `run` would",
            fix=partial(redeliver, uri),
        )
