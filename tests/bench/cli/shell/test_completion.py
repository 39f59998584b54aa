"""Completion, as a shell asks for it: commands, options and values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, environment

from bench.cli.cli import main
from bench.cli.presets import PRESETS
from bench.cli.shell.completion import INSTRUCTION
from bench.datasets import DATASETS
from bench.methods import METHODS
from bench.models import MODELS


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
        (["speed", "s"], ["step", "scoring"]),
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


def test_bash_takes_the_script(tmp_path: Path) -> None:
    """A real bash completes by it: the function is called as readline calls it."""
    program = tmp_path / "freeze-or-prune"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bench "$@"\n')
    program.chmod(0o755)
    script = subprocess.run([*COMMAND, "completion", "bash"], capture_output=True, text=True, env=environment())
    words = "COMP_WORDS=(freeze-or-prune run --preset snip-m); COMP_CWORD=3"
    call = "_freeze_or_prune_completion freeze-or-prune snip-m --preset"
    code = f"{script.stdout}\n{words}; {call}; echo ${{COMPREPLY[@]}}"
    path = {**environment(), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, env=path, timeout=60)
    assert (done.stdout, done.stderr) == ("snip-mnist\n", "")


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
