"""The process that a run belongs to, and whether it is gone."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.canonical import canonical_json

EXPIRY_SECONDS = 900.0  # without a sign of life, an owner that cannot be looked for is taken to be gone
PROC = Path("/proc")  # where Linux tells of its processes


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process, and when it last gave a sign of life."""

    machine: str  # on which its number is meant: the host, since its last start, the process namespace
    process: int
    began: str  # when, in the machine's own clock, for a number is given again; "" if that is not told
    alive: float  # Unix time

    @classmethod
    def here(cls) -> Owner:
        """This process, alive now."""
        process = os.getpid()
        return cls(machine=_machine(), process=process, began=_began(process) or "", alive=time.time())

    @classmethod
    def of(cls, tag: str | None) -> Owner | None:
        """The owner that a run's tag names; None if it names none, as of earlier versions."""
        try:
            fields = json.loads(tag or "")
            alive, process = float(fields["alive"]), int(fields["process"])
            return cls(machine=str(fields["machine"]), process=process, began=str(fields["began"]), alive=alive)
        except (ValueError, TypeError, KeyError):
            return None

    def tag(self) -> str:
        """The value of the tag that names it."""
        return canonical_json(asdict(self))

    def is_this_process(self) -> bool:
        """Whether it is this very process."""
        here = Owner.here()
        return (self.machine, self.process, self.began) == (here.machine, here.process, here.began)

    def is_gone(self) -> bool:
        """Whether it has ended, as far as can be seen from here.

        On this machine it is looked for, so that a killed process counts as gone at once and a slow one never does.
        On another, of this very process, whose beat has then ended, or if the machine does not say when a process
        began, EXPIRY_SECONDS without a sign of life tell.
        """
        ended = self.has_ended()
        return time.time() - self.alive > EXPIRY_SECONDS if ended is None else ended

    def has_ended(self) -> bool | None:
        """Whether it is seen to have ended; None if it cannot be looked for from here, or is this very process."""
        if self.machine != _machine() or self.is_this_process():
            return None
        is_running = self._is_running()
        return None if is_running is None else not is_running

    def _is_running(self) -> bool | None:
        """Whether it runs; None if a process of its number does, of which the machine does not tell when it began."""
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it is another user's
            pass
        if (began := _began(self.process)) is None:
            return False
        return began == self.began if began and self.began else None


def _machine() -> str:
    return "/".join((platform.node(), *filter(None, (_boot(), _namespace()))))


def _boot() -> str:
    """Of this start of the machine, if it tells: after the next one the numbers are others'."""
    try:
        return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    """In which a process's number is meant: the containers of a host count on their own."""
    try:
        return str((PROC / "self" / "ns" / "pid").readlink())
    except OSError:
        return ""


def _began(process: int) -> str | None:
    """When a process began, "" if the machine does not tell; None if it has ended and is merely not collected yet."""
    try:
        state, *others = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return None if state in "ZX" else others[18]
