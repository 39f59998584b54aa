"""Names and commands of a store that somebody else wrote: in no format do they leave their place."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.messages import visible
from bench.results.plots.plot_style import literal
from bench.results.tables.formats import (
    LATEX,
    Block,
    Bold,
    Bullets,
    Code,
    Details,
    Grid,
    Heading,
    Paragraph,
    Picture,
    github,
    latex,
)  # fmt: skip
from bench.results.tables.html_page.fragment import fragment
from bench.results.tables.html_page.page import page
from bench.results.terminal.screen import print_blocks

HOSTILE = (
    "`x`", "```\n# out", "````", "a\n\n# heading", "a\r\n- item", "\x1b[2J\x1b[31mred", "\x9b31m", "\x00", "\u202eleft",
    "<script>alert(1)</script>", "</details>", "<!-- ", "&lt;b&gt;", "| a | b |", "\\| a", "[x](http://x)", "![x](y)",
    "[x]: http://x", "# heading", "> quote", "- item", "1. item", "~~~", "---", "***", "===", "$x$ and $\\input{x}$",
    "\\input{/etc/passwd}", "\\end{verbatim}\\input{x}", "%", "}", "^^5cinput{x}", "\ud800", "    code", "\x85# a",
    "\u2028# b", "</pre><script>", "';alert(1)//", "--><script>", "*bold*", "_under_", "~~no~~",
)  # fmt: skip
LETTERS = st.sampled_from([*"`*_|<>&\\#$%{}[]()!~^-+=1. \n\r\t\x1b\x00\x9b\x85\u2028\u202e\ud800aé日", *HOSTILE])
WORDS = st.lists(LETTERS, max_size=12).map("".join).filter(lambda words: visible(words).strip())
PARTS = ("h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "details", "summary")


def blocks(words: str) -> list[Block]:
    """The words in every place of every kind of block."""
    grid = Grid(words, [words, "b"], [[words, Bold(words, words)], ["a", "b"]], title=words)
    return [
        Heading(words), Paragraph(words), Bullets([words, words]), grid, Code([words, "echo"]),
        Details(words, [Paragraph(words)]),
    ]  # fmt: skip


def outline(text: str) -> list[str]:
    """The blocks of Markdown, as a parser of CommonMark with GitHub's tables sees them."""
    markdown_it = pytest.importorskip("markdown_it")
    tokens = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    nested = [token.type for t in tokens for token in (t.children or ()) if token.type not in ("text", "softbreak")]
    return [*(token.type for token in tokens if token.type != "html_block"), *nested]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.seen.append("comment")


def check_markdown(words: str) -> None:
    # An escaped character is text of its own to the parser, and a backslash at the end of a line a break.
    allowed = {"strong_open", "strong_close", "text_special"}
    plain, hostile = outline(github(blocks("word"))), outline(github(blocks(words)))
    assert [token for token in hostile if token not in allowed] == [token for token in plain if token not in allowed]


def check_html(words: str) -> None:
    shown = blocks(words)
    assert Tags(page(shown)).seen == Tags(page(blocks("word"))).seen
    inner = [block for block in shown if isinstance(block, Paragraph | Bullets | Grid)]
    assert set(Tags(fragment(inner)).seen) <= {f"{end}{part}" for part in (*PARTS, "strong") for end in ("", "/")}
    page(shown).encode()


def check_latex(words: str) -> None:
    written = latex(blocks(words))
    outside = re.sub(r"\\begin\{verbatim\}\n.*?\\end\{verbatim\}", "", written, flags=re.DOTALL)
    commands = re.compile(r"\\[A-Za-z]+\*?(?:\{\w+\})?")
    known = {match.replace("{verbatim}", "") for match in commands.findall(latex(blocks("word")))}
    ours = set(re.findall(r"\\[A-Za-z]+", " ".join(map(str, LATEX.values()))))
    assert {command.partition("{")[0] for command in commands.findall(outside)} <= {
        command.partition("{")[0] for command in known | ours
    }
    bare = re.sub(r"\\[{}]", "", outside)
    assert bare.count("{") == bare.count("}")
    assert written.count("\\end{verbatim}") == 1


def check_terminal(words: str) -> None:
    console = Console(width=60, record=False, force_terminal=False, color_system=None, file=None)
    with console.capture() as printed:
        print_blocks(console, blocks(words))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", printed.get())


CHECKS = {check.__name__: check for check in (check_markdown, check_html, check_latex, check_terminal)}


@pytest.mark.parametrize("check", CHECKS)
def test_hostile_words_stay_in_their_place(check: str) -> None:
    for words in HOSTILE:
        CHECKS[check](words)


@settings(max_examples=examples(15), deadline=None, derandomize=True)
@given(WORDS)
def test_any_words_stay_in_their_place(words: str) -> None:
    for check in CHECKS.values():
        check(words)


def test_what_a_terminal_obeys_is_shown() -> None:
    assert visible("a\x1b]0;title\x07\nb\x9b31m") == r"a\x1b]0;title\x07 b\x9b31m"
    assert literal("$\\input$\n") == r"\$\input\$ "


def test_a_picture_of_any_name_stays_a_picture() -> None:
    written = github([Picture("title", "alt](x) `y`", "a b(c).svg", b"")])
    assert written == "![alt\\]\\(x) \\`y\\`](a%20b%28c%29.svg)\n\ntitle\n"
    assert outline(written) == outline(github([Picture("title", "alt", "a.svg", b"")]))
