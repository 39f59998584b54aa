"""What a worker does, without Ray: its share of a card, and its end once a step could not be recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_trials import spec

from bench.engine.steps.cuda_graph import RecordingFailed
from bench.execution import schedule
from bench.execution.events import Events
from bench.execution.worker import Job, Report, Worker

WORDS = "a step could not be recorded as a CUDA graph"


def worker(engine: Callable[..., Any], share: float = 1.0, **fields: Any) -> Worker:
    functions = schedule.dumps((engine, lambda: None))
    return Worker(Job([schedule.dumps([spec(**fields)])], functions, False, schedule.dumps([]), (), share), bytes)


def test_a_pack_is_sized_by_its_share_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker of a quarter of a card sets before it trains; one of a whole card, or of the CPU, nothing."""
    shares: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", shares.append)
    for device, share in (("cuda", 0.25), ("cuda", 1.0), ("cpu", 0.25)):
        worker(lambda *given: iter(()), share, device=device).open(0)
    assert shares == [0.25]


def test_a_worker_that_could_not_record_trains_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.execution.worker.REPORT_SECONDS", 1e6)
    told: list[str] = []

    def engine(pack: Any, data: Any, device: str, unrecorded: str = "") -> Iterator[Any]:
        told.append(unrecorded)
        if not unrecorded:
            raise RecordingFailed(WORDS)
        yield from ()

    first = worker(lambda *given, **options: engine(*given, **options))
    first.open = lambda index, unrecorded="": engine([], None, "cuda", unrecorded)  # type: ignore[method-assign]
    assert first.train(0) == Report([], [], unrecorded=WORDS)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=WORDS):
            first.train(0, WORDS)
    second = worker(engine)
    second.open = lambda index, unrecorded="": engine([], None, "cuda", unrecorded)  # type: ignore[method-assign]
    assert second.train(0, WORDS) == Report([], [], done=True)
    assert told == ["", WORDS]


@pytest.mark.parametrize("allowed", [0, 1, -1])
def test_what_takes_the_pack_over_is_told_and_no_retry_is_lost(allowed: int) -> None:
    """Of Tune's trials: that one, and all that begin later; -1 is without limit."""
    callback = schedule._Callback(Events([[spec()], [spec()]], SimpleNamespace()))  # type: ignore[arg-type]
    failed, other = (SimpleNamespace(config={"pack": pack}, max_failures=allowed) for pack in range(2))
    callback.on_trial_result(1, [], failed, {"report": Report([], [])})
    callback.on_step_end(1, [failed, other])
    assert [one.config for one in (failed, other)] == [{"pack": 0}, {"pack": 1}]
    callback.on_trial_result(1, [], failed, {"report": Report([], [], unrecorded=WORDS)})
    assert (failed.config, failed.max_failures) == (
        {"pack": 0, schedule.UNRECORDED: WORDS}, {0: 1, 1: 2, -1: -1}[allowed]
    )  # fmt: skip
    assert other.config == {"pack": 1}
    callback.on_step_end(1, [failed, other])
    assert (other.config, other.max_failures) == ({"pack": 1, schedule.UNRECORDED: WORDS}, allowed)
