"""A queue with one writer thread: results leave the critical path, and none is lost without a word."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

PAUSES = (0.5, 2.0, 5.0)  # seconds before a failed write is tried again


class Delivery(Generic[Item]):
    """Hands items one by one to `write`, in its own thread; keeps those that could not be written."""

    def __init__(self, write: Callable[[Item], None], pauses: tuple[float, ...] = PAUSES) -> None:
        self.error: Exception | None = None  # why the first item was not written; nothing is written after it
        self._write, self._pauses = write, pauses
        self._pending: dict[Hashable, Item] = {}
        self._queue: queue.SimpleQueue[Hashable] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="delivery")
        self._thread.start()

    def put(self, key: Hashable, item: Item) -> None:
        """Have `item` written soon. Raises the error of an earlier one, this one being kept all the same."""
        self._pending[key] = item
        self._queue.put(key)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def unwritten(self) -> list[Item]:
        """The items that are not in the store."""
        return list(self._pending.values())

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            if self.error is None:
                try:
                    repeated(partial(self._write, self._pending[key]), self._pauses)
                    del self._pending[key]
                except Exception as error:
                    self.error = error


def repeated(write: Callable[[], Made], pauses: Sequence[float] = PAUSES) -> Made:
    """What `write` returns, called again after each pause where it raised."""
    for pause in pauses:
        try:
            return write()
        except Exception:
            time.sleep(pause)
    return write()
