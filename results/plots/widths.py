"""The widths of a figure; imports no matplotlib."""

from __future__ import annotations

WIDTHS = {"page": 7.2, "column": 3.5}  # inches; a column is also what a phone shows
PAGE, COLUMN = WIDTHS.values()
