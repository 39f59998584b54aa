"""A sign of life that an owner writes every minute."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

LAST_SECONDS = 2.0  # the longest wait for a beat that is under way: a server that is gone keeps it for minutes
BEAT_SECONDS = 60.0  # far below owner.EXPIRY_SECONDS, so that a store out of reach for minutes changes nothing


class Heartbeat:
    """Calls `beat` every BEAT_SECONDS in a thread of its own, until it is closed.

    A beat that fails is left out: what cannot be stored is the concern of who writes results.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat, self._closed = beat, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="heartbeat")
        self._thread.start()

    def close(self) -> None:
        """Stop; after this no beat begins."""
        self._closed.set()
        self._thread.join(LAST_SECONDS)

    def _work(self) -> None:
        while not self._closed.wait(BEAT_SECONDS):
            with contextlib.suppress(Exception):
                self._beat()
