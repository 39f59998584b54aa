"""What mkdocs writes into the site from the code: a page per command, and the table of presets."""

from __future__ import annotations

from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from bench.cli.cli import cli
from bench.cli.presets import PRESETS

HERE = "<!-- every preset -->"
Command = tuple[str, click.Command]


def commands(group: click.Group, prefix: str = "") -> Iterator[Command]:
    """The commands of a group and of its groups: "run", "speed step"."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} ")
        else:
            yield prefix + name, command


def file_of(name: str) -> str:
    return f"commands/{name.replace(' ', '-')}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the commands into the navigation."""
    pages = [{name: file_of(name)} for name, _ in commands(cli)]
    config.nav = [*(config.nav or []), {"Commands": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each command."""
    for name, command in commands(cli):
        files.append(File.generated(config, file_of(name), content="\n".join(page(name, command))))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the presets where a page asks for them."""
    return markdown.replace(HERE, "\n".join(presets())) if HERE in markdown else markdown


def page(name: str, command: click.Command) -> Iterator[str]:
    """What `--help` says, its options as a table."""
    context = click.Context(command, info_name=f"python -m bench {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"# {name}", "", command.help or "", "", "```sh", f"{context.command_path} {usage}", "```", "")
    yield from ("| option | |", "|---|---|")
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) is not None:
            yield f"| {code(record[0])} | {escaped(record[1])} |"


def presets() -> Iterator[str]:
    """A table of every preset: its fields, and where each comes from."""
    for name, preset in PRESETS.items():
        yield from (f"## {name}", "", f"{escaped(preset.source)}. {escaped(preset.note)}".rstrip(), "")
        yield from ("| field | value | from |", "|---|---|---|")
        yield from (f"| {field} | {code(str(value))} | {origin} |" for field, (value, origin) in preset.fields.items())
        yield ""


def code(words: str) -> str:
    """Words as code; a bar would end the cell of a table."""
    return f"<code>{escaped(words)}</code>" if "|" in words else f"`{words}`"


def escaped(words: str) -> str:
    """Words that are no Markdown and no HTML, in a cell of a table."""
    return words.translate({ord(character): f"&#{ord(character)};" for character in "&<>|*_`["})
