"""An SQLite store with damage anywhere: every command ends with one line at the most, never with a traceback.

More of them: `python tests/bench/storage/test_damaged_database.py NUMBER SEED` prints how many ended how.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from command_line import called, unforeseen
from small_store import Store
from trial_frames import spec_of

COMMANDS = (
    ["table"], ["list", "trials"], ["list", "candidates"], ["power"], ["export", "0123", "-o", "a.frz"], ["narrow"],
    ["report", "-o", "a.md"], ["import", "kept"],
    ["run", "--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--executor", "local", "--dry-run", "--tuned"],
)  # fmt: skip


def whole(folder: Path) -> bytes:
    """The file of a store with a few trials."""
    store = Store(folder / "mlflow.db")
    for method in ("snip", "freeze"):
        for seed in range(3):
            store.add(spec_of(method, "0.9", seed), method, 0.9)
    return (folder / "mlflow.db").read_bytes()


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The file cut somewhere, or with a run of other bytes in one place or in several."""
    if draw.random() < 0.25:
        return data[: draw.randrange(1, len(data))]
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 3, 30])):
        start = draw.choice([draw.randrange(100), draw.randrange(len(data))])
        length = min(draw.choice([1, 4, 100, 4096]), len(data) - start)
        changed[start : start + length] = draw.choice([draw.randbytes(length), bytes(length), b"\xff" * length])
    return bytes(changed)


def tried(number: int, seed: int, folder: Path) -> Counter[str]:
    """How the commands ended, one for each of so many damaged stores."""
    data, draw, ends = whole(folder), random.Random(seed), Counter[str]()
    for index in range(number):
        (folder / "mlflow.db").write_bytes(damaged(data, draw))
        for suffix in ("-wal", "-shm", "-journal"):
            (folder / f"mlflow.db{suffix}").unlink(missing_ok=True)
        done = called(folder, *COMMANDS[index % len(COMMANDS)], XDG_STATE_HOME=str(folder / "state"))
        assert "Traceback" not in done.stdout + done.stderr, (index, seed, done)
        ends["unforeseen" if unforeseen(done.stderr) else f"exit {done.returncode}"] += 1
        if unforeseen(done.stderr):
            print(index, done.args, done.stderr, file=sys.stderr)
    return ends


def test_no_command_ends_in_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.storage.database.SETTLE_SECONDS", 0.0)
    (tmp_path / "kept").mkdir()
    ends = tried(30, 17, tmp_path)
    assert ends.total() == 30 and ends["unforeseen"] == 0, ends


if __name__ == "__main__":
    from bench.storage import database

    database.SETTLE_SECONDS = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "kept").mkdir()
        print(dict(tried(int(sys.argv[1]), int(sys.argv[2]), Path(temporary))))
