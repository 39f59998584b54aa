"""Trials that other commands train at the same time: they are left to them, and waited for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bench.execution.ended import Ended
from bench.messages import counted, folded, say, store_error
from bench.storage.ownership.claims import Claims, Notice
from bench.trial.result import SweepError, TrialResult
from bench.trial.spec import TrialSpec

WAIT_SECONDS = 2.0  # between two looks at what another command has finished
AWAY_SECONDS = 900.0  # the longest time for which a destination may not answer while nothing is trained

Results = dict[TrialSpec, TrialResult]
Holders = Mapping[str, Notice]  # run key -> the command that trains it
Value = TypeVar("Value")


@dataclass
class SharedTrials:
    """What is missing, trained by whoever has claimed it."""

    claims: Claims
    train: Callable[[Sequence[TrialSpec], Ended], Results]
    meanwhile: Callable[[Ended], Ended]  # what had ended, and what has since
    delivered: Callable[[], Ended]  # all, once what a command that is gone left on a disk is stored
    _said: set[str] = field(default_factory=set)  # of whom it was said that they are waited for

    def carry_out(self, missing: Sequence[TrialSpec], ended: Ended) -> tuple[Results, Ended]:
        """Train what no other command does, then what they leave; what was trained, and all that has ended.

        Who holds what is asked first, then what has ended: so a trial that another command finished in between is seen.
        What a command left that has ended since the last look is delivered before anything of it counts as free.
        """
        results: Results = {}
        needs = {spec: frozenset(need.run_key for need in spec.needs()) for spec in missing}
        left, before = list(missing), set[str]()
        while left:
            holders = patiently(self.claims.holders)
            present = {notice.id for notice in holders.values()}
            ended = patiently(self.delivered if before - present else partial(self.meanwhile, ended))
            before = present
            left = [spec for spec in left if spec.run_key not in ended]
            if free := free_of({spec: needs[spec] for spec in left}, holders):
                results |= self.train(free, ended)
                left = [spec for spec in left if spec not in results]
            elif left:
                self._wait(left, holders)
        return results, ended

    def _wait(self, left: Sequence[TrialSpec], holders: Holders) -> None:
        for words, trials in Counter(holders[s.run_key].words for s in left if s.run_key in holders).items():
            if words not in self._said:
                self._said.add(words)
                say(f"waiting for {counted(trials, 'trial')} that {words} trains")
        time.sleep(WAIT_SECONDS)


def free_of(needs: Mapping[TrialSpec, Collection[str]], held: Collection[str]) -> list[TrialSpec]:
    """Those of the trials that nobody else trains, nor anything of them that they need.

    Args: needs: trial -> the run keys of what it needs at once. held: the run keys that others train.
    """
    if not held:
        return list(needs)
    free, kept = list(needs), set(held)
    keys = {spec.run_key for spec in needs}
    while blocked := [s for s in free if s.run_key in kept or not kept.isdisjoint(keys.intersection(needs[s]))]:
        kept |= {spec.run_key for spec in blocked}
        free = [spec for spec in free if spec.run_key not in kept]
    return free


def patiently(ask: Callable[[], Value]) -> Value:
    """What a store or a folder answers; if it does not, it is asked again and again, for AWAY_SECONDS.

    Raises: SweepError, in one line, after that.
    """
    began, said = time.monotonic(), False
    while True:
        try:
            return ask()
        except Exception as error:
            reason = str(error) if isinstance(error, ValueError | OSError) else store_error(error)
            if reason is None:
                raise
            if time.monotonic() - began > AWAY_SECONDS:
                raise SweepError(folded(reason)) from error
            if not said:
                say(f"warning: {folded(reason)}; asking again")
            said = True
        time.sleep(WAIT_SECONDS)
