"""Which trials need no training any more: asked at the beginning, and again while other commands train."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bench.storage.destinations import Destination
from bench.trial.needs import needed_by
from bench.trial.spec import TrialSpec

Ended = Mapping[str, str]  # run key -> why it diverged, or "", of trials that need no training


@dataclass
class EndedTrials:
    """The trials of a sweep, and what they need, that a destination has.

    One whose network is needed by what is missing, and not stored, is none of them.
    """

    destination: Destination
    trials: Sequence[TrialSpec]
    needs: Sequence[TrialSpec]
    _stored: set[str] = field(default_factory=set)  # run keys whose networks have been seen

    @property
    def _run_keys(self) -> list[str]:
        return [spec.run_key for spec in (*self.trials, *self.needs)]

    def all(self) -> Ended:
        """All that have ended."""
        return self._usable(self.destination.ended(self._run_keys))

    def meanwhile(self, ended: Ended) -> Ended:
        """Those that had ended before, and those that have since this command began."""
        return self._usable({**ended, **self.destination.ended_meanwhile(self._run_keys)})

    def delivered(self) -> Ended:
        """All that have ended, once what commands that are gone left on a disk is stored."""
        self.destination.redeliver()
        return self.all()

    def _usable(self, found: Ended) -> Ended:
        ended = dict(found)
        while keys := self._read_first(ended) - self._stored:
            for key in keys:
                if self.destination.has_network(key):
                    self._stored.add(key)
                else:
                    del ended[key]
        return ended

    def _read_first(self, ended: Ended) -> set[str]:
        """Run keys of what has ended well, and left a network that is read to train what is missing."""
        needed = {need.run_key for spec in missing_of(self.trials, ended) for need in spec.needs()}
        return {key for key in needed if ended.get(key) == ""}


def missing_of(trials: Sequence[TrialSpec], ended: Collection[str]) -> list[TrialSpec]:
    """What is to be trained: those of the trials that have not ended, and what these need."""
    missing = [spec for spec in trials if spec.run_key not in ended]
    return [*(need for need in needed_by(missing, ended) if need.run_key not in ended), *missing]
