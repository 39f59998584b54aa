"""Text blocks, and two ways to write them: GitHub Markdown and LaTeX (booktabs). tabulate draws the tables.

The third, HTML, is `html_page`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tabulate import tabulate

from bench.messages import visible


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Bullets:
    items: Sequence[str]


@dataclass(frozen=True)
class Bold:
    """A table entry in bold, with plain text after it."""

    text: str
    after: str = ""


Entry = str | Bold


@dataclass(frozen=True)
class Grid:
    """A table. `title`: what it is, in a line, if the caption says more: a page that can fold folds the caption."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    title: str = ""


@dataclass(frozen=True)
class Code:
    """Lines to be copied, as commands are."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """A figure: `data` is its SVG, which an HTML page holds itself; `file` is its name beside a Markdown page.

    `title`: what it is; `alt`: what is seen of it, for who does not see it; `narrow`: the same as wide as a phone, if
    there is one.
    """

    title: str
    alt: str
    file: str
    data: bytes
    narrow: bytes = b""


@dataclass(frozen=True)
class Details:
    """Blocks that a page folds behind a line, if it can."""

    summary: str
    blocks: Sequence[Block]


Block = Heading | Paragraph | Bullets | Grid | Code | Picture | Details
Escape = Callable[[str], str]

# What Markdown would read as markup, and no more: the raw text is read as often as the rendered one.
MARKUP = re.compile(r"[\\|*`]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|(?<=\])[(\[]|~(?=~)|&(?=#?\w+;)")
# What makes a block of a line that begins with it.
OPENING = re.compile(r"[#>+=~-]|\d+[.)]|\[[^]]*\]:")
BRACKETS = re.compile(rf"{MARKUP.pattern}|[\[\]]")  # what would end the text of a picture besides
VERBATIM_END = r"\end{verbatim}"
LATEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "[": "{[}", "]": "{]}",
    "±": r"$\pm$", "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≈": r"$\approx$", "–": "--",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "†": r"$\dagger$", "‡": r"$\ddagger$", "§": r"\S{}", "¶": r"\P{}",
    "≥": r"$\geq$", "α": r"$\alpha$", "…": r"\ldots{}", "δ": r"$\delta$", "‖": r"$\|$", "₁": "$_1$", "₂": "$_2$",
    "²": "$^2$", "ᵀ": r"$^\top$", "“": "``", "”": "''",
}  # fmt: skip


def github(blocks: Sequence[Block]) -> str:
    """GitHub-flavoured Markdown."""
    return "\n\n".join(_github(block) for block in blocks) + "\n"


def _github(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_marked(text)}"
        case Paragraph(text):
            return _line(text)
        case Bullets(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case Grid(caption, headers, rows):
            drawn = _table(headers, rows, "github", _marked, "**{}**")
            return f"{_line(caption)}\n\n{drawn}"
        case Code(lines):
            return _fenced([visible(line) for line in lines])
        case Picture(title, alt, file):
            return f"![{_marked(alt, BRACKETS)}]({quote(file)})\n\n{_line(title)}"
        case Details(summary, inner):
            opened = f"<details><summary>{html.escape(visible(summary))}</summary>"
            return "\n\n".join([opened, *map(_github, inner), "</details>"])


def _marked(text: str, markup: re.Pattern[str] = MARKUP) -> str:
    """The text within a line of Markdown."""
    return markup.sub(lambda match: f"\\{match.group()}", visible(text))


def _line(text: str) -> str:
    """The text as a line of Markdown, which is a paragraph whatever it begins with."""
    marked = _marked(text).lstrip()
    if (opening := OPENING.match(marked)) is None:
        return marked
    last = opening.end() - 1
    return f"{marked[:last]}\\{marked[last:]}"


def _fenced(lines: Sequence[str]) -> str:
    """The lines between fences of more back-ticks than stand together in them."""
    longest = max((len(ticks) for line in lines for ticks in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}sh", *lines, fence])


def latex(blocks: Sequence[Block]) -> str:
    r"""A LaTeX fragment for \input; needs the package booktabs."""
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(_latex(block) for block in blocks) + "\n"


def _latex(block: Block) -> str:
    def escape(text: str) -> str:
        return visible(text).translate(str.maketrans(LATEX))

    match block:
        case Heading(text, level):
            return f"\\{'sub' * max(0, level - 1)}section*{{{escape(text)}}}"
        case Paragraph(text):
            return escape(text)
        case Bullets(items):
            lines = "\n".join(f"  \\item {escape(item)}" for item in items)
            return f"\\begin{{itemize}}\n{lines}\n\\end{{itemize}}"
        case Grid(caption, headers, rows):
            drawn = _table(headers, rows, "latex_raw", escape, "\\textbf{{{}}}")
            for rule in ("\\toprule", "\\midrule", "\\bottomrule"):
                drawn = drawn.replace("\\hline", rule, 1)
            head = "\\begin{table}[htbp]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}\n"
            return f"{head}\\caption{{{escape(caption)}}}\n{drawn}\n\\end{{table}}"
        case Code(lines):
            shown = [visible(line).replace(VERBATIM_END, VERBATIM_END.replace("{", " {")) for line in lines]
            return "\n".join(["\\begin{verbatim}", *shown, VERBATIM_END])
        case Details(summary, inner):
            return "\n\n".join([f"\\paragraph{{{escape(summary)}}}", *map(_latex, inner)])
        case Picture(title, _, file):
            return f"\\includegraphics[width=\\linewidth]{{{file}}}\n\n{escape(title)}"


def _table(headers: Sequence[str], rows: Sequence[Sequence[Entry]], style: str, escape: Escape, bold: str) -> str:
    def entry(value: Entry) -> str:
        return bold.format(escape(value.text)) + escape(value.after) if isinstance(value, Bold) else escape(value)

    drawn = [[entry(value) for value in row] for row in rows]
    return str(tabulate(drawn, headers=[escape(h) for h in headers], tablefmt=style, disable_numparse=True))
