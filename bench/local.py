"""Train packs one after another in this process: for notebooks, debuggers and machines without Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.result import Listener
from bench.spec import TrialSpec
from bench.train import train
from datasets.images import ImageData


def run(packs: Sequence[Sequence[TrialSpec]], load: Callable[[], ImageData], listener: Listener) -> None:
    """Train every pack and tell the listener."""
    data = load()
    for pack in packs:
        for spec in pack:
            listener.started(spec)
        results = train(pack, data, pack[0].device, lambda e: listener.epoch(e.spec, e.epoch, e.figures))
        for spec, result in zip(pack, results, strict=True):
            listener.finished(spec, result)
