"""What is drawn for each epoch of a trial: the order of its training images, and their moves."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.datasets import augment
from bench.trial.streams import stream


class Draws:
    """The draws of one seed, epoch after epoch; each is made once, for all trials of a pack at that seed.

    Args: images: of the training split. device: where the draws are wanted. moved: whether images are augmented.
    """

    def __init__(self, seed: int, images: int, device: torch.device, *, moved: bool) -> None:
        self._images, self._device, self._moved = images, device, moved
        self._order, self._moves = stream(seed, "order"), stream(seed, "augmentation")
        self._drawn = 0  # epochs
        self._last: tuple[Tensor, Tensor | None]

    def of_epoch(self, epoch: int) -> tuple[Tensor, Tensor | None]:
        """A permutation of the places in the training split, and the move of each image in its order or None.

        Args: epoch: from 1; none before the last one asked for.
        """
        assert epoch >= self._drawn
        while self._drawn < epoch:
            order = torch.from_numpy(self._order.permutation(self._images))
            moves = augment.draw(self._images, self._moves) if self._moved else None
            self._drawn += 1
            if self._drawn == epoch:
                self._last = order.to(self._device), None if moves is None else moves.to(self._device)
        return self._last
