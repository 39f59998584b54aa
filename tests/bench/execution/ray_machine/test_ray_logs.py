"""What Ray's logs say about a start that does not end, in logs as Ray writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.execution.ray_machine.ray_logs import last_words

RAYS = "[2026-11-29 18:52:48,{} {} 28259 28259] (raylet) worker_pool.cc:660: {}"
SHELL = "bash: line 1: /home/me/My: No such file or directory"


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ({}, ""),
        ({"raylet.err": "\n", "raylet.out": RAYS.format(587, "I", "Started worker process")}, ""),
        ({"raylet.err": f"{SHELL}\n{RAYS.format(587, 'E', 'have not registered')}\n"}, f"raylet.err: {SHELL}"),
        ({"raylet.err": f"{SHELL}\nexec: not found\n", "worker-1.err": "Error: late"}, "raylet.err: exec: not found"),
        ({"worker-1.err": "Traceback:\n  a line\nImportError: no ray\n"}, "worker-1.err: ImportError: no ray"),
        (
            {"raylet.out": f"{RAYS.format(1, 'E', 'first')}\n{RAYS.format(2, 'E', 'last')}\n  a table\n"},
            f"raylet.out: {RAYS.format(2, 'E', 'last')}",
        ),
        ({"gcs_server.out": RAYS.format(3, "C", "Check failed"), "raylet.out": "7 tasks"},
         f"gcs_server.out: {RAYS.format(3, 'C', 'Check failed')}"),
        ({"worker-1.err": "caf\udce9"}, "worker-1.err: caf\ufffd"),
    ],
)  # fmt: skip
def test_the_line_that_says_why(tmp_path: Path, logs: dict[str, str], words: str) -> None:
    for name, text in logs.items():
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    assert last_words(tmp_path) == words
    assert last_words(tmp_path / "removed") == ""
