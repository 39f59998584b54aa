"""MLflow's tracking server on a store of a test, started as often as it is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class TrackingServer:
    """Its address, and what starts and kills it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri, self.folder = f"http://127.0.0.1:{port}", folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        self.command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
        self.command += ["--artifacts-destination", f"{folder}/files"]

    def start(self) -> subprocess.Popen[bytes]:
        """Start it on the same store, and wait until it answers."""
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(self.command, cwd=self.folder, start_new_session=True, **silent)
        self.processes.append(process)
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return process
            assert process.poll() is None
            time.sleep(0.1)


@contextmanager
def tracking_server(folder: Path) -> Iterator[TrackingServer]:
    """One that is not started yet; all that were are killed at the end."""
    server = TrackingServer(folder)
    try:
        yield server
    finally:
        for process in server.processes:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a server with the workers that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
