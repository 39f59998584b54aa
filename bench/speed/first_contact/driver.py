"""The steps of the first contact one after another, each in a process, and what is known so far in one file."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.disk import write_whole
from bench.messages import folded, say

LEAST = 15.0  # seconds that a step needs at least


@dataclass(frozen=True, kw_only=True)
class Step:
    """One question."""

    work: str  # "module:function", which is given a scene
    seconds: float  # at most
    needs: tuple[str, ...] = ()  # packages, without which it is left out


STORING = ("pydantic", "constriction")  # a trained network is stored with
_HERE = "bench.speed.first_contact"
STEPS: dict[str, Step] = {
    "device": Step(work=f"{_HERE}.device:step", seconds=60),
    "parity": Step(work=f"{_HERE}.parity:step", seconds=110),
    "recording": Step(work=f"{_HERE}.recording:step", seconds=45),
    "shortage": Step(work=f"{_HERE}.shortage:step", seconds=60, needs=STORING),
    "grid": Step(work=f"{_HERE}.speeds:grid", seconds=110),
    "loop": Step(work=f"{_HERE}.speeds:loop", seconds=45),
    "packs": Step(work=f"{_HERE}.speeds:packs", seconds=150),
}


def carry_out(names: list[str], file: Path, minutes: float, arguments: list[str]) -> dict[str, Any]:
    """Take the steps of these names within so many minutes; after each, and while one runs, `file` has what is known.

    Args: arguments: of the processes, beside the step's own.
    """
    began = time.monotonic()
    known: dict[str, Any] = {"arguments": arguments, "steps": {}}
    for name in names:
        rest = 60 * minutes - (time.monotonic() - began)
        for outcome in _taken(name, min(STEPS[name].seconds, rest), arguments):
            known["steps"][name] = outcome
            known["seconds"] = round(time.monotonic() - began, 1)
            write_whole(file, f"{json.dumps(known, indent=1)}\n".encode())
        say(f"{name}: {known['steps'][name]['state']}")
    return known


def _taken(name: str, seconds: float, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """What a step came to, so far and at the end."""
    if missing := [package for package in STEPS[name].needs if importlib.util.find_spec(package) is None]:
        yield {"state": f"left out: needs {' and '.join(missing)}", "figures": {}}
        return
    if seconds < LEAST:
        yield {"state": "left out: no time left", "figures": {}}
        return
    with tempfile.TemporaryDirectory() as folder:
        part, log = Path(folder) / "part.json", Path(folder) / "log"
        command = [sys.executable, "-m", _HERE, "--step", name, "--json", str(part), "--seconds", str(seconds - 5)]
        with log.open("wb") as stream:
            process = subprocess.Popen([*command, *arguments], stdout=stream, stderr=stream)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
            yield {"state": "under way", "figures": _read(part)}
        yield {"state": _ended(process, log), "figures": _read(part)}


def _ended(process: subprocess.Popen[bytes], log: Path) -> str:
    if process.poll() is None:
        process.kill()
        process.wait()
        return "stopped at its time limit"
    if process.returncode:
        return f"failed: code {process.returncode}: {folded(log.read_text(errors='replace').splitlines()[-1:])}"
    return "done"


def _read(part: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(part.read_bytes()) if part.exists() else {}
    return figures


def is_right(known: dict[str, Any]) -> bool:
    """Whether every step that was taken came to its end, and nothing in it failed."""
    steps = known["steps"].values()
    ended = all(step["state"] == "done" or step["state"].startswith("left out") for step in steps)
    return ended and not any(name.startswith("failed") for step in steps for name in step["figures"])
