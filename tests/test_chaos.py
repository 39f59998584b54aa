"""Ten of the kills that `tests/chaos.py` plays: nothing is lost, repeated, overwritten or left behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
from killed_sweeps import Unbroken, play, play_nothing
from kills import KINDS, Kill, kill

SEED = 1


def first(count: int, *executors: str) -> list[Kill]:
    """The first scenarios of the seed with such executors, and without a server."""
    kills = (kill(number, SEED) for number in range(len(KINDS)))
    return list(islice((k for k in kills if k.executor in executors and k.store != "server"), count))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Unbroken]:
    """What plays a sweep that nothing breaks, once for each executor."""

    @cache
    def played(executor: str, store: str) -> Unbroken:
        return play_nothing(executor, store, tmp_path_factory.mktemp("unbroken") / "sweep")

    return played


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [*first(8, "local", "offline"), *first(2, "ray")], ids=Kill.name)
def test_a_kill_costs_nothing(scenario: Kill, unbroken: Callable[[str, str], Unbroken], tmp_path: Path) -> None:
    verdict = play(scenario, tmp_path / "sweep", unbroken(scenario.executor, scenario.store))
    assert verdict.is_clean(), verdict
