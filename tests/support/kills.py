"""Which process of a sweep is killed, how, and when: every scenario follows from its number and a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product

LATEST = 1.05  # the last moment, in durations of the sweep when nothing is killed


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One scenario: the sweep, what is hit, and when."""

    number: int
    executor: str  # "local", "ray" or "offline" (local, into an offline folder)
    store: str  # "sqlite", "server" or "folder"
    drivers: int  # how many start the same sweep at once
    target: str  # "driver", "worker", "raylet", "gcs_server" or "server"
    signals: tuple[str, ...]  # one after the other
    moment: float  # after the start, in durations of the sweep when nothing is killed

    def name(self) -> str:
        """In words."""
        signals, drivers = " and ".join(self.signals), f"{self.drivers} driver{'s' * (self.drivers > 1)}"
        return (
            f"{self.number}: {self.executor}, {self.store}, {drivers}: {signals} to {self.target} at {self.moment:.2f}"
        )


ONCE = (("SIGKILL",), ("SIGTERM",), ("SIGINT",))
SWEEPS = (("local", "sqlite"), ("offline", "folder"), ("ray", "sqlite"))
KINDS = [
    *((*sweep, drivers, "driver", signals)
      for sweep, drivers, signals in product(SWEEPS, (1, 3), (*ONCE, ("SIGINT", "SIGINT")))),
    *(("ray", "sqlite", drivers, "worker", signals) for drivers, signals in product((1, 3), ONCE)),
    *(("ray", "sqlite", drivers, target, signals)
      for drivers, target, signals in product((1, 3), ("raylet", "gcs_server"), ONCE[:2])),
    *((executor, "server", drivers, "server", signals)
      for executor, drivers, signals in product(("local", "ray"), (1, 3), ONCE[:2])),
]  # fmt: skip


def kill(number: int, seed: int) -> Kill:
    """The scenario of a number: the kinds in an order of the seed, again and again, each at another moment."""
    order = random.Random(seed).sample(KINDS, len(KINDS))
    executor, store, drivers, target, signals = order[number % len(order)]
    moment = LATEST * random.Random(f"{seed}/{number}").random()
    return Kill(
        number=number, executor=executor, store=store, drivers=drivers, target=target, signals=signals, moment=moment
    )
