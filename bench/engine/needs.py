"""The networks that trials need before they are set up, as the files in which other trials left them."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from bench.artefact.artefact import read
from bench.artefact.base import Files, base_from
from bench.engine.setup.parent import Parent
from bench.engine.setup.start import Base
from bench.methods.maskable import maskable
from bench.trial.spec import TrialSpec


@dataclass(frozen=True)
class Needs:
    """Files by key: the run key of the trial that left a network, or the SHA-256 of weights from outside."""

    files: Files = field(default_factory=lambda: MappingProxyType({}))

    def base(self, spec: TrialSpec) -> Base | None:
        """What the trial starts from; None if its weights are drawn.

        Raises: ValueError, in one line, if it is missing, damaged or another's.
        """
        return base_from(spec.base_key, self.files, read, spec.model) if spec.start else None

    def parent(self, spec: TrialSpec) -> Parent | None:
        """What the trial's method reads; None if that is no trained network.

        Raises: ValueError, in one line, if it is missing, damaged or another trial's.
        """
        if (parent := spec.parent()) is None:
            return None
        if (key := parent.run_key) not in self.files:
            raise ValueError(f"the network of its parent {key[:16]} is missing: that trial must be trained first")
        network = read(self.files[key], self.files)
        if (actual := network.header.run_key) != key:
            raise ValueError(f"the network of its parent: must be that of trial {key[:16]}; given is {actual[:16]}'s")
        weights = {name: weight.detach() for name, weight in maskable(network.model).items()}
        return Parent(key=key, sha256=network.header.sha256.weights, trained=weights, live=network.masks)


NONE = Needs()
