"""Ctrl-C and SIGTERM on a terminal: the screen is clean, one line says what is kept, the exit code is as ever."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
from command_line import COMMAND, environment

SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"
RUN = ("run", "--executor", "local", "--offline", "kept", "--epochs", "400", "--rates", "0.9", "--seeds", "3")


def on_a_terminal(folder: Path, columns: int, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """The command on a pseudo-terminal, its controlling one; and our end of it."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment() | {"TERM": "xterm"}, stdin=theirs, stdout=theirs,
        stderr=theirs, start_new_session=True, preexec_fn=lambda: os.close(os.open(os.ttyname(1), os.O_RDWR)),
    )  # fmt: skip
    os.close(theirs)
    return process, ours


def seen(ours: int, until: str, seconds: float = 120.0) -> str:
    """What the terminal is sent until a pattern is in it, or to its end."""
    text, deadline = "", time.monotonic() + seconds
    while time.monotonic() < deadline and not (until and re.search(until, text)):
        if select.select([ours], [], [], 0.2)[0]:
            try:
                data = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            text += data.decode(errors="replace")
    return text


def screen(text: str) -> list[str]:
    """The lines of a terminal that was sent this: carriage returns, erasures and moves upwards are carried out."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]", text):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif re.fullmatch(r"\x1b\[(2?)K", token):
            lines[row] = "" if "2" in token else lines[row][:column]
        elif up := re.fullmatch(r"\x1b\[(\d*)A", token):
            row = max(0, row - int(up[1] or 1))
        elif token[0] != "\x1b":
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + 1 :]
            column += 1
    return lines


@pytest.mark.parametrize(("number", "code", "columns"), [("SIGINT", 130, 80), ("SIGTERM", -signal.SIGTERM, 200)])
def test_an_interrupt_leaves_a_clean_screen(tmp_path: Path, number: str, code: int, columns: int) -> None:
    process, ours = on_a_terminal(tmp_path, columns, *RUN)
    before = seen(ours, r"[1-9]\d* ?running,[^\n]*\d:\d\d left")
    assert HIDE in before and "importing torch, reading the data…" in before
    if number == "SIGINT":
        os.write(ours, b"\x03")  # as the key does
    else:
        process.send_signal(signal.SIGTERM)
    after = seen(ours, "")
    assert process.wait(60) == code
    os.close(ours)
    assert after.rfind(SHOW) > after.rfind(HIDE)
    lines = screen(before + after)
    assert lines[0] == "grid: 2 methods × 1 rate × 3 seeds + dense × 3 seeds = 9 trials"
    kept = r"interrupted; \d trials? kept, \d left; the same command goes on from here"
    assert re.fullmatch(kept, lines[2]), lines
    assert set(lines[3:]) == {""}
