"""The networks that trials need before they are set up, as the files in which other trials left them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from bench.artefact.artefact import read
from bench.artefact.base import Files, base_from
from bench.engine.setup.start import Base
from bench.trial.spec import TrialSpec


@dataclass(frozen=True)
class Needs:
    """Files by key: the run key of the trial that left a network, or the SHA-256 of a file of weights."""

    files: Files = field(default_factory=lambda: MappingProxyType({}))

    def base(self, spec: TrialSpec) -> Base | None:
        """What the trial starts from; None if its weights are drawn.

        Raises: ValueError, in one line, if it is missing or damaged.
        """
        return base_from(spec.base_key, self.files, read) if spec.start else None


NONE = Needs()
