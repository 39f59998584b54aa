"""The HTML page: what a browser, a screen reader and a printer need of it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from rendered import render
from trial_frames import frame, small, trial

from bench.results.tables.formats import Bold, Code, Details, Grid, Heading, Paragraph, Picture
from bench.results.tables.html_page.page import page, printed_points

VOID = {"meta", "img", "source"}


class Tree(HTMLParser):
    """The start tags in their order, and that each is closed by its own end tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


def test_it_names_its_language_width_and_schemes() -> None:
    tree = Tree(render(frame(small()), format="html"))
    assert tree.all("html") == [{"lang": "en"}]
    metas = {meta.get("name"): meta.get("content") for meta in tree.all("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1" and metas["color-scheme"] == "light dark"
    assert all(th["scope"] in ("col", "row") for th in tree.all("th"))
    assert len(tree.all("h1")) == 1


def test_every_entry_of_the_contents_leads_to_a_heading() -> None:
    rows = [*small(), *(trial("snip", "0.9", s, 0.9, epochs=5) for s in range(2))]
    tree = Tree(render(frame(rows), format="html"))
    anchors = [heading["id"] for heading in tree.all("h2", "h3")]
    assert len(set(anchors)) == len(anchors) == 4
    assert [link["href"] for link in tree.all("a")] == [f"#{anchor}" for anchor in anchors]


def test_a_caption_is_folded_behind_its_title() -> None:
    drawn = page([Grid("All of it.", ["<a>"], [[Bold("1", " ↑")], ["< 0.001"]], "Title")])
    assert "<figcaption>Title</figcaption>" in drawn and '<th scope="col">&lt;a&gt;</th>' in drawn
    assert "<summary>How to read this table</summary>\n<p>All of it.</p>" in drawn
    assert "<strong>1</strong> ↑" in drawn and "&lt;\u00a00.001" in drawn
    assert "<details>" not in page([Grid("All of it.", ["a"], [["1"]])])


def test_every_kind_of_block() -> None:
    drawn = page(
        [
            Heading("A", 1),
            Details("More", [Paragraph("in <it>"), Code(["a < b"])]),
            Picture("Drawn", "A line.", "a.svg", b"<svg/>"),
        ]
    )
    tree = Tree(drawn)
    assert "<details><summary>More</summary>\n<p>in &lt;it&gt;</p>" in drawn and "a &lt; b</pre>" in drawn
    assert [image["alt"] for image in tree.all("img")] == ["A line."] and tree.all("source") == []


@pytest.mark.parametrize(("columns", "least"), [(5, 9.0), (12, 6.5), (30, 2.9)])
def test_a_table_is_printed_as_large_as_fits(columns: int, least: float) -> None:
    grid = Grid("", ["0.995"] * columns, [["95.11 ± 0.91 ↑"] * columns])
    assert printed_points(grid) >= least
