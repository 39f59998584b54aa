"""Text blocks and the three ways to write them: GitHub Markdown, LaTeX (booktabs), HTML. tabulate draws the tables."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tabulate import tabulate


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
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Entry]]


@dataclass(frozen=True)
class Code:
    """Lines to be copied, as commands are."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """A figure: `data` is its SVG, which an HTML page holds itself; `file` is its name beside a Markdown page."""

    alt: str
    file: str
    data: bytes


Block = Heading | Paragraph | Bullets | Grid | Code | Picture
Escape = Callable[[str], str]

# What Markdown would read as markup, and no more: the raw text is read as often as the rendered one.
MARKUP = re.compile(r"[\\|*`]|(?<!\w)_|_(?!\w)|<(?=[A-Za-z/!?])|(?<=\])[(\[]")
LATEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "[": "{[}", "]": "{]}",
    "±": r"$\pm$", "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≈": r"$\approx$", "–": "--",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "†": r"$\dagger$", "‡": r"$\ddagger$", "§": r"\S{}",
    "≥": r"$\geq$", "α": r"$\alpha$", "…": r"\ldots{}", "δ": r"$\delta$", "‖": r"$\|$", "₁": "$_1$", "₂": "$_2$",
    "²": "$^2$", "ᵀ": r"$^\top$", "“": "``", "”": "''",
}  # fmt: skip
STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;padding:0 2em;width:fit-content;max-width:100%;"
    "box-sizing:border-box}"
    "p,ul,pre{max-width:80em}"  # of text; a table may be as wide as the window
    "table{border-collapse:collapse;margin:.5em 0 1.5em;border-top:2px solid;border-bottom:2px solid;font-size:13px}"
    "th{border-bottom:1px solid;vertical-align:bottom}th,td{padding:.2em .6em;text-align:left}td{white-space:nowrap}"
    ".scroll,pre{overflow-x:auto}figure{margin:1em 0}img{max-width:100%}pre{background:#f4f4f4;padding:.7em}"
)


def github(blocks: Sequence[Block]) -> str:
    """GitHub-flavoured Markdown."""
    return "\n\n".join(_github(block) for block in blocks) + "\n"


def _github(block: Block) -> str:
    def escape(text: str) -> str:
        return MARKUP.sub(lambda match: f"\\{match.group()}", text)

    match block:
        case Heading(text, level):
            return f"{'#' * level} {escape(text)}"
        case Paragraph(text):
            return escape(text)
        case Bullets(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Grid(caption, headers, rows):
            drawn = _table(headers, rows, "github", escape, "**{}**")
            return f"{escape(caption)}\n\n{drawn}"
        case Code(lines):
            return "\n".join(["```sh", *lines, "```"])
        case Picture(alt, file, _):
            return f"![{escape(alt)}]({quote(file)})"


def latex(blocks: Sequence[Block]) -> str:
    r"""A LaTeX fragment for \input; needs the package booktabs."""
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(_latex(block) for block in blocks) + "\n"


def _latex(block: Block) -> str:
    def escape(text: str) -> str:
        return text.translate(str.maketrans(LATEX))

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
            return "\n".join(["\\begin{verbatim}", *lines, "\\end{verbatim}"])
        case Picture(alt, file, _):
            return f"\\includegraphics[width=\\linewidth]{{{file}}}\n\n{escape(alt)}"


def page(blocks: Sequence[Block]) -> str:
    """One self-contained HTML page, every text escaped."""
    head = f'<meta charset="utf-8"><title>Freeze or prune?</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{fragment(blocks)}\n</body></html>\n'


def fragment(blocks: Sequence[Block]) -> str:
    """HTML that stands in a page of somebody else's, as below the cell of a notebook."""
    return "\n".join(_html(block) for block in blocks)


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"
        case Grid(caption, headers, rows):
            drawn = _table(headers, rows, "unsafehtml", html.escape, "<strong>{}</strong>")
            return f'<p>{html.escape(caption)}</p>\n<div class="scroll">{drawn}</div>'
        case Code(lines):
            return f"<pre>{html.escape(chr(10).join(lines))}</pre>"
        case Picture(alt, _, data):
            source = f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"
            return f'<figure><img alt="{html.escape(alt)}" src="{source}"></figure>'


def _table(headers: Sequence[str], rows: Sequence[Sequence[Entry]], style: str, escape: Escape, bold: str) -> str:
    def entry(value: Entry) -> str:
        return bold.format(escape(value.text)) + escape(value.after) if isinstance(value, Bold) else escape(value)

    drawn = [[entry(value) for value in row] for row in rows]
    return str(tabulate(drawn, headers=[escape(h) for h in headers], tablefmt=style, disable_numparse=True))
