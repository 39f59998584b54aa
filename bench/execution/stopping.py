"""When Tune's loop ends before its trials do: at once, or because no worker comes up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray import tune

from bench.execution.ray_machine.patience import LOOK_SECONDS
from bench.execution.ray_machine.ray_process import no_worker, patience_for_a_worker
from bench.messages import say


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
        self._patience = patience_for_a_worker()
        self._looked = self._patience.began
        self._up = self._said = False

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._up = True

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._up = True  # it was, and is lost: Tune starts others, and counts the losses

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        now = time.monotonic()
        if self._up or now < self._looked + LOOK_SECONDS:
            return
        self._looked = now
        if self._address is not None and not _is_granted():
            self._wait_for_others()
        elif self._patience.is_over():
            self.error = no_worker()
            raise Stop

    def _wait_for_others(self) -> None:
        if not self._said:
            say(f"waiting for the cluster at {self._address}: no machine of it has the resources of a trial free")
        self._said = True
        self._patience.restart()


def _is_granted() -> bool:
    """Whether the cluster has set resources aside for a worker of this process."""
    return has_granted(ray.util.placement_group_table(), ray.get_runtime_context().get_job_id())


def has_granted(groups: Mapping[str, Mapping[str, Any]], job: str) -> bool:
    """Whether one of these placement groups, by id, is a job's, and its resources are set aside.

    The id of a group ends with that of its job.
    """
    return any(group_id.endswith(job) and group["state"] == "CREATED" for group_id, group in groups.items())
