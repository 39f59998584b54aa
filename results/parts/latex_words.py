"""Text and names as LaTeX, whatever is in them: every command character is escaped, every long word can be broken."""

from __future__ import annotations

import re

from bench.results.frame.display_names import MODELS, data_set_name
from bench.results.statistics.analysis import Analysis
from bench.results.tables.formats import LATEX

# Quotation marks and bars print as something else in the usual fonts.
WORDS = {**LATEX, "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}", "’": "'"}
LATIN = re.compile("[\u00a0-\u00ff]")  # letters that LaTeX reads as they stand
LONGEST, PIECE = 24, 8  # letters of a word that is not broken, and of the pieces of a longer one


def escaped(text: str) -> str:
    """The text as LaTeX; a character that pdfLaTeX does not know by its number.

    >>> escaped("a_b 50 % ± 1"), escaped("a\\n日")
    ('a\\\\_b 50 \\\\% $\\\\pm$ 1', 'a {[}U+65E5{]}')
    """
    return "".join(_letter(letter) for letter in " ".join(text.split()))


def _letter(letter: str) -> str:
    if letter in WORDS:
        return str(WORDS[letter])
    if (letter.isascii() and letter.isprintable()) or LATIN.match(letter):
        return letter
    return f"{{[}}U+{ord(letter):04X}{{]}}"


def breakable(text: str) -> str:
    """The text as LaTeX in running words: a word of more than LONGEST letters may be broken after every PIECE."""
    return " ".join(_breakable(word) for word in text.split())


def _breakable(word: str) -> str:
    if len(word) <= LONGEST:
        return escaped(word)
    pieces = [word[i : i + PIECE] for i in range(0, len(word), PIECE)]
    return r"\allowbreak{}".join(map(escaped, pieces))


def slug(text: str) -> str:
    """The text as a part of a label.

    >>> slug("fashion-mnist · folder:/a b")
    'fashion-mnist-folder-a-b'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def network_and_data(analysis: Analysis) -> str:
    """LeNet-5-Caffe on MNIST"""
    section = analysis.section
    return f"{MODELS.get(section.model, section.model)} on {data_set_name(section.dataset)}"
