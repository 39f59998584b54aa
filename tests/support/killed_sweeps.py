"""Play a kill: start the drivers, hit what it names, run the same command again, and compare with an unbroken sweep."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from command_line import unforeseen
from killed_places import Place
from kills import Kill
from stored_figures import Figures, Stored

TRIALS = 6  # of the sweep
TRIES = 2  # of the same command after the kill: trials that lost their machine too often have failed, and are retried


@dataclass(frozen=True, kw_only=True)
class Unbroken:
    """A sweep that nothing breaks."""

    seconds: float
    figures: dict[str, Figures]  # by run key
    table: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a kill did. All figures but `before` must be 0."""

    kill: Kill
    before: int  # trials that were finished when everything had ended
    lost: int  # of those, or missing after the same command ran again
    repeated: int  # trials that are finished more than once
    overwritten: int  # trials whose figures are not those of the unbroken sweep
    running: int  # runs that nobody trains, yet are said to be running
    tracebacks: int  # and errors of one line that nobody foresaw
    hangs: int
    left: int  # processes that do not end, and folders in the temporary one that no next start removes
    tables: int  # 1 if the table is another

    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        faults = (self.lost, self.repeated, self.overwritten, self.running, self.tracebacks, self.hangs, self.left)
        return not any((*faults, self.tables))


def hit(place: Place, driver: int) -> None:
    """Send the signals to what the kill names, if it is there."""
    for number, name in enumerate(place.kill.signals):
        time.sleep(0.3 if number else 0.0)
        for process in targets(place, driver):
            with suppress(psutil.Error):
                process.send_signal(getattr(signal, name))


def targets(place: Place, driver: int) -> list[psutil.Process]:
    """The processes that are meant, of Ray's workers one; none if they have ended."""
    try:
        if place.kill.target == "driver":
            return [psutil.Process(driver)]
        if place.server is not None:
            root = psutil.Process(place.server.pid)
            return [root, *root.children(recursive=True)]
        return [p for p in psutil.Process(driver).children(recursive=True) if is_named(p, place.kill.target)][:1]
    except psutil.Error:
        return []


def is_named(process: psutil.Process, target: str) -> bool:
    """Whether it is a process of Ray's of that kind."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    if target == "worker":
        return bool(words) and words[0].startswith("ray::") and not words[0].endswith("Agent")
    return bool(words) and Path(words[0]).name == target


def play(kill: Kill, folder: Path, unbroken: Unbroken) -> Verdict:
    """Play a kill in a new folder."""
    place = Place(folder, kill)
    drivers = [place.sweep() for _ in range(kill.drivers)]
    time.sleep(kill.moment * unbroken.seconds)
    hit(place, drivers[0].pid)
    place.serve_again()
    for driver in drivers:
        place.ended(driver)
    before = place.stored()
    for _ in range(TRIES):
        if place.ended(place.sweep()) == 0:
            break
    return verdict(place, before, place.stored(), unbroken)


def verdict(place: Place, before: Stored, after: Stored, unbroken: Unbroken) -> Verdict:
    """What is there after the same command ran again, beside what was there before and what must be."""
    gone = {key for key, runs in before.finished.items() if not runs.keys() <= after.finished.get(key, {}).keys()}
    missing = unbroken.figures.keys() - after.finished.keys()
    others = [key for key, runs in after.finished.items() for run in runs.values() if run != unbroken.figures.get(key)]
    return Verdict(
        kill=place.kill,
        before=len(before.finished),
        lost=len(gone | missing),
        repeated=sum(len(runs) > 1 for runs in after.finished.values()),
        overwritten=len(set(others)),
        running=after.running,
        tables=int(place.table() != unbroken.table),
        tracebacks=unforeseen(place.output()),
        hangs=place.hangs,
        left=place.left_over(),
    )


def play_nothing(executor: str, store: str, folder: Path) -> Unbroken:
    """Such a sweep, with nothing killed."""
    nothing = Kill(number=-1, executor=executor, store=store, drivers=1, target="", signals=(), moment=0.0)
    place = Place(folder, nothing)
    began = time.monotonic()
    assert place.ended(place.sweep()) == 0, place.output()
    seconds = time.monotonic() - began
    figures = {key: run for key, runs in place.stored().finished.items() for run in runs.values()}
    table = place.table()
    assert len(figures) == TRIALS and place.left_over() == 0
    return Unbroken(seconds=seconds, figures=figures, table=table)
