"""Ray itself: a local one started in the background, or a cluster joined; awaited, and stopped."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import ray

from bench.execution.ray_logs import ELSEWHERE, last_words
from bench.execution.ray_options import CONNECT_SECONDS, DRIVER_SWITCHES, START_SECONDS, init_options, temporary_folder
from bench.messages import folded, one_line
from bench.trial.result import SweepError

STOP_SECONDS = 10.0  # to wait for a start that is interrupted, so that it leaves nothing behind


class _Ray(threading.Thread):
    """Starts Ray, and lives as long as Ray does: Linux kills Ray's processes when the thread that started them ends."""

    current: _Ray | None = None

    def __init__(self, address: str | None) -> None:
        super().__init__(daemon=True, name="ray")
        self.address = address
        self.folder = ""
        self.error: BaseException | None = None
        self.seconds = 0.0  # that the start took
        self.ready, self.over = threading.Event(), threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        try:
            self._connect()
        except BaseException as error:
            self.error = error
        self.seconds = time.monotonic() - began
        self.ready.set()
        self.over.wait()

    def _connect(self) -> None:
        if self.address is None:
            self.folder = temporary_folder()
            _start_workers_from_any_path()
        # Ray prints a message for each lost worker whatever `log_to_driver` says; its debugger's switch stops that.
        ray._private.worker._worker_logs_enabled = False
        ray.init(**init_options(self.address, self.folder))

    def complaint(self, reason: str) -> str:
        """The message about a start that does not end, with what Ray's logs say about it."""
        words = last_words(Path(self.folder, "session_latest", "logs")) if self.address is None else ELSEWHERE
        return f"Ray at {self.address or 'this machine'} {reason}" + (f"; {folded(words)}" if words else "")


def _start_workers_from_any_path() -> None:
    """Repair how Ray puts the command of a worker together, and leave the choice of Python to `init_options`.

    Ray quotes the command for Windows and then takes it apart as a POSIX shell does: a quote or a backslash in a path
    was lost. And under `uv run` it would start workers by another command, in a copy of the working folder.
    """
    quoting = SimpleNamespace(**{**vars(subprocess), "list2cmdline": shlex.join})
    setattr(ray._private.services, "subprocess", quoting)  # noqa: B010
    ray._private.ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False


def start(address: str | None) -> None:
    """Start a local Ray in the background, or join the cluster at `address`; returns at once. Idempotent."""
    if _Ray.current is None:
        os.environ.update(DRIVER_SWITCHES)
        _Ray.current = _Ray(address)
        _Ray.current.start()
        atexit.register(stop)


def wait(address: str | None) -> None:
    """Wait until Ray has started.

    Raises: SweepError if it does not, or takes longer than CONNECT_SECONDS.
    """
    start(address)
    current = _Ray.current
    assert current is not None
    in_time, error = current.ready.wait(CONNECT_SECONDS), current.error
    if in_time and error is None:
        return
    silence = f"has not {'answered' if address else 'started'} within {CONNECT_SECONDS:.0f} s"
    message = current.complaint(f"does not start: {one_line(error)}" if error else silence)
    stop(0.0)
    raise SweepError(message) from error


def seconds_for_a_worker() -> float:
    """What the start of Ray left of START_SECONDS, and at least half of them."""
    assert _Ray.current is not None
    return max(START_SECONDS - _Ray.current.seconds, START_SECONDS / 2)


def no_worker(seconds: float) -> str:
    """The message about a Ray that has started no worker for so long."""
    assert _Ray.current is not None
    return _Ray.current.complaint(f"has started no worker within {seconds:.0f} s")


def stop(patience: float = STOP_SECONDS) -> None:
    """Stop the local Ray, or leave the cluster, and remove Ray's temporary folder.

    A start that does not end within `patience` seconds is left to the end of this process, which Linux makes its end.
    """
    if (current := _Ray.current) is not None:
        _Ray.current = None
        if current.ready.wait(patience):
            ray.shutdown()
        current.over.set()
        if current.folder:
            shutil.rmtree(current.folder, ignore_errors=True)
