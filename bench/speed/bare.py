"""Bare engines side by side, each in a process of its own: what the harness is measured against."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from bench.trial.result import SweepError, TrialResult
from bench.trial.spec import TrialSpec

if TYPE_CHECKING:
    from bench.execution.worker import Load


Share = Callable[[], Sequence[TrialSpec]]  # called in the process that trains it, where it adds what plug-ins have


def side_by_side(shares: Sequence[Share], load: Load) -> tuple[list[list[TrialResult]], list[float]]:
    """Train each share in a process of its own; all begin together, once each has the engine and the data.

    Returns: the results of each process, and the seconds each took to load the data.
    Raises:  SweepError if a process ends without results; its own complaint is on stderr.
    """
    context = multiprocessing.get_context("spawn")
    links = []
    for share in shares:
        ours, theirs = context.Pipe()
        context.Process(target=_engine, args=(theirs, share, load), daemon=True).start()
        theirs.close()  # otherwise the end of the process would not end the link
        links.append(ours)
    try:
        loading = [link.recv() for link in links]
        for link in links:
            link.send("go")
        return [link.recv() for link in links], loading
    except EOFError:
        raise SweepError("a bare engine ended without results") from None


def _engine(link: Connection, make: Share, load: Load) -> None:
    """What a process does: get ready, wait for the word, train one trial after another."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits for this one takes it, and ends both
    import torch

    from bench.engine.train import train
    from bench.storage.environment import environment

    share = make()
    torch.set_num_threads(share[0].threads)
    environment()  # the engine asks it of every trial, and keeps the answer
    start = time.perf_counter()
    data = load()
    link.send(time.perf_counter() - start)
    link.recv()
    link.send([train([spec], data, spec.device)[0] for spec in share])
