"""What Ray's own logs say about a start that does not end. Imports no Ray."""

from __future__ import annotations

import re
from pathlib import Path

LOGS = ("raylet.err", "worker-*.err", "gcs_server.err", "raylet.out", "gcs_server.out")  # the most telling first
RAYS_ERROR = re.compile(r"\[[^]]*? [EFC] \d+ \d+\] ")  # "[2026-11-29 18:52:48,587 E 28259 28259] (raylet) ..."
ELSEWHERE = "the logs of its machines may say why (by default /tmp/ray/session_latest/logs/raylet.err)"


def last_words(folder: Path) -> str:
    """The last line of a log in `folder` that says what went wrong, behind the log's name; "" if there is none.

    What a program writes that Ray starts (a shell, Python) says more than what Ray writes about that program.
    """
    logs = [(log.name, _lines(log)) for pattern in LOGS for log in sorted(folder.glob(pattern))]
    by_programs = [(name, line) for name, lines in logs if name.endswith(".err") for line in lines if line[0] != "["]
    by_ray = [(name, line) for name, lines in logs for line in lines if RAYS_ERROR.match(line)]
    for written in (by_programs, by_ray):
        if written:
            first = written[0][0]
            return f"{first}: {[line for name, line in written if name == first][-1]}"
    return ""


def _lines(log: Path) -> list[str]:
    try:
        return [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return []
