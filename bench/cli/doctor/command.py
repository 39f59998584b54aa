"""The `doctor` command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bench.api.stored import existing_store, frame
from bench.cli.doctor import delivery, networks, records, runs
from bench.cli.doctor.finding import Finding
from bench.cli.requests.store import DoctorRequest
from bench.masking import masked
from bench.messages import counted, say, usage_errors
from bench.storage import stored_trials


def examine(request: DoctorRequest) -> int:
    """Print what is wrong with the store, a line each. Returns 1 if something is, and was not put right."""
    with usage_errors():
        uri = existing_store()
    wrong = fixed = 0
    for finding in _findings(uri, request):
        if request.fix and finding.fix is not None:
            finding.fix()
            fixed += 1
            click.echo(masked(f"fixed: {finding.line}"))
        else:
            wrong += 1
            click.echo(masked(finding.line))
    put_right = f", {fixed} put right" if fixed else ""
    say(f"store {uri}: {counted(wrong, 'thing') if wrong else 'nothing'} wrong{put_right}")
    return 1 if wrong else 0


def _findings(uri: str, request: DoctorRequest) -> Iterator[Finding]:
    """What can be put right comes first: results that are delivered are looked at too."""
    yield from delivery.undelivered(uri)
    yield from runs.left_running(uri)
    addresses = stored_trials.addresses(uri)
    yield from runs.orphans(uri, addresses)
    trials = frame(uri, warns=False)
    yield from records.unreadable(trials)
    if not trials.empty:
        yield from records.conflicts(trials)
        yield from records.engines(trials)
        yield from networks.damaged_networks(uri, addresses, trials, quick=request.quick)
