"""MLflow's pages on a store, served by a child process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from types import FrameType

from bench.paging import address
from bench.storage.mlflow_pages import local_address

GRACE_SECONDS = 5.0  # for the server's processes to end by themselves
POLL_SECONDS = 0.2  # between two questions whether the server answers


def check(host: str, port: int) -> None:
    """Raise ValueError if no server can listen at the address."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"host {host}, port {port}: the server cannot listen: {error}; --port takes another"
        ) from error


def ui(uri: str, host: str, port: int, on_answer: Callable[[], None]) -> int:
    """Serve the store at `uri` until SIGINT or SIGTERM; returns 0, or 1 if the server ends by itself.

    Args: on_answer: called once, as soon as the server answers.
    """
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
        if _answers(child, f"{local_address(host, port)}/health"):
            on_answer()
        child.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _end_group(child)
    return 0 if interrupted else 1


def _answers(child: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until there is an answer; False if the server ends first."""
    while child.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=POLL_SECONDS * 10):
                return True
        except urllib.error.HTTPError:
            return True
        except (OSError, HTTPException):
            time.sleep(POLL_SECONDS)
    return False


def _end_group(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(GRACE_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
