"""Which trials need no training any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from small_trials import spec

from bench.execution.ended import EndedTrials, missing_of
from bench.storage.destinations import Destination

TICKET = spec("lth", "0.5")
(PARENT,) = TICKET.needs()
(DENSE,) = PARENT.needs()


class Kept:
    """A destination that has these trials, and of some their networks."""

    def __init__(self, ended: Mapping[str, str], networks: Collection[str]) -> None:
        self._ended, self._networks, self.asked = ended, networks, list[str]()

    def ended(self, run_keys: Sequence[str]) -> Mapping[str, str]:
        return {key: self._ended[key] for key in run_keys if key in self._ended}

    ended_meanwhile = ended

    def has_network(self, run_key: str) -> bool:
        self.asked.append(run_key)
        return run_key in self._networks


def trials(kept: Kept) -> EndedTrials:
    return EndedTrials(cast("Destination", kept), [TICKET], [PARENT, DENSE])


def test_one_whose_network_is_needed_and_gone_has_not_ended_whenever_it_is_asked() -> None:
    kept = Kept({PARENT.run_key: "", DENSE.run_key: ""}, [DENSE.run_key])
    ended = trials(kept)
    assert ended.all() == ended.meanwhile({}) == {DENSE.run_key: ""}
    assert missing_of([TICKET], ended.all()) == [PARENT, TICKET]
    assert kept.asked.count(DENSE.run_key) == 1  # one that is there is not looked for again


def test_a_network_that_nothing_missing_needs_is_not_looked_for() -> None:
    kept = Kept({TICKET.run_key: "", PARENT.run_key: "", DENSE.run_key: ""}, [])
    assert trials(kept).all() == {TICKET.run_key: "", PARENT.run_key: "", DENSE.run_key: ""} and not kept.asked


def test_one_that_diverged_has_ended_without_a_network() -> None:
    kept = Kept({PARENT.run_key: "loss nan in epoch 1"}, [])
    assert trials(kept).all() == {PARENT.run_key: "loss nan in epoch 1"}
