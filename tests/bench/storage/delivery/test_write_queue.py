"""The writer's queue: what waits is written together, and what cannot be written takes nothing else with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from bench.storage.delivery.write_queue import MOST, WriteQueue


class Written:
    """Where items are written: `one` and `together` say how. Nothing is written before `go` is set."""

    def __init__(self, bad: Sequence[int] = (), refuses: bool = False) -> None:
        self.bad, self.refuses = bad, refuses
        self.calls: list[int | list[int]] = []
        self.first, self.go = threading.Event(), threading.Event()

    def one(self, item: int) -> None:
        self.first.set()
        self.go.wait()
        if item in self.bad:
            raise OSError(f"no room for {item}")
        self.calls.append(item)

    def together(self, items: Sequence[int]) -> bool:
        if not set(self.bad).isdisjoint(items):
            raise OSError("no room")
        if not self.refuses:
            self.calls.append(list(items))
        return not self.refuses


def closed(written: Written, items: Sequence[int], gathers: bool = True) -> WriteQueue[int]:
    """A queue that took these items after one that was being written, and is closed."""
    queue = WriteQueue(written.one, written.together if gathers else None, pauses=())
    queue.put(0, 0)
    assert written.first.wait(60)
    for item in items:
        queue.put(item, item)
    written.go.set()
    queue.close()
    return queue


def test_what_waits_is_written_together_in_its_order() -> None:
    queue = closed(written := Written(), [3, 1, 2])
    assert written.calls == [0, [3, 1, 2]]
    assert queue.unwritten() == [] and queue.error is None


def test_an_item_that_comes_again_once_it_is_written_stops_nothing() -> None:
    written = Written()
    written.go.set()
    queue = WriteQueue(written.one, pauses=())
    for item in (0, 1, 1, 2):
        queue.put(item, item)
    queue.close()
    assert queue.unwritten() == [] and queue.error is None and written.calls[-1] == 2


def test_the_first_item_waits_for_no_other() -> None:
    written = Written()
    written.go.set()
    queue = WriteQueue(written.one, written.together, pauses=())
    queue.put(0, 0)
    assert written.first.wait(60)
    queue.close()
    assert written.calls == [0]


def test_no_more_than_so_many_at_once() -> None:
    closed(written := Written(), range(1, 2 * MOST + 2))
    assert [call if isinstance(call, int) else len(call) for call in written.calls] == [0, MOST, MOST, 2 * MOST + 1]


@pytest.mark.parametrize("refuses", [True, False], ids=["refused", "no such way"])
def test_one_by_one_where_nothing_is_written_together(refuses: bool) -> None:
    closed(written := Written(refuses=refuses), [1, 2, 3], gathers=refuses)
    assert written.calls == [0, 1, 2, 3]


def test_an_item_that_cannot_be_written_takes_none_before_it_along_and_is_named() -> None:
    """Nothing is written after it, as when it came alone: what follows may follow from it."""
    queue = closed(written := Written(bad=[2]), [1, 2, 3])
    assert written.calls == [0, 1] and queue.unwritten() == [2, 3]
    assert str(queue.error) == "no room for 2"
    with pytest.raises(OSError, match="no room for 2"):
        queue.put(4, 4)
    assert queue.unwritten() == [2, 3, 4]


def test_an_item_that_comes_twice_is_written_once() -> None:
    closed(written := Written(), [1, 2, 1])
    assert written.calls == [0, [1, 2]]
