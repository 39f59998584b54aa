"""The pages for readers: README.md and docs/, their blocks, and the commands that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
ENDS = ("&&", "||", "|", ">", ">>", "2>", "&", ";", "\\")  # of a command in a line of shell
PROGRAM = re.compile(r"""python -m bench(?= )|/sweep" freeze-or-prune(?= )""")  # also in the container


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language on a page."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return found


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every command of ours in a page's blocks of shell, indented lines and lines of code."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines += [*re.findall(r"`([^`\n]+)`", prose), *re.findall(r"^ {4}(.+)$", prose, re.MULTILINE)]
    for line in lines:
        for command in PROGRAM.split(line)[1:]:
            yield list(_until_its_end(shlex.split(command, comments=True)))


def _until_its_end(words: list[str]) -> Iterator[str]:
    for word in words:
        if word in ENDS or word.startswith("["):  # what may follow, of a usage
            return
        yield word
