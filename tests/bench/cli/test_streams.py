"""Standard streams that are full, closed or gone: one line and exit code 2 where a result is lost, else nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import environment

COMMAND = f"{sys.executable} -m bench"
RUN = "run --executor local --offline kept"
ONE = "--methods freeze --rates 0.9 --seeds 1 --epochs 1 --no-dense"
LOST = "error: output: cannot be written: {}\n"


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, in which "bench" is the command."""
    line = line.replace("bench", COMMAND)
    return subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environment(), capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("bench list presets > /dev/full", 2, LOST.format("No space left on device")),
        ("bench list presets >&-", 2, LOST.format("Bad file descriptor")),
        ("ulimit -f 0; bench list presets > file", 2, LOST.format("File too large")),
        ("bench lst 2> /dev/full", 2, ""),
        ("bench lst 2>&-", 2, ""),
        ("bench list presets <&- 2>&- | head -1", 0, ""),
    ],
)
def test_a_stream_that_cannot_be_written(tmp_path: Path, line: str, code: int, said: str) -> None:
    process = shell(tmp_path, line)
    assert (process.returncode, process.stderr) == (code, said)
    assert not list(tmp_path.glob("mlflow*"))


def test_a_file_does_not_get_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """What a library prints would be written into it, as into the store."""
    code = (
        "from bench.cli import streams; streams.settle(); print(open('file', 'w').fileno(), file=open('number', 'w'))"
    )
    subprocess.run(["sh", "-c", f'{sys.executable} -c "$0" <&- >&- 2>&-', code], cwd=tmp_path, check=True)
    assert int((tmp_path / "number").read_text()) > 2


def test_a_key_that_is_pressed_twice(tmp_path: Path) -> None:
    """The second interrupt ends the process at once, and in no traceback."""
    arguments = f"{RUN} --epochs 4000 --rates 0.9 --seeds 3".split()
    process = subprocess.Popen(
        [*COMMAND.split(), *arguments], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while "9 to train" not in process.stderr.readline():
        assert process.poll() is None
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    said = process.stderr.read()
    assert process.wait(60) in (130, -signal.SIGINT)
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_sweep_goes_on_when_nobody_can_hear_it(tmp_path: Path) -> None:
    """Progress that cannot be printed, on a full disk, is no reason to lose a result; nor is a library's warning."""
    process = shell(tmp_path, f"PYTHONWARNINGS=error bench {RUN} {ONE} 2> /dev/full")
    assert (process.returncode, process.stderr) == (0, "")
    assert {path.suffix for path in (tmp_path / "kept").glob("*.*") if path.is_file()} == {".frz", ".jsonl"}


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """What was not written is not there, and the same command goes on once it can be."""
    limited = shell(tmp_path, f"ulimit -f 16; bench {RUN} {ONE}")
    assert "Traceback" not in limited.stderr
    assert limited.returncode == 2
    assert "File too large" in limited.stderr.splitlines()[-1]
    assert not list((tmp_path / "kept").glob("*.jsonl"))
    assert shell(tmp_path, f"bench {RUN} {ONE}").returncode == 0
    assert len(list((tmp_path / "kept").glob("*.jsonl"))) == 1
