"""What mkdocs writes into the site from the code: a page per command, and the table of presets."""

from __future__ import annotations

from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from bench.cli.cli import cli
from bench.cli.presets import PRESETS
from bench.cli.shell.groups import HEADINGS

HERE = "<!-- every preset -->"
LINKS = {"](../results/reports/": "](reports/", "](../CITATION.cff": "](CITATION.cff"}  # by links in docs/
Command = tuple[str, click.Command]


def commands(group: click.Group, prefix: str = "") -> Iterator[Command]:
    """The commands of a group and of its groups: "run", "speed step"."""
    groups = {name: command for name, command in group.commands.items() if isinstance(command, click.Group)}
    yield from ((prefix + name, command) for name, command in group.commands.items() if name not in groups)
    for name, inner in groups.items():
        yield from commands(inner, f"{prefix}{name} ")


def file_of(name: str) -> str:
    return f"commands/{name.replace(' ', '-')}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the commands into the navigation."""
    pages = [{name: file_of(name)} for name, _ in commands(cli)]
    *before, measured = config.nav or []
    config.nav = [*before, {"Commands": pages}, measured]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each command."""
    for name, command in commands(cli):
        files.append(File.generated(config, file_of(name), content="\n".join(page(name, command))))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the presets where a page asks for them, and lead to files outside of docs/ where they are on the site."""
    markdown = markdown.replace(HERE, "\n".join(presets())) if HERE in markdown else markdown
    for in_the_source, on_the_site in LINKS.items():
        markdown = markdown.replace(in_the_source, on_the_site)
    return markdown


def page(name: str, command: click.Command) -> Iterator[str]:
    """What `--help` says, with a table for each group of options."""
    context = click.Context(command, info_name=f"python -m bench {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"# {name}", "", prose(command.help or ""), "", "```sh", f"{context.command_path} {usage}", "```", "")
    for heading, records in groups(command, context).items():
        yield from (f"## {heading}", "", "| option | meaning |", "|---|---|")
        yield from (f"| {code(flags)} | {prose(meaning)} |" for flags, meaning in records)
        yield ""


def groups(command: click.Command, context: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Heading -> the options under it, each with its meaning, in the order of the help."""
    records: dict[str, list[tuple[str, str]]] = {heading: [] for heading in HEADINGS.values()}
    for parameter in command.get_params(context):
        if (record := parameter.get_help_record(context)) is not None:
            records.setdefault(HEADINGS.get(getattr(parameter, "group", "command"), "Options"), []).append(record)
    return {heading: options for heading, options in records.items() if options}


def presets() -> Iterator[str]:
    """A table of every preset: its fields, and where each comes from."""
    for name, preset in PRESETS.items():
        yield from (f"## {name}", "", f"{prose(preset.source)}. {prose(preset.note)}".rstrip(), "")
        yield from ("| field | value | from |", "|---|---|---|")
        yield from (f"| {field} | {code(str(value))} | {origin} |" for field, (value, origin) in preset.fields.items())
        yield ""


def code(words: str) -> str:
    """Words as code; a bar would end the cell of a table."""
    return f"<code>{escaped(words)}</code>" if "|" in words else f"`{words}`"


def prose(words: str) -> str:
    """Words with code between backticks, in a cell of a table."""
    return "".join(code(part) if index % 2 else escaped(part) for index, part in enumerate(words.split("`")))


def escaped(words: str) -> str:
    """Words that are no Markdown and no HTML, in a cell of a table."""
    return words.translate({ord(character): f"&#{ord(character)};" for character in "&<>|*_`["})
