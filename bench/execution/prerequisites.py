"""The trials that others need first: which they are, in which order they are trained, and the networks they leave."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench import names
from bench.storage.destinations import Destination
from bench.storage.offline_folder import contents
from bench.trial.needs import need_words
from bench.trial.result import TrialResult
from bench.trial.spec import DataKey, TrialSpec


def passes_of(trials: Sequence[TrialSpec]) -> list[list[TrialSpec]]:
    """The trials in passes, in order: each pass has one data set, and needs nothing that comes later."""
    depths: dict[str, int] = {}
    among = {spec.run_key for spec in trials}

    def depth(spec: TrialSpec) -> int:
        if spec.run_key not in depths:
            needs = [need for need in spec.needs() if need.run_key in among]
            depths[spec.run_key] = 1 + max(map(depth, needs), default=-1)
        return depths[spec.run_key]

    passes: dict[tuple[int, DataKey], list[TrialSpec]] = {}
    for spec in trials:
        passes.setdefault((depth(spec), spec.data), []).append(spec)
    return [passes[key] for key in sorted(passes, key=lambda key: key[0])]


def by_data(trials: Sequence[TrialSpec]) -> list[list[TrialSpec]]:
    """The trials of each data set, in order."""
    groups: dict[DataKey, list[TrialSpec]] = {}
    for spec in trials:
        groups.setdefault(spec.data, []).append(spec)
    return [*groups.values()]


def not_of(run_key: str, network: bytes) -> str:
    """Why a file is not the trained network of that trial; "" if it is."""
    from bench.artefact.container import unseal

    try:
        actual = unseal(network)[0].run_key
    except ValueError as error:
        return f"its stored network cannot be read: {error}"
    return "" if actual == run_key else f"its stored network is trial {actual[:12]}'s"


def files_of(specs: Iterable[TrialSpec], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of these files that the trials need, by key."""
    keys = {key for spec in specs for key in (spec.base_key, *(need.run_key for need in spec.needs()))}
    return {key: files[key] for key in sorted(keys & files.keys())}


@dataclass
class Networks:
    """A listener that keeps the networks which later trials of a run need, and why some have none."""

    wanted: Collection[str]  # run keys
    files: dict[str, bytes] = field(default_factory=dict)  # key -> file
    lacking: dict[str, str] = field(default_factory=dict)  # run key -> why it has left none
    obstacles: dict[str, str] = field(default_factory=dict)  # run key -> what of another trial kept it from training

    def take(self, specs: Sequence[TrialSpec], destination: Destination, ended: Mapping[str, str]) -> None:
        """Read what these trials need and is stored.

        Args: ended: run key -> why it diverged, or "", of the trials that need no training.
        """
        needed = dict.fromkeys(need.run_key for spec in specs for need in spec.needs())
        for key in needed:
            if key in ended and key not in self.files and key not in self.lacking:
                if ended[key]:
                    self.lacking[key] = f"{names.DIVERGED}: {ended[key]}"
                else:
                    self._read(key, destination)

    def _read(self, key: str, destination: Destination) -> None:
        """Read a stored network, or note why it cannot be had."""
        try:
            network = destination.network(key)
        except OSError as error:
            self.lacking[key] = f"its stored network cannot be read: {error.strerror or error}"
            return
        if reason := not_of(key, network):
            self.lacking[key] = reason
        else:
            self.files[key] = network

    def keep_for(self, specs: Iterable[TrialSpec]) -> None:
        """Let go of the files that none of these trials needs."""
        self.files = files_of(specs, self.files)

    def obstacle(self, spec: TrialSpec) -> str:
        """Why a trial cannot be trained; "" if it has all that it needs. Of a chain of trials the first is named."""
        for need in spec.needs():
            if (key := need.run_key) in self.lacking:
                reason = f"needs {need_words(need)}, {self.lacking[key]}"
                self.obstacles[spec.run_key] = self.obstacles.get(key, reason)
        return self.obstacles.get(spec.run_key, "")

    def started(self, spec: TrialSpec) -> None:
        """Nothing to keep."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to keep."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Keep the network of a trial that others need."""
        if spec.run_key not in self.wanted:
            return
        if result.outcome == names.DONE:
            self.files[spec.run_key] = contents(result)
        else:
            self.lacking[spec.run_key] = f"{result.outcome}: {result.reason}"
