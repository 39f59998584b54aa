"""Train packs one after another in this process: for notebooks, debuggers and machines without Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.artefact.artefact import NO_FILES
from bench.artefact.base import Files
from bench.datasets.images import ImageData
from bench.engine.needs import Needs
from bench.engine.steps.cuda_graph import RecordingFailed
from bench.engine.train import train_epochs
from bench.storage.checkpoint import Checkpoints
from bench.trial.result import Listener, SweepError, TrialResult
from bench.trial.spec import TrialSpec
from bench.user_code.guard import kept


def run(
    packs: Sequence[Sequence[TrialSpec]],
    load: Callable[[], ImageData],
    listener: Listener,
    checkpoints: Checkpoints | None = None,
    needs: Files = NO_FILES,
) -> None:
    """Train every pack and tell the listener.

    Args:   needs: the networks that trials need, by key.
    Raises: SweepError if a step could not be recorded as a CUDA graph: what ended before is told.
    """
    with kept([]):
        data = load()
    for pack in packs:
        for spec in pack:
            listener.started(spec)
        specs = {spec.run_key: spec for spec in pack}
        try:
            for event in train_epochs(pack, data, pack[0].device, checkpoints, Needs(needs)):
                if isinstance(event, TrialResult):
                    listener.finished(specs[event.run_key], event)
                else:
                    listener.epoch(event.spec, event.epoch, event.figures)
        except RecordingFailed as error:
            raise SweepError(f"{error}: this process can train no more; executor ray goes on in another") from error
