"""Trials that other commands train at the same time: they are left to them, and waited for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.messages import counted, say
from bench.storage.ownership.claims import Claims, Notice
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

WAIT_SECONDS = 2.0  # between two looks at what another command has finished

Results = dict[TrialSpec, TrialResult]
Ended = Mapping[str, str]  # run key -> why it diverged, or "", of trials that need no training


@dataclass
class SharedTrials:
    """What is missing, trained by whoever has claimed it."""

    claims: Claims
    train: Callable[[Sequence[TrialSpec], Ended], Results]
    ended_meanwhile: Callable[[], Ended]  # what has ended since the command began
    ended: Callable[[], Ended]  # all, also what earlier commands left on a disk
    _said: set[str] = field(default_factory=set)  # of whom it was said that they are waited for

    def carry_out(self, missing: Sequence[TrialSpec], ended: Ended) -> tuple[Results, Ended]:
        """Train what no other command does, then what they leave; what was trained, and all that has ended."""
        results: Results = {}
        ended = {**ended, **self.ended_meanwhile()}
        while left := [spec for spec in missing if spec not in results and spec.run_key not in ended]:
            holders = self.claims.holders()
            if free := free_of(left, holders):
                results |= self.train(free, ended)
                ended = {**ended, **self.ended_meanwhile()} if len(free) < len(left) else ended
            else:
                ended = {**ended, **self._waited(left, holders)}
        return results, ended

    def _waited(self, left: Sequence[TrialSpec], holders: Mapping[str, Notice]) -> Ended:
        """What has ended after a while; once a command is gone, with all that it left."""
        for words, trials in Counter(holders[s.run_key].words for s in left if s.run_key in holders).items():
            if words not in self._said:
                self._said.add(words)
                say(f"waiting for {counted(trials, 'trial')} that {words} trains")
        time.sleep(WAIT_SECONDS)
        still = {notice.id for notice in self.claims.holders().values()}
        gone = {notice.id for notice in holders.values()} - still
        return self.ended() if gone else self.ended_meanwhile()


def free_of(left: Sequence[TrialSpec], held: Collection[str]) -> list[TrialSpec]:
    """Those of these trials that nobody else trains, nor anything of them that they need."""
    keys, kept = {spec.run_key for spec in left}, set(held)
    free = list(left)
    while blocked := [s for s in free if s.run_key in kept or any(n.run_key in kept & keys for n in s.needs())]:
        kept |= {spec.run_key for spec in blocked}
        free = [spec for spec in free if spec.run_key not in kept]
    return free
