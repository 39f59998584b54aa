"""Moved images against a naive loop, and against torchvision's transforms."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.functional import crop, hflip, pad

from bench.datasets.augment import MOVES, PADDING, SHIFTS, draw
from bench.datasets.loader import Resident

LAYOUTS = [torch.contiguous_format, torch.channels_last]
MEAN, STD = (0.5, 0.25, 0.75), (0.25, 0.5, 0.2)


def make(layout: torch.memory_format, shape: tuple[int, int, int] = (3, 6, 5), device: str = "cpu") -> Resident:
    pixels = torch.randint(1, 256, (MOVES, *shape), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels, channels = torch.arange(MOVES), shape[0]
    return Resident(pixels, labels, MEAN[:channels], STD[:channels], device=device, memory_format=layout)


def naive(image: NDArray[np.uint8], flip: int, row: int, column: int) -> NDArray[np.uint8]:
    """Pixel by pixel: what stands at (y, x) comes from (row, column) - PADDING further; black if that is outside."""
    channels, height, width = image.shape
    result = np.zeros_like(image)
    for c, y, x in itertools.product(range(channels), range(height), range(width)):
        from_y, from_x = y + row - PADDING, (width - 1 - x if flip else x) + column - PADDING
        if 0 <= from_y < height and 0 <= from_x < width:
            result[c, y, x] = image[c, from_y, from_x]
    return result


def raw(resident: Resident) -> Tensor:
    rows = resident.pixels.cpu()
    _, height, width = resident.image_shape
    return (
        rows.view(len(rows), height, width, -1).permute(0, 3, 1, 2)
        if resident.channels_last
        else rows.view(len(rows), *resident.image_shape)
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 4, 9), (3, 3, 2)])
def test_every_move_equals_the_naive_one(layout: torch.memory_format, shape: tuple[int, int, int]) -> None:
    resident = make(layout, shape)
    moves = itertools.product((0, 1), range(SHIFTS), range(SHIFTS))
    images = raw(resident).numpy()
    expected = torch.from_numpy(np.stack([naive(image, *move) for image, move in zip(images, moves, strict=True)]))
    theirs = Resident(expected, resident.labels, MEAN[: shape[0]], STD[: shape[0]], device="cpu", memory_format=layout)
    x, y = resident.batch(torch.arange(MOVES), torch.arange(MOVES))
    assert torch.equal(x, theirs.batch(torch.arange(MOVES))[0])
    assert x.is_contiguous(memory_format=layout)
    assert torch.equal(y, resident.labels)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_moves_are_torchvisions_crop_and_flip(layout: torch.memory_format) -> None:
    resident = make(layout)
    _, height, width = resident.image_shape
    extremes = [(flip, row, column) for flip in (0, 1) for row in (0, PADDING, 8) for column in (0, PADDING, 8)]
    codes = torch.tensor([(flip * SHIFTS + row) * SHIFTS + column for flip, row, column in extremes])
    wanted = []
    for i, (flip, row, column) in enumerate(extremes):
        cut = crop(pad(raw(resident)[i], [PADDING] * 4), row, column, height, width)
        wanted.append(hflip(cut) if flip else cut)
    theirs = Resident(
        torch.stack(wanted), torch.arange(len(wanted)), MEAN, STD, device="cpu", memory_format=layout
    ).batch(torch.arange(len(wanted)))[0]
    assert torch.equal(resident.batch(torch.arange(len(wanted)), codes)[0], theirs)


def test_padding_is_black_before_normalisation_and_the_middle_is_no_move() -> None:
    resident = make(torch.channels_last)
    still = PADDING * SHIFTS + PADDING
    indices = torch.arange(4)
    assert torch.equal(resident.batch(indices, torch.full((4,), still))[0], resident.batch(indices)[0])
    corner = resident.batch(indices, torch.zeros(4, dtype=torch.int64))[0][:, :, 0, 0]
    black = torch.tensor([-m / s for m, s in zip(MEAN, STD, strict=True)])
    assert torch.equal(corner, black.expand(4, 3))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_epoch_moves_each_place_of_the_permutation(layout: torch.memory_format) -> None:
    resident = make(layout)
    order = torch.randperm(MOVES, generator=torch.Generator().manual_seed(1))[:50]
    moves = draw(50, np.random.RandomState(3))
    parts = list(resident.epoch(order, 16, augment=moves))
    assert [len(y) for _, y in parts] == [16, 16, 16, 2]
    whole, labels = resident.batch(order, moves)
    assert torch.equal(torch.cat([x for x, _ in parts]), whole)
    assert torch.equal(torch.cat([y for _, y in parts]), labels)
    single = [resident.batch(order[i : i + 1], moves[i : i + 1])[0] for i in range(50)]
    assert torch.equal(torch.cat(single), whole)


def test_draws_are_replayed_and_pinned() -> None:
    """They may not move: the images of every stored trial follow from its seed."""
    moves = draw(6, np.random.RandomState(0))
    assert moves.dtype == torch.int64
    assert moves.tolist() == [47, 117, 67, 103, 9, 21]
    assert sorted(set(draw(20_000, np.random.RandomState(1)).tolist())) == list(range(MOVES))


def test_wrong_moves_are_named() -> None:
    resident = make(torch.contiguous_format)
    with pytest.raises(ValueError, match=r"^3 moves: must be one for each of the 4 images$"):
        next(resident.epoch(torch.arange(4), 2, augment=torch.zeros(3, dtype=torch.int64)))
    resident.batch(torch.arange(2), torch.zeros(2, dtype=torch.int64))
    reduced = resident.only(torch.tensor([1, 5]))
    with pytest.raises(ValueError, match=r"^moves of images reduced to 2 values: must be of whole images$"):
        reduced.batch(torch.arange(2), torch.zeros(2, dtype=torch.int64))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gpu_gives_the_cpu_images(layout: torch.memory_format) -> None:
    moves = draw(MOVES, np.random.RandomState(0))
    on_cpu, on_gpu = (make(layout, device=device).batch(torch.arange(MOVES), moves)[0] for device in ("cpu", "cuda"))
    assert on_gpu.device.type == "cuda"
    assert torch.equal(on_cpu, on_gpu.cpu())
