"""The group of commands `speed`. What they do is in `bench.cli.speed_commands`."""

from __future__ import annotations

import click

from bench.cli.options import takes
from bench.cli.requests.speed import LimitsRequest, MasksRequest, ScoringRequest, StepRequest, TrialsRequest


@click.group(no_args_is_help=False)
def speed() -> None:
    """Time what training takes on this machine: a step, whole trials, scoring, coding a mask."""


@speed.command()
@takes(StepRequest)
def step(request: StepRequest) -> int:
    """Time training steps: a plain researcher's loop, the dense and the sparse step, on one thread."""
    from bench.cli.speed_commands import time_steps

    return time_steps(request)


@speed.command()
@takes(TrialsRequest)
def trials(request: TrialsRequest) -> int:
    """Time whole trials on all cores, by `run` and by bare engines side by side."""
    from bench.cli.speed_commands import time_trials

    return time_trials(request)


@speed.command()
@takes(ScoringRequest)
def scoring(request: ScoringRequest) -> int:
    """Measure time and memory of choosing the live weights, by criterion; on synthetic images."""
    from bench.cli.speed_commands import measure_scoring

    return measure_scoring(request)


@speed.command()
@takes(MasksRequest)
def masks(request: MasksRequest) -> int:
    """Measure time, size and memory of coding a mask of 20 million weights, by rate."""
    from bench.cli.speed_commands import measure_masks

    return measure_masks(request)


@speed.command()
@takes(LimitsRequest)
def limits(request: LimitsRequest) -> int:
    """Find, per kind of layer, the live fraction below which a sparse step is faster than a dense one."""
    from bench.cli.speed_commands import find_limits

    return find_limits(request)
