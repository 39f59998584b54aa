"""When Tune's loop ends before its trials do: at once, or because no worker comes up."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray import tune

from bench.execution.ray_process import no_worker, seconds_for_a_worker
from bench.messages import say

LOOK_SECONDS = 5.0  # between two looks at what a cluster has given


class Stop(BaseException):
    """Ends Tune's loop at once: at an Exception Tune would wait for every worker's current step."""


class FirstWorker(tune.Callback):
    """Ends a run if no worker comes up, as Tune would wait for ever. What a worker does then may take any time.

    A cluster whose machines are busy is waited for, and this is said.
    """

    def __reduce__(self) -> tuple[type[tune.Callback], tuple[()]]:
        return tune.Callback, ()  # Tune saves its callbacks; nothing is restored

    def __init__(self, address: str | None) -> None:
        self.error = ""  # why the run ended
        self._address = address
        self._seconds = seconds_for_a_worker()
        self._began = self._looked = time.monotonic()
        self._up = self._said = False

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._up = True

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._up = True  # it was, and is lost: Tune starts others, and counts the losses

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self._up:
            return
        if self._address is not None and now > self._looked + LOOK_SECONDS:
            self._looked = now
            if not _granted():
                self._wait_for_others(now)
        if now > self._began + self._seconds:
            self.error = no_worker(self._seconds)
            raise Stop

    def _wait_for_others(self, now: float) -> None:
        if not self._said:
            say(f"waiting for the cluster at {self._address}: no machine of it has the resources of a trial free")
        self._said, self._began = True, now


def _granted() -> bool:
    """Whether the cluster has set resources aside for a worker of this process."""
    job: str = ray.get_runtime_context().get_job_id()
    groups = ray.util.placement_group_table()
    return any(name.endswith(job) and group["state"] == "CREATED" for name, group in groups.items())
