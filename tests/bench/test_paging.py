"""Searches page by page, and the garbage collector meanwhile."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest

from bench.paging import paged, without_collector


@dataclass
class Page:
    """What MLflow's searches return: items, and the token of the next page."""

    items: str
    token: str

    def __iter__(self) -> object:
        return iter(self.items)


PAGES = {None: Page("ab", "1"), "1": Page("", "2"), "2": Page("c", "")}


def test_every_page_is_asked_for_with_the_same_query() -> None:
    queries = []

    def search(*, page_token: str | None, order: str) -> Page:
        queries.append((page_token, order))
        return PAGES[page_token]

    assert list(paged(search, order="rising")) == ["a", "b", "c"]
    assert queries == [(None, "rising"), ("1", "rising"), ("2", "rising")]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_afterwards(enabled: bool) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(KeyError), without_collector():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
