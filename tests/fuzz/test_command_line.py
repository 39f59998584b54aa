"""The command line, given whatever somebody may type: an answer, or one line and exit code 2, and nothing written."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

from command_line import called, unforeseen
from fuzzing import examples, peak_megabytes, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.cli.cli import cli
from bench.cli.presets import PRESETS
from bench.messages import visible
from bench.methods import METHODS

# What trains, serves, measures for long or would need the whole line of a sweep: those are tried by --print-config.
LEFT_OUT = ("ui", "speed", "completion")
NAMES = (
    "freeze", "snip", "digits", "mnist", "digits:classes=0-4", "lenet-300-100", "resnet20", "t", "github", "latex",
    "accuracy", "start", "test_accuracy", "main", "cpu", "ray", "local", "float32", "0.9", "0.5:0.99", "0.9:0.99:4",
    "5", "3:8", "1,4", "1", "0", "-1", "1e9", "1e-400", "nan", "inf", "0.9999999999999999999", "99999999999999999999",
    *METHODS, *PRESETS,
)  # fmt: skip
ODD = (
    "", " ", ",", ":", "=", "::", "a:b", "a=b", "@", "@0", "digits@9999", "folder:", "folder:/", "folder:.@8", "npz:.",
    "npz:/dev/null", "hf:", "torchvision:", "torchvision:MNIST", "timm:", "~", "~nobody-of-this-name/x", "/", ".", "..",
    "/dev/null", "/dev/full", "/proc/self/mem", "n" * 300, "é" * 200, "\udcff", "a\nb", "\x1b[31m", "<script>", "|",
    "`x`", "$(x)", "%s%n", "{}", "[]", "null", "snip:rounds=3", "snip:=", "freeze:scope=erk", "freeze:x", "9" * 400,
    "1:2:3:4", "0.5:0.4", "-0.1", "1.0", "٣", "²", "１", "0x10", "1_000", "+1", "1e5", "pretrained:",
    "pretrained:digits@x", "sqlite:///x", "s3://x#y", "file:///a#b", "postgresql://", "lr=0.1", "lr=", "lr=0.1,0.1",
    "every=1",
)  # fmt: skip
VALUES = st.sampled_from([*NAMES, *ODD]) | st.text(
    st.characters(blacklist_characters="\x00", blacklist_categories=("Cs",)), max_size=12
)
COMMANDS = {name: command for name, command in cli.commands.items() if name not in LEFT_OUT}


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command with options of its own and of others, and values of any kind."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    flags = sorted({flag for parameter in COMMANDS[name].params for flag in parameter.opts if flag.startswith("-")})
    words: list[str] = [draw(VALUES) for parameter in COMMANDS[name].params if not parameter.opts[0].startswith("-")]
    for _ in range(draw(st.integers(0, 4))):
        words.append(draw(st.sampled_from([*flags, *flags, *flags, "--nothing", "-", "--"])))
        words += [draw(VALUES)] if draw(st.integers(0, 9)) else []
    return [name, *words, *(["--print-config"] if name in ("run", "tune") else [])]


def test_any_line_is_answered_or_refused_in_one_line(tmp_path: Path) -> None:
    counts, before = {2: 0, 1: 0, 0: 0}, peak_megabytes()
    folders = (tmp_path / str(number) for number in count())  # a living process keeps what it has opened of a store

    @settings(
        max_examples=examples(60), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
        database=None,
    )  # fmt: skip
    @given(lines())
    def try_line(line: list[str]) -> None:
        (folder := next(folders)).mkdir()
        process = called(folder, *line)
        assert not unforeseen(process.stderr), (line, process.stderr)
        counts[process.returncode] += 1
        if process.returncode == 2:
            (said,) = process.stderr.split("\n")[:-1]
            assert said.startswith("error: ")
            assert said == visible(said)
        planned = line[0] == "plan" and process.returncode == 0  # a plan is in the store from then on
        assert [path.name for path in folder.iterdir()] == ["mlflow.db"] * planned
        shutil.rmtree(folder)

    try_line()
    record("command line", sum(counts.values()), counts[2], peak_megabytes() - before)
    assert counts[2] > counts[0]
