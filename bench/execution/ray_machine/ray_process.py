"""Ray itself: a local one started in the background, or a cluster joined; awaited, and stopped."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import ray

from bench.execution.ray_machine.patience import LOOK_SECONDS, Patience, signs_of, silence
from bench.execution.ray_machine.ray_logs import ELSEWHERE, last_words
from bench.execution.ray_machine.ray_options import DRIVER_SWITCHES, init_options, temporary_folder
from bench.execution.ray_machine.ray_token import Token, check_token
from bench.messages import folded, one_line, say
from bench.storage.ownership.working_folder import remove_abandoned
from bench.trial.result import SweepError

STOP_SECONDS = 10.0  # to wait for a start that is interrupted, so that it leaves nothing behind


class _Ray(threading.Thread):
    """Starts Ray, and lives as long as Ray does: Linux kills Ray's processes when the thread that started them ends."""

    current: _Ray | None = None

    def __init__(self, address: str | None) -> None:
        super().__init__(daemon=True, name="ray")
        self.address = address
        self.folder: Path | None = None
        self.token: Token | None = None
        self.error: BaseException | None = None
        self.ready, self.over = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            self._connect()
        except BaseException as error:
            self.error = error
        self.ready.set()
        self.over.wait()

    def _connect(self) -> None:
        if self.address is None:
            self.folder = temporary_folder()
            self.token = Token(self.folder)
            _start_workers_from_any_path()
        else:
            check_token(self.address)
        # Ray prints a message for each lost worker whatever `log_to_driver` says; its debugger's switch stops that.
        ray._private.worker._worker_logs_enabled = False
        ray.init(**init_options(self.address, self.folder))

    @property
    def logs(self) -> Path:
        """The folder of the logs of a local Ray, which may not be there yet."""
        return (self.folder or Path()) / "session_latest" / "logs"

    def patience(self) -> Patience:
        """How long the start is waited for. A cluster shows no progress until it answers."""
        return Patience(lambda: 0 if self.folder is None else signs_of(self.logs))

    def complaint(self, reason: str) -> str:
        """The message about a start that does not end, with what Ray's logs say about it."""
        words = last_words(self.logs) if self.address is None else ELSEWHERE
        advice = "" if self.address else "; --executor local trains without Ray"
        return f"Ray at {self.address or 'this machine'} {reason}" + (f"; {folded(words)}" if words else "") + advice


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
    """Wait until Ray has started. A local one is started once more if Ray gives up, which it does on a busy machine.

    Raises: SweepError if it does not start, or shows no progress for START_SECONDS.
    """
    try:
        _wait(address)
    except SweepError as error:
        if address or error.__cause__ is None:  # still starting: a second one in this process would meet the first
            raise
        say(f"{error}; it is tried once more")
        _wait(address)


def _wait(address: str | None) -> None:
    start(address)
    current = _Ray.current
    assert current is not None
    clock = current.patience()
    while not (ready := current.ready.wait(LOOK_SECONDS)) and not clock.is_over():
        pass
    error = current.error
    if ready and error is None:
        return
    if isinstance(error, SweepError):  # which says all
        message = str(error)
    else:
        still = f"has not {'answered' if address else 'started'}: {silence()}"
        message = current.complaint(f"does not start: {one_line(error)}" if error else still)
    stop(0.0)
    raise SweepError(message) from error


def patience_for_a_worker() -> Patience:
    """How long Ray, which has started, is waited for until a worker is up."""
    assert _Ray.current is not None
    return _Ray.current.patience()


def no_worker() -> str:
    """The message about a Ray that starts no worker."""
    assert _Ray.current is not None
    return _Ray.current.complaint(f"has started no worker: {silence()}")


def stop(seconds: float = STOP_SECONDS) -> None:
    """Stop the local Ray, or leave the cluster, and remove Ray's temporary folder.

    A start that does not end within so many seconds is left to the end of this process, which Linux makes its end.
    """
    if (current := _Ray.current) is not None:
        _Ray.current = None
        if current.ready.wait(seconds):
            ray.shutdown()
        current.over.set()
        if current.token is not None:
            current.token.forget()
        if current.folder is not None:
            shutil.rmtree(current.folder, ignore_errors=True)
            remove_abandoned(current.folder.parent)  # of a killed one, whose last processes had not ended at the start
