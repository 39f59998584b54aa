"""One thing that is wrong with a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong, in one line; and what puts it right, if that loses nothing."""

    words: str
    remedy: str = ""  # in words: what `--fix` does, or else what the user can do
    fix: Callable[[], object] | None = None

    @property
    def line(self) -> str:
        """Both."""
        return f"{self.words}; {self.remedy}" if self.remedy else self.words
