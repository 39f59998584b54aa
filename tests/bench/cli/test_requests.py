"""From the command line to a typed request: one more option is one field, and what is behind sees no mapping."""

from __future__ import annotations

import ast
import dataclasses
import os
import sys
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest
from requests_of import asked, asked_of_run

import bench
from bench import __version__
from bench.cli.cli import cli, main
from bench.cli.options import argument, option, takes
from bench.cli.requests import networks, plan, shell, speed, store, sweep
from bench.cli.requests.store import PowerRequest, TableRequest
from bench.cli.requests.sweep import RunRequest, TuneRequest

BORDER = ("cli/options.py", "cli/protocol_options.py")
REQUESTS = [
    value
    for module in (sweep, plan, store, networks, speed, shell)
    for value in vars(module).values()
    if dataclasses.is_dataclass(value) and isinstance(value, type)
]


@dataclass(frozen=True, kw_only=True)
class LongerRequest(RunRequest):
    """`run` with one option more."""

    patience: int | None = option("--patience", "Epochs without progress.", type=int, before="rates")
    colour: str = option("--colour", "Of the bar.", default="red")


def test_one_more_field_is_one_more_option(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[LongerRequest] = []

    @takes(LongerRequest)
    def run(request: LongerRequest) -> int:
        taken.append(request)
        return 0

    command = click.command()(run)
    assert command.main(["--patience", "3", "--epochs", "7"], standalone_mode=False) == 0
    (request,) = taken
    assert (request.patience, request.colour, request.rates) == (3, "red", "0.9:0.995")
    assert request.protocol["epochs"] == 7 and "patience" not in request.protocol
    command.main(["--help"], standalone_mode=False)
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  --")]
    assert lines[:3] == ["--methods", "--patience", "--rates"]
    assert lines.index("--colour") + 1 == lines.index("--epochs") == lines.index("--tuned") + 2
    with pytest.raises(click.BadParameter, match="'many' is not a valid integer"):
        command.main(["--patience", "many"], standalone_mode=False)


def test_help_shows_a_default_that_says_something(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Request:
        file: Path = argument(type=click.Path(path_type=Path))  # noqa: RUF009
        a: float = option("--a", "A.", default=0.5)
        b: str = option("--b", "B.", default="")
        c: bool = option("--c", "C.", default=False, is_flag=True)
        d: tuple[str, ...] = option("--d", "D.", short="-d", default=(), multiple=True)

    taken: list[Request] = []
    command = click.command()(takes(Request)(lambda request: taken.append(request) or 0))
    command.main(["x", "-d", "1", "-d", "2"], standalone_mode=False)
    assert taken == [Request(file=Path("x"), a=0.5, b="", c=False, d=("1", "2"))]
    command.main(["--help"], standalone_mode=False)
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[3:7]]
    assert shown == ["--a FLOAT A. [default: 0.5]", "--b TEXT B.", "--c C.", "-d, --d TEXT D."]


def test_requests_are_frozen_and_have_defaults() -> None:
    assert asked(TableRequest, "table") == TableRequest()
    assert asked(PowerRequest, "power", "--alpha", "0.1") == PowerRequest(alpha=0.1)
    assert dataclasses.replace(asked_of_run(), protocol={}) == RunRequest()
    assert dataclasses.replace(asked(TuneRequest, "tune"), protocol={}) == TuneRequest()
    with pytest.raises(FrozenInstanceError):
        asked_of_run().rates = "0.5"  # type: ignore[misc]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.__name__)
def test_every_default_is_of_the_type_of_its_field(request_: Any) -> None:
    hints = get_type_hints(request_)
    for field in dataclasses.fields(request_):
        if field.default is not dataclasses.MISSING:
            hint = hints[field.name]
            if field.default is None:
                assert type(None) in get_args(hint), field.name
                continue
            field_type = getattr(hint, "__origin__", hint)
            choices = hint.__args__ if "Literal" in str(field_type) else None
            assert field.default in choices if choices else isinstance(field.default, field_type), field.name


def test_every_command_takes_a_request() -> None:
    """The names of a command's parameters are those of its request's fields, and of the protocol's options."""
    speed_group = cli.commands["speed"]
    assert isinstance(speed_group, click.Group)
    assert sorted(speed_group.commands) == ["limits", "masks", "packs", "scoring", "step", "store", "trials"]
    for name in sorted({*cli.commands} - {"speed", "run", "tune", "plan"}):
        (request,) = [r for r in REQUESTS if r.__name__.lower() == f"{name}request"]
        assert {p.name for p in cli.commands[name].params} == {field.name for field in dataclasses.fields(request)}


def uses(path: Path) -> list[int]:
    """The lines of a file on which something is taken from `options`, or a function is given `options`."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "options":
            lines.append(node.lineno)
        if isinstance(node, ast.arg) and node.arg == "options":
            lines.append(node.lineno)
    return lines


def test_no_module_behind_the_border_sees_the_options(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def a(options):\n    return options['b']\n")
    assert uses(wrong) == [1, 2]
    root = Path(bench.__file__).parent
    paths = [Path(folder) / name for folder, _, names in os.walk(root, followlinks=True) for name in names]
    files = [path for path in paths if path.suffix == ".py" and str(path.relative_to(root)) not in BORDER]
    assert root / "results" / "frame" / "collect.py" in files and root / "cli" / "run.py" in files
    assert {str(path): lines for path in files if (lines := uses(path))} == {}


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("/usr/bin/freeze-or-prune", "freeze-or-prune"),
        ("bench/__main__.py", "python -m bench"),
        ("-c", "python -m bench"),
    ],
)
def test_the_usage_names_the_command_that_was_called(
    program: str, called: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert main(["speed", "masks", "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {called} speed masks [OPTIONS]\n")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"freeze-or-prune {__version__}\n"
