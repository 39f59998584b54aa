"""Train packs one after another in this process: for notebooks, debuggers and machines without Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.result import Listener
from bench.spec import TrialSpec
from bench.train import train_epochs
from datasets.images import ImageData


def run(packs: Sequence[Sequence[TrialSpec]], load: Callable[[], ImageData], listener: Listener) -> None:
    """Train every pack and tell the listener."""
    data = load()
    for pack in packs:
        for spec in pack:
            listener.started(spec)
        epochs = train_epochs(pack, data, pack[0].device)
        while True:
            try:
                event = next(epochs)
            except StopIteration as done:
                break
            listener.epoch(event.spec, event.epoch, event.figures)
        for spec, result in zip(pack, done.value, strict=True):
            listener.finished(spec, result)
