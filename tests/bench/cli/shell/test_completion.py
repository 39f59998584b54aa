"""Completion, as a shell asks for it: commands, options and values."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import COMMAND, environment

from bench.cli.cli import main
from bench.cli.presets import PRESETS
from bench.cli.shell.completion import INSTRUCTION
from bench.datasets import DATASETS
from bench.methods import METHODS
from bench.models import MODELS

SECONDS = 120.0  # for a shell to start or to complete, on a busy machine


def completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, shell: str = "bash"
) -> list[str]:
    """What the last of these words may become."""
    monkeypatch.setenv(INSTRUCTION, f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["freeze-or-prune", *words]))
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words)))
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return [line.partition(",")[2] for line in out.splitlines()] if shell == "bash" else out.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ta"], ["table"]),
        (["speed", "s"], ["step", "scoring", "store"]),
        (["run", "--cpus"], ["--cpus-per-trial"]),
        (["run", "--methods", "snip,free"], ["snip,freeze"]),
        (["run", "--methods", "freeze,snip,sni"], ["freeze,snip,snip-freeze", "freeze,snip,snip-prune"]),
        (["run", "--rates", "0.9,0.99"], ["0.9,0.99", "0.9,0.995", "0.9,0.998", "0.9,0.999"]),
        (["run", "--model", "lenet-3"], ["lenet-300-100"]),
        (["run", "--dataset", "fash"], ["fashion-mnist"]),
        (["run", "--dataset", "cifar10:"], ["cifar10:classes="]),
        (["list", "model", "resnet20", "--dataset", "svhn:cl"], ["svhn:classes="]),
        (["run", "--start", "s"], ["scratch"]),
        (["run", "--start", "pretrained:fash"], ["pretrained:fashion-mnist"]),
        (["run", "--preset", "snip-"], ["snip-mnist", "snip-cifar10"]),
        (["run", "--initialiser", "xavier-n"], ["xavier-normal"]),
        (["run", "--schedule", "c"], ["cosine", "constant"]),
        (["tune", "--step", ""], ["auto", "dense", "sparse"]),
        (["table", "--metric", "test_accuracy_best"], ["test_accuracy_best_validation"]),
        (["table", "--reference", "grasp-"], ["grasp-freeze", "grasp-prune"]),
        (["table", "--part", "d"], ["difference", "dense"]),
        (["list", "pre"], ["presets"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["run", "--config", "none.toml", "--mod"], ["--model"]),
    ],
)
def test_bash(
    words: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed(monkeypatch, capsys, *words) == expected


@pytest.mark.parametrize(
    ("flag", "table"), [("methods", METHODS), ("model", MODELS), ("dataset", DATASETS), ("preset", PRESETS)]
)
def test_every_name_of_a_table_is_offered(
    flag: str, table: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed(monkeypatch, capsys, "run", f"--{flag}", "") == list(table)


def test_zsh_and_fish_ask_in_their_own_ways(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed(monkeypatch, capsys, "run", "--optimizer", "s", shell="zsh") == ["plain", "sgd", "_"]
    assert completed(monkeypatch, capsys, "run", "--optimizer", "s", shell="fish") == ["plain,sgd"]


def test_the_scripts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        out, err = capsys.readouterr()
        assert err == "" and INSTRUCTION in out and f"{shell}_complete" in out and "freeze-or-prune" in out
    assert main(["completion", "tcsh"]) == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in capsys.readouterr().err


# Shell -> its start, with FILE for what it reads first, and how it is told to show a prompt.
SHELLS = {
    "bash": ("bash --noprofile --rcfile FILE -i", "PS1='READY> '"),
    "zsh": ("zsh -f -i -s", "PS1='READY> '"),
    "fish": ("fish --no-config -i -C 'source FILE'", "function fish_prompt; echo 'READY> '; end"),
}
BEFORE = {"zsh": "autoload -Uz compinit; compinit -D -u"}  # as a .zshrc has it


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(shell: str, tmp_path: Path) -> None:
    """A terminal in which the script was read: the word is completed as Tab is pressed, and the line is then run."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program, ran = tmp_path / "freeze-or-prune", tmp_path / "ran"
    program.write_text(
        f'#!/bin/sh\nif [ "${INSTRUCTION}" ]; then exec {sys.executable} -m bench; fi\n'
        f'echo "$@" > {ran}.new && mv {ran}.new {ran}\n'
    )
    program.chmod(0o755)
    script = subprocess.run([*COMMAND, "completion", shell], capture_output=True, text=True, env=environment())
    start, prompt = SHELLS[shell]
    file = tmp_path / "start"
    file.write_text(f"{BEFORE.get(shell, '')}\n{script.stdout}\n{prompt}\n")
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "xterm"}
    with terminal(shlex.split(start.replace("FILE", str(file))), {**environment(), **path}) as screen:
        if shell == "zsh":
            os.write(screen, f"source {file}\n".encode())
        wait_for(screen, b"READY> ")
        os.write(screen, b"freeze-or-prune run --preset snip-m\t\n")
        wait_for(screen, b"", ran)
    assert ran.read_text() == "run --preset snip-mnist\n"


@contextmanager
def terminal(command: list[str], variables: dict[str, str]) -> Iterator[int]:
    """A program on a terminal of its own: the end at which its user types and reads."""
    pid, screen = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, variables)
    try:
        yield screen
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(screen)


def wait_for(screen: int, words: bytes, file: Path | None = None) -> None:
    """Read what the program shows until it has these words, and until the file is there."""
    shown, end = b"", time.monotonic() + SECONDS
    while words not in shown or (file is not None and not file.exists()):
        assert time.monotonic() < end, shown
        if select.select([screen], [], [], 0.1)[0]:
            shown += os.read(screen, 4096)


def test_completion_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from bench.cli.cli import main; assert main([]) == 0;"
        "print([m for m in ('torch', 'ray', 'mlflow', 'pandas', 'sklearn') if m in sys.modules])"
    )
    asked = {INSTRUCTION: "bash_complete", "COMP_WORDS": "freeze-or-prune run --methods fr", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment() | asked, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
