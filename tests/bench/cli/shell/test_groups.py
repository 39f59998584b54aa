"""The help in groups: every option in exactly one, a sentence and its default for each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import click
import pytest
from click.core import ParameterSource
from click.testing import CliRunner

from bench.cli.cli import cli
from bench.cli.shell.groups import HEADINGS, SECTIONS, GroupedOption, grouped_options

# Options that do nothing unless they are given, so that there is no default to show.
NOTHING = {"preset", "plugin", "tuned", "milestones", "json", "output"}


def commands() -> Iterator[tuple[str, click.Command]]:
    for name, command in cli.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {}
        yield from ((f"{name} {sub}", c) for sub, c in inner.items()) if inner else [(name, command)]


COMMANDS = dict(commands())


def help_of(name: str, width: int = 80) -> str:
    result = CliRunner().invoke(cli, [*name.split(), "--help"], terminal_width=width, max_content_width=width)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_one_group(name: str) -> None:
    options = [parameter for parameter in COMMANDS[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not isinstance(option, GroupedOption)] == []
    assert [option.name for option in grouped_options(COMMANDS[name]) if option.group not in HEADINGS] == []
    shown = help_of(name)
    sections = re.split(r"^(\S.*):$", shown, flags=re.MULTILINE)
    headings = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert set(headings) <= set(HEADINGS.values())
    for option in grouped_options(COMMANDS[name]):
        row = re.compile(rf"^  (-\w, )?--{option.long_name}[ \n]", re.MULTILINE)
        listed = [heading for heading, rows in headings.items() if row.search(rows)]
        assert listed == [HEADINGS[option.group]]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_a_sentence_and_its_default(name: str) -> None:
    for option in grouped_options(COMMANDS[name]):
        said = option.help or ""
        assert re.match(r"[A-Z].*[.\]]$", said), option.name
        hidden = option.default is None and "[default: " not in said and option.long_name not in NOTHING
        assert not hidden or option.required, f"--{option.long_name} of {name} has a default that nobody sees"


@pytest.mark.parametrize("name", ["run", "tune"])
def test_no_default_of_the_science_is_hidden(name: str) -> None:
    """What a trial gets without an option for it stands in the help."""
    context = cli.commands[name].make_context(name, [])
    records = dict(p.get_help_record(context) or ("", "") for p in grouped_options(cli.commands[name]))
    for option in grouped_options(cli.commands[name]):
        if option.group in SECTIONS and context.params.get(str(option.name)) not in (None, False, ()):
            assert context.get_parameter_source(str(option.name)) is ParameterSource.DEFAULT
            assert any("[default: " in text and f"--{option.long_name}" in flags for flags, text in records.items())


@pytest.mark.parametrize("width", [80, 120, 200])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    for name in COMMANDS:
        shown = help_of(name, width)
        assert max(map(len, shown.splitlines())) <= width
        assert "\x1b" not in shown  # as in a pipe
        assert not re.search(r"^  [A-Z{]\S+$", shown, re.MULTILINE)  # an argument, of which nothing is said


def test_the_commands_stand_in_their_order_and_sections() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    headings = re.findall(r"^(\w+):$", shown, re.MULTILINE)
    assert headings == ["Options", "Train", "Show", "Store", "Networks", "Shell", "Speed"]
    assert re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE) == list(cli.commands)
    assert "..." not in shown.replace("[ARGS]...", "")  # no sentence is cut


def test_headings_are_bold_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = CliRunner().invoke(cli, ["run", "--help"], color=True).output
    assert f"\x1b[1m{HEADINGS['machine']}\x1b[0m:" in coloured
    assert os.linesep == "\n"
