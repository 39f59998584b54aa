"""Which of several commands trains a trial that all of them lack, in any store: Lamport's bakery.

Each command posts a notice on a board that all can read: first that it is choosing, then its ticket, one above all that
it saw. A trial belongs to the living command of lowest ticket among those that name it; of equal tickets, by identity.
No step must be atomic: whoever takes a ticket without having seen another's is waited for while it chooses.
(Leslie Lamport, A new solution of Dijkstra's concurrent programming problem, Communications of the ACM 17, 1974.)
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.messages import said_if_slow
from bench.storage.ownership.owner import Owner

CHOOSING = 0  # in the place of a ticket, which is at least 1
POLL_SECONDS = 0.1  # between two looks at who is choosing
CHOOSING_SECONDS = 60.0  # the longest wait for one: it may be stopped


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a command posts."""

    id: str  # tells apart those of equal tickets
    name: str  # of its sweep
    ticket: int
    owner: Owner

    @property
    def words(self) -> str:
        """Who it is."""
        return f"sweep {self.name} of process {self.owner.process} on {self.owner.machine.partition('/')[0]}"


class Board(Protocol):
    """Where the notices of one store are."""

    @property
    def id(self) -> str:
        """Of this command's own notice."""

    def post(self, ticket: int) -> None:
        """Post this command's notice, or change its ticket; the trials that it names are there before it is."""

    def others(self) -> Sequence[Notice]:
        """The notices of other commands, of which none is gone."""

    def run_keys(self, notice: Notice, mine: Collection[str]) -> Collection[str]:
        """Those of these trials that another command names."""


class Claims:
    """This command's claim to the trials that it names on a board."""

    def __init__(self, board: Board, run_keys: Collection[str]) -> None:
        """Take a ticket for these trials; waits for commands that take one at this moment."""
        self._board, self._mine = board, run_keys
        self._theirs = dict[str, Collection[str]]()  # identity of a notice -> those of our trials that it names
        while not self._chosen():
            pass
        latest = time.monotonic() + CHOOSING_SECONDS
        with said_if_slow("waiting for another command, which is just beginning"):
            while time.monotonic() < latest and any(notice.ticket == CHOOSING for notice in board.others()):
                time.sleep(POLL_SECONDS)

    def _chosen(self) -> bool:
        """Take a ticket; whether that was fast enough: who was stopped meanwhile is waited for no longer."""
        began = time.monotonic()
        self._board.post(CHOOSING)
        self._ticket = 1 + max((notice.ticket for notice in self._board.others()), default=0)
        self._board.post(self._ticket)
        return time.monotonic() - began < CHOOSING_SECONDS / 2

    def holders(self) -> Mapping[str, Notice]:
        """Run key -> who has it, of the trials of this command that others train first."""
        held: dict[str, Notice] = {}
        for notice in sorted(self._board.others(), key=_place):
            if notice.ticket != CHOOSING and _place(notice) < (self._ticket, self._board.id):
                for key in self._keys(notice):
                    held.setdefault(key, notice)
        return held

    def _keys(self, notice: Notice) -> Collection[str]:
        """Read once: what a notice names does not change."""
        if notice.id not in self._theirs:
            self._theirs[notice.id] = self._board.run_keys(notice, self._mine)
        return self._theirs[notice.id]


def _place(notice: Notice) -> tuple[int, str]:
    return notice.ticket, notice.id
