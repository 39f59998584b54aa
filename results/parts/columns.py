"""A column of text as a column of siunitx, if it holds numbers; and which columns find room beside one another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.metrics import NONE
from bench.results.parts.latex_words import escaped
from bench.results.tables.formats import Bold, Entry

NUMBER = re.compile(r"([+−×]?)([\d,]+(?:\.\d+)?)(?: ± ([\d,]+(?:\.\d+)?))?((?:\s.*)?)$")
# Widths in points at 8 points, Computer Modern: of a digit and most letters, of others, and between two columns.
LETTER, GAP, SLACK = 4.25, 5.0, 1.03
HEAVY = 1.15  # bold letters to others
WIDTHS = {
    **dict.fromkeys("ijlI.,;:'|![]() ", 2.6),
    **dict.fromkeys("mMwW%", 7.2),
    **dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&", 6.1),
    **dict.fromkeys("±−+×≈<>≤≥=", 6.9),
}
KEYS = ("criterion", "frozen", "pruned", "method", "control", "rate")  # headers of columns that say what a row is about
LONG = 110.0  # of a name that stays on one line
TALL = 40.0  # of a header that stays on one line


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number as siunitx reads it, and what stands behind it: marks, an interval."""

    sign: str
    digits: str
    uncertainty: str
    after: str
    bold: bool

    @property
    def latex(self) -> str:
        spread = f" +- {self.uncertainty}" if self.uncertainty else ""
        after = f" {{{_after(self.after)}}}" if self.after else ""
        bold = "\\bfseries " if self.bold else ""
        return f"{bold}{self.sign}{self.digits}{spread}{after}"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a tabular: its specification, its header and entries as LaTeX, and its width in points."""

    specification: str
    header: str
    entries: Sequence[str]
    width: float


def column(header: str, entries: Sequence[Entry], *, first: bool = False) -> Column:
    """The column; the first one is of names, and broken if one is long."""
    texts = [f"{entry.text}{entry.after}" if isinstance(entry, Bold) else entry for entry in entries]
    numbers = [_number(entry) for entry in entries]
    widest = max(map(_width, texts), default=0.0)
    lines = _lines(header, widest)
    stacked = " \\\\ ".join(map(escaped, lines))
    head = stacked if len(lines) == 1 else f"\\shortstack{{{stacked}}}"
    least = max(map(_width, lines))
    if first and widest > LONG:
        specification = f">{{\\raggedright\\arraybackslash}}p{{{LONG:.0f}pt}}"
        broken = [_broken(text) for text in texts]
        return Column(specification=specification, header=head, width=LONG + GAP, entries=broken)
    others = [text for number, text in zip(numbers, texts, strict=True) if number is None]
    if any(numbers) and all(text.startswith((NONE, "<")) for text in others):
        drawn = [n.latex if n else f"{{{escaped(text)}}}" for n, text in zip(numbers, texts, strict=True)]
        known = [number for number in numbers if number]
        return Column(
            specification=_specification(known), header=f"{{{head}}}", entries=drawn,
            width=max(least, widest, _number_width(known)) + GAP,
        )  # fmt: skip
    specification = "r" if all(map(_is_range, texts)) and not first else "l"
    return Column(
        specification=specification, header=head, entries=list(map(escaped, texts)), width=max(least, widest) + GAP
    )


def _width(text: str) -> float:
    return SLACK * sum(WIDTHS.get(letter, LETTER) for letter in text)


def _lines(header: str, widest: float) -> list[str]:
    """The header in two lines, if it is wider than its entries and one line is too long."""
    words = header.split()
    if len(words) < 2 or _width(header) <= max(TALL, widest):
        return [header]
    halves = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return list(min(halves, key=lambda half: max(map(_width, half))))


def _number(entry: Entry) -> Number | None:
    text, after = (entry.text, entry.after) if isinstance(entry, Bold) else (entry, "")
    parsed = NUMBER.match(f"{text}{after}")
    if parsed is None:
        return None
    sign, digits, uncertainty, behind = parsed.groups()
    plain = {"−": "-", "×": "", "+": "+"}.get(sign, "")
    return Number(
        sign=plain,
        digits=digits.replace(",", ""),
        uncertainty=(uncertainty or "").replace(",", ""),
        after=behind.strip(),
        bold=isinstance(entry, Bold),
    )


def _is_range(text: str) -> bool:
    """Whether the text stands well to the right: nothing, a number or a range of numbers."""
    return text == NONE or bool(re.match(r"×?[\d,.]+(–[\d,.]+)?( %)?$", text))


def _after(text: str) -> str:
    return f"\\,{escaped(text)}"


def _specification(numbers: Sequence[Number]) -> str:
    """S[…] with room for the widest number, and for what stands behind it."""
    whole, decimals = _places(numbers)
    spread = max((len(n.uncertainty.replace(".", "").lstrip("0") or "0") for n in numbers if n.uncertainty), default=0)
    sign = "+" if any(n.sign for n in numbers) else ""
    widest = max((n.after for n in numbers), key=len)
    options = [f"table-format={sign}{whole}.{decimals}{f'({spread})' if spread else ''}"]
    options += [f"table-space-text-post={{{_after(widest)}}}"] if widest else []
    return f"S[{', '.join(options)}]"


def _places(numbers: Sequence[Number]) -> tuple[int, int]:
    """Digits before and after the point."""
    split = [n.digits.partition(".") for n in numbers]
    return max(len(whole) for whole, _, _ in split), max(len(rest) for _, _, rest in split)


def _number_width(numbers: Sequence[Number]) -> float:
    """The width of the column, each of its pieces at its widest."""
    whole, decimals = _places(numbers)
    separators = (whole - 1) // 3 + bool(decimals)
    sign = any(n.sign for n in numbers)
    spread = max((_width(f" ± {n.uncertainty}") for n in numbers if n.uncertainty), default=0.0)
    behind = max(_width(f" {n.after}") if n.after else 0.0 for n in numbers)
    number = _width("0" * (whole + decimals) + "." * separators + "+" * sign) + spread
    return (HEAVY if any(n.bold for n in numbers) else 1) * number + behind


def _broken(text: str) -> str:
    return r"\allowbreak{}".join(escaped(text[i : i + 8]) for i in range(0, len(text), 8))


def keys(headers: Sequence[str]) -> int:
    """How many columns at the left say what a row is about: they stand in every table that a wide one is split into."""
    return max(1, next((i for i, header in enumerate(headers) if header not in KEYS), 1))


def chunks(widths: Sequence[float], width: float, *, keys: int = 1, gap: float = 0) -> list[list[int]]:
    """The columns of each table: the first `keys` in all, the others in order, as many as fit; one at least.

    >>> chunks([5, 10, 10, 10], 29, gap=2), chunks([5, 10], 4), chunks([1, 1, 8, 8], 10, keys=2)
    ([[0, 1, 2], [0, 3]], [[0, 1]], [[0, 1, 2], [0, 1, 3]])
    """
    taken, used = [list(range(keys))], sum(widths[:keys]) + gap * (keys - 1)
    first = used
    for i, needed in enumerate(widths[keys:], keys):
        if used + gap + needed > width and len(taken[-1]) > keys:
            taken.append(list(range(keys)))
            used = first
        taken[-1].append(i)
        used += gap + needed
    return taken
