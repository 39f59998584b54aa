"""The resident loader: images stay on the device as uint8 and are normalised batch by batch.

N images, C channels, H × W pixels, B images of a batch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from bench.datasets.augment import moved, sources
from bench.datasets.errors import DataError

LAYOUTS = (torch.contiguous_format, torch.channels_last)


class Resident:
    """Images and labels on one device, ready to be drawn in batches.

    A batch is (x / 255 - mean) / std, computed as x * scale + shift. Multiplication and addition are two operations on
    purpose: each is rounded alike wherever an image stands, while a fused one is not used for the last few pixels of a
    batch, and the numbers would depend on its size.

    Args:    images: uint8 [N,C,H,W]. labels: int64 [N]. Neither is copied if it is on the device in the layout.
             mean, std: C numbers each, of pixels scaled to [0, 1].
             dtype: of the batches, float32 or float64. memory_format: of the batches.
    Raises:  DataError if an argument is not as above, or a std is not above 0.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        _check(images, labels, mean, std, dtype, memory_format)
        self.image_shape: tuple[int, ...] = tuple(images.shape[1:])  # (C, H, W)
        self.labels = labels.to(device)
        self.channels_last = memory_format == torch.channels_last
        ordered = images.permute(0, 2, 3, 1) if self.channels_last else images
        self._row_shape = ordered.shape[1:]
        # One row per image: gathering rows is a plain copy, and a scale per value of the row needs no broadcasting
        # over channels, which is six times slower if the channels come last.
        self.pixels = ordered.reshape(len(images), images.shape[1:].numel()).to(device)
        self._scale = self._row([1 / (255 * s) for s in std], dtype, device)
        self._shift = self._row([-m / s for m, s in zip(mean, std, strict=True)], dtype, device)

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Tensor, moves: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The images at `indices` (int64 [B]) in their order: (x [B,C,H,W] normalised, y int64 [B]).

        Args:   moves: int64 [B], each image's move of `bench.datasets.augment`; None = the images as they are.
        Raises: ValueError if images reduced by `only` are to be moved.
        """
        indices = indices.to(self.pixels.device)
        rows = self.pixels.index_select(0, indices)
        if moves is not None:
            rows = moved(rows, moves.to(rows.device), self._sources)
        rows = rows.to(self._scale.dtype).mul_(self._scale).add_(self._shift)
        x = rows.view(len(indices), *self._row_shape)
        return x.permute(0, 3, 1, 2) if self.channels_last else x, self.labels.index_select(0, indices)

    def only(self, values: Tensor) -> Resident:
        """The same images, reduced to their `values` (int64 [V], indices in an image's C · H · W): x is [B,V].

        Raises: ValueError if channels come last, since the values of a row are then in another order.
        """
        if self.channels_last:
            raise ValueError("values of images in memory format channels_last: must be in torch.contiguous_format")
        reduced = copy.copy(self)
        reduced.__dict__.pop("_sources", None)
        reduced.pixels = self.pixels.index_select(1, values)
        reduced._scale, reduced._shift = self._scale[values], self._shift[values]
        reduced.image_shape = reduced._row_shape = torch.Size([len(values)])
        return reduced

    def epoch(
        self, permutation: Tensor, batch_size: int, augment: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The images at `permutation` (int64), in its order and in batches; the last may be smaller.

        Evaluation of a whole set is the same walk over its indices with a larger batch, not augmented.

        Args:   augment: of each index in `permutation`, the image's move, as `bench.datasets.augment.draw` gives them.
        Raises: ValueError if the moves are not as many as the images.
        """
        if augment is not None and augment.shape != permutation.shape:
            raise ValueError(f"{len(augment)} moves: must be one for each of the {len(permutation)} images")
        permutation = permutation.to(self.pixels.device)
        moves = None if augment is None else augment.to(self.pixels.device)
        for start in range(0, len(permutation), batch_size):
            span = slice(start, start + batch_size)
            yield self.batch(permutation[span], None if moves is None else moves[span])

    @cached_property
    def _sources(self) -> Tensor:
        """Made when it is first needed: as large as 162 images of 8 bytes a value."""
        if len(self.image_shape) != 3:
            raise ValueError(f"moves of images reduced to {self.image_shape[0]} values: must be of whole images")
        return sources(self.image_shape, channels_last=self.channels_last).to(self.pixels.device)

    def _row(self, per_channel: list[float], dtype: torch.dtype, device: torch.device | str) -> Tensor:
        """C numbers, in the order of an image's row."""
        values = torch.tensor(per_channel, dtype=torch.float64)
        values = values if self.channels_last else values.view(-1, 1, 1)
        return values.expand(self._row_shape).reshape(-1).to(device=device, dtype=dtype)


def _check(
    images: Tensor,
    labels: Tensor,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype,
    memory_format: torch.memory_format,
) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise DataError(f"images {images.dtype} of shape {tuple(images.shape)}: must be torch.uint8 [N,C,H,W]")
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        actual, expected = tuple(labels.shape), tuple(images.shape[:1])
        raise DataError(f"labels {labels.dtype} of shape {actual}: must be torch.int64 of shape {expected}")
    channels = images.shape[1]
    if len(mean) != channels or len(std) != channels or not all(s > 0 for s in std):  # NaN is not
        raise DataError(f"mean {mean}, std {std}: must be {channels} numbers each, std > 0")
    if dtype not in (torch.float32, torch.float64):
        raise DataError(f"dtype {dtype}: must be torch.float32 or torch.float64")
    if memory_format not in LAYOUTS:
        raise DataError(f"memory_format {memory_format}: must be one of {', '.join(map(str, LAYOUTS))}")
