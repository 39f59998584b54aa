"""What the engine trains: the model itself on the dense step, its sparse stand-in on the sparse step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.engine.setup.precision import autocast
from bench.engine.setup.prepare import Trial
from bench.engine.steps.sparse_network import SparseNetwork
from bench.trial.spec import TrialSpec


class Network(Protocol):
    """A trial's network while it trains."""

    @property
    def values(self) -> Mapping[str, nn.Parameter]:
        """Weight name -> live values, of the layers that compute only with them."""

    def losses(self, permutation: Tensor, batch_size: int, moves: Tensor | None) -> Iterator[tuple[Tensor, int]]:
        """The mean loss and the number of images of each batch.

        Args: permutation: positions in the training split. moves: of each image (`bench.datasets.augment`), or None.
        """

    def hold(self, scale: float) -> None:
        """Compute as if the background of a trial that fades had this scale, which the model's dead weights have."""

    def write_back(self) -> None:
        """Bring the model's weights up to date."""


class DenseNetwork:
    """The model as it is."""

    def __init__(self, spec: TrialSpec, trial: Trial) -> None:
        self.values: Mapping[str, nn.Parameter] = {}
        self._spec, self._trial = spec, trial

    def losses(self, permutation: Tensor, batch_size: int, moves: Tensor | None) -> Iterator[tuple[Tensor, int]]:
        """The mean loss and the number of images of each batch; see `Network`."""
        self._trial.model.train()
        order = self._trial.train_indices[permutation]
        for x, y in self._trial.train.epoch(order, batch_size, moves):
            with autocast(self._spec.precision, order.device.type):
                loss = cross_entropy(self._trial.model(x), y)
            yield loss, len(y)

    def hold(self, scale: float) -> None:
        """Nothing to do: the model itself is computed with."""

    def write_back(self) -> None:
        """Nothing to do: the model itself is trained."""


def network_of(spec: TrialSpec, trial: Trial) -> Network:
    """The network of the spec's step kind, on the trial's model at its effective initial weights."""
    return DenseNetwork(spec, trial) if spec.step == "dense" else SparseNetwork(trial, spec)
