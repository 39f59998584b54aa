"""MLflow's pages on a store, served by a child process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from types import FrameType
from urllib.parse import urlsplit

from bench.paging import address
from bench.storage.store_uri import SERVERS

GRACE_SECONDS = 5.0  # for the server's processes to end by themselves


def check(uri: str, host: str, port: int) -> None:
    """Raise ValueError if the store is itself a server, or the server cannot listen at the address."""
    if urlsplit(uri).scheme in SERVERS:
        raise ValueError(f"store {uri}: a server shows its own pages; open that address")
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"host {host}, port {port}: the server cannot listen: {error}; --port takes another"
        ) from error


def ui(uri: str, host: str = "127.0.0.1", port: int = 5000) -> int:
    """Serve the store at `uri` until SIGINT or SIGTERM; returns 0, or 1 if the server ends by itself."""
    command = [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port)]
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": address(uri)}  # everybody sees the words of a command
    # One worker process instead of four; a group of its own, because the server does not end its own children.
    child = subprocess.Popen([*command, "--workers", "1"], start_new_session=True, env=environment)
    interrupted = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        os.killpg(child.pid, number)

    handlers = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        child.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _end_group(child)
    return 0 if interrupted else 1


def _end_group(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
