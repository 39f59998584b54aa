"""A page says nothing twice: explanations lose the sentences that have been said before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bench.results.tables.formats import Block, Details, Grid, Paragraph

END = re.compile(r"(?<=[.!?]) (?=[A-Z†‡§¶↑≈])")  # of a sentence
SHORT = 30  # letters of a sentence that may come again, as "Dense: 0.1."
HERE = "this section"  # a sentence with these words is a fact of its section, told in each


def said_once(blocks: Iterable[Block], said: set[str]) -> Iterator[Block]:
    """The blocks, with captions and folded paragraphs as far as they are new; adds their sentences to `said`.

    A block that has nothing left is left out; a table stays.
    """
    for block in blocks:
        if isinstance(block, Grid) and block.title:
            yield replace(block, caption=new(block.caption, said))
        elif isinstance(block, Details):
            inner = [replace(b, text=new(b.text, said)) if isinstance(b, Paragraph) else b for b in block.blocks]
            if kept := [b for b in inner if not (isinstance(b, Paragraph) and not b.text)]:
                yield replace(block, blocks=kept)
        else:
            yield block


def new(text: str, said: set[str]) -> str:
    """The sentences of a text that have not been said; they are now.

    >>> said: set[str] = set()
    >>> new("No path of live weights leads from input to output. So be it.", said)
    'No path of live weights leads from input to output. So be it.'
    >>> new("No path of live weights leads from input to output. So be it.", said)
    'So be it.'
    """
    sentences = [sentence for sentence in END.split(text) if sentence not in said]
    said |= {sentence for sentence in sentences if len(sentence) > SHORT and HERE not in sentence}
    return " ".join(sentences)
