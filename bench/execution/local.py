"""Train packs one after another in this process: for notebooks, debuggers and machines without Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.datasets.images import ImageData
from bench.engine.train import train_epochs
from bench.storage.checkpoint import Checkpoints
from bench.trial.result import Listener, TrialResult
from bench.trial.spec import TrialSpec
from bench.user_code.guard import kept


def run(
    packs: Sequence[Sequence[TrialSpec]],
    load: Callable[[], ImageData],
    listener: Listener,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Train every pack and tell the listener."""
    with kept([]):
        data = load()
    for pack in packs:
        for spec in pack:
            listener.started(spec)
        specs = {spec.run_key: spec for spec in pack}
        for event in train_epochs(pack, data, pack[0].device, checkpoints):
            if isinstance(event, TrialResult):
                listener.finished(specs[event.run_key], event)
            else:
                listener.epoch(event.spec, event.epoch, event.figures)
