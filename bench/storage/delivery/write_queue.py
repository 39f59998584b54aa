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
GATHER_SECONDS = 5.0  # between two writes: what comes meanwhile is written together
MOST = 100  # items that are written together


class WriteQueue(Generic[Item]):
    """Calls `write` with one item after another, in its own thread; keeps those that could not be written.

    Args: together: writes several items, all or none of them, and says whether it did; None = no item waits for others.
          What it does not write, or fails to, goes to `write` one by one: so an item that cannot be written takes no
          other with it, and is named.
    """

    def __init__(
        self,
        write: Callable[[Item], None],
        together: Callable[[Sequence[Item]], bool] | None = None,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self.error: Exception | None = None  # why the first item was not written; nothing is written after it
        self._write, self._together, self._pauses = write, together, pauses
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
        keys: list[Hashable] = [""]
        due = 0.0  # the first item waits for no others
        while keys[-1] is not None:
            keys = self._waiting(due)
            self._write_all([key for key in dict.fromkeys(keys) if key is not None])
            due = time.monotonic() + GATHER_SECONDS

    def _waiting(self, due: float) -> list[Hashable]:
        """The keys that have come by that moment of the monotonic clock, at least one; None = there will be no more."""
        keys = [self._queue.get()]
        most = 1 if self._together is None else MOST
        while keys[-1] is not None and len(keys) < most:
            try:
                keys.append(self._queue.get(timeout=max(due - time.monotonic(), 0.0)))
            except queue.Empty:
                break
        return keys

    def _write_all(self, some: Sequence[Hashable]) -> None:
        keys = [key for key in some if key in self._pending]  # one that came twice may be written already
        if self._at_once([self._pending[key] for key in keys]):
            for key in keys:
                del self._pending[key]
            return
        for key in keys:
            if self.error is None:
                try:
                    retried(partial(self._write, self._pending[key]), self._pauses)
                    del self._pending[key]
                except Exception as error:
                    self.error = error

    def _at_once(self, items: Sequence[Item]) -> bool:
        """Whether several items were written together; an error is that of one of them, which shows which one it is."""
        if self._together is None or len(items) < 2 or self.error is not None:
            return False
        try:
            return self._together(items)
        except Exception:
            return False


def retried(write: Callable[[], Result], pauses: Sequence[float] = PAUSES) -> Result:
    """What `write` returns; if it raises, it is called again after each pause."""
    for pause in pauses:
        try:
            return write()
        except Exception:
            time.sleep(pause)
    return write()
