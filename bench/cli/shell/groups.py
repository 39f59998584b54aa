"""The groups of options: an option says its own where it is declared, and the help shows them one after the other.

click's own formatter writes them: a library that draws boxes would change what pipes and `grep` get.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import click

from bench.messages import nearest, one_of

# In this order in the help. The first five are also the sections of a config file.
Group = Literal["what", "protocol", "machine", "store", "speed", "statistics", "output", "command"]
HEADINGS: dict[str, str] = {
    "what": "What",
    "protocol": "Protocol (how a trial is trained; every value is part of its run key)",
    "machine": "Machine (where it runs)",
    "store": "Store (where data and results lie)",
    "speed": "Speed (how it is computed)",
    "statistics": "Statistics",
    "output": "Output",
    "command": "This command",
}
WHOLE = 1_000  # characters of a help text
SECTIONS: tuple[Group, ...] = get_args(Group)[:5]


class GroupedOption(click.Option):
    """An option of a group; "" = of none yet, which a test finds."""

    def __init__(self, *arguments: Any, group: str = "", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.group = group

    @property
    def long_name(self) -> str:
        """Its name without dashes: "cpus-per-trial", and "dense" of --dense/--no-dense."""
        return next(flag for flag in self.opts if flag.startswith("--")).removeprefix("--")


class GroupedCommand(click.Command):
    """A command whose help shows its options in groups, in a section of the list of commands."""

    def __init__(self, *arguments: Any, section: str = "Commands", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, with a section for each group."""
        records: dict[str, list[tuple[str, str]]] = {group: [] for group in (*HEADINGS, "")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):  # which the usage shows
                records[getattr(parameter, "group", "command")].append(record)  # --help is click's own
        for group, rows in records.items():
            write_section(formatter, HEADINGS.get(group, "Options"), rows)


class SectionedGroup(click.Group):
    """Commands in the order of their declaration, under the headings of their sections."""

    def __init__(self, *arguments: Any, section: str = "Commands", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As click's, which sorts them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; an unknown name is told with the known ones."""
        if args[0] not in self.commands and not ctx.resilient_parsing and args[0][:1].isalnum():
            raise click.UsageError(nearest("command", args[0], list(self.commands)), ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; without a command, it is told which there are."""
        if not args and not ctx.resilient_parsing:
            raise click.UsageError(f"no command: {one_of(list(self.commands))}; see `{ctx.command_path} --help`", ctx)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's, with a section for each heading, and the whole first sentence of every command."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            rows = sections.setdefault(getattr(command, "section", "Commands"), [])
            rows.append((name, command.get_short_help_str(WHOLE)))
        for heading, rows in sections.items():
            write_section(formatter, heading, rows)


def write_section(formatter: click.HelpFormatter, heading: str, rows: Sequence[tuple[str, str]]) -> None:
    """A heading and its rows, if there are any."""
    if rows:
        with formatter.section(click.style(heading, bold=True)):
            formatter.write_dl(rows)


def grouped_options(command: click.Command) -> list[GroupedOption]:
    """The options of a command that have a group, in their order."""
    return [parameter for parameter in command.params if isinstance(parameter, GroupedOption)]
