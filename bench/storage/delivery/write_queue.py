"""A queue with one writer thread: results leave the critical path, and none is lost silently."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PAUSES = (0.5, 2.0, 5.0)  # seconds before each retry of a failed write


class WriteQueue(Generic[Item]):
    """Calls `write` with one item after another, in its own thread; keeps those that could not be written."""

    def __init__(self, write: Callable[[Item], None], pauses: tuple[float, ...] = PAUSES) -> None:
        self.error: Exception | None = None  # why the first item was not written; nothing is written after it
        self._write, self._pauses = write, pauses
        self._pending: dict[Hashable, Item] = {}
        self._queue: queue.SimpleQueue[Hashable] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="write-queue")
        self._thread.start()

    def put(self, key: Hashable, item: Item) -> None:
        """Have `item` written soon. Raises the error of an earlier item, if any; this one is kept all the same."""
        self._pending[key] = item
        self._queue.put(key)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Write the remaining items and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def unwritten(self) -> list[Item]:
        """The items that have not been written."""
        return list(self._pending.values())

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            if self.error is None:
                try:
                    retried(partial(self._write, self._pending[key]), self._pauses)
                    del self._pending[key]
                except Exception as error:
                    self.error = error


def retried(write: Callable[[], Result], pauses: Sequence[float] = PAUSES) -> Result:
    """What `write` returns; if it raises, it is called again after each pause."""
    for pause in pauses:
        try:
            return write()
        except Exception:
            time.sleep(pause)
    return write()
