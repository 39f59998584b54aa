"""The papers' augmentation of colour images: translation and horizontal flip, as one move per image.

A move is a whole number below MOVES: (flip * SHIFTS + row) * SHIFTS + column. The raw image is padded with PADDING
black pixels (0) on every side, the window that begins at (row, column) is cut out, and flipped left to right if flip
is 1: torchvision's RandomCrop(padding=4), then RandomHorizontalFlip. B images, C channels, H × W pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

PADDING = 4  # pixels: an image moves by as many at most, in each direction
SHIFTS = 2 * PADDING + 1
MOVES = 2 * SHIFTS * SHIFTS


def draw(images: int, generator: np.random.RandomState) -> Tensor:
    """A move for each of so many images, uniform, on the CPU: every device then trains on the same images.

    Returns: int64 [images].
    """
    return torch.from_numpy(generator.randint(0, MOVES, images, dtype=np.int64))


def sources(image_shape: tuple[int, ...], *, channels_last: bool) -> Tensor:
    """For each move, the index in an image's row of values that each value comes from; C · H · W is padding.

    Args:    image_shape: (C, H, W). channels_last: the order of the values in the row, H W C instead of C H W.
    Returns: int64 [MOVES, C * H * W].
    """
    channels, height, width = image_shape
    values = np.arange(channels * height * width)
    image = values.reshape(height, width, channels).transpose(2, 0, 1) if channels_last else values.reshape(image_shape)
    padded = np.pad(image, [(0, 0), (PADDING, PADDING), (PADDING, PADDING)], constant_values=len(values))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (channels, height, width))[
        0
    ]  # [SHIFTS, SHIFTS, C, H, W]
    both = np.stack([windows, windows[..., ::-1]])
    ordered = np.moveaxis(both, 3, 5) if channels_last else both
    return torch.from_numpy(ordered.reshape(MOVES, len(values)))


def moved(rows: Tensor, moves: Tensor, table: Tensor) -> Tensor:
    """Every row of raw values, moved.

    Args:    rows: [B, C * H * W]. moves: int64 [B]. table: `sources` of the rows' order.
    Returns: as `rows`.
    """
    padded = torch.nn.functional.pad(rows, (0, 1))  # a black value behind each row
    return padded.gather(1, table.index_select(0, moves))
