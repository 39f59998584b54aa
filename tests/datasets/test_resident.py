"""The resident loader against a naive one."""

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.datasets import DataError
from bench.datasets.loader import Resident

LAYOUTS = [torch.contiguous_format, torch.channels_last]
MEAN, STD = (0.1307, 0.5, 0.45), (0.3081, 0.25, 0.02)


def make(
    channels: int, layout: torch.memory_format, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> tuple[Tensor, Tensor, Resident]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (53, channels, 9, 7), generator=generator).to(torch.uint8)
    labels = torch.arange(53)
    mean, std = MEAN[:channels], STD[:channels]
    return images, labels, Resident(images, labels, mean, std, device=device, dtype=dtype, memory_format=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batch_equals_the_naive_one(channels: int, layout: torch.memory_format, dtype: torch.dtype) -> None:
    images, _, resident = make(channels, layout, dtype)
    indices = torch.tensor([52, 0, 7, 7])
    x, y = resident.batch(indices)
    assert (x.dtype, x.shape, y.tolist()) == (dtype, (4, channels, 9, 7), indices.tolist())
    assert x.is_contiguous(memory_format=layout)
    for row, index in enumerate(indices):
        for c in range(channels):
            naive = (images[index, c].numpy().astype(np.float64) / 255 - MEAN[c]) / STD[c]
            # The error of float32 grows with the size of the normalised values: up to 50 if std is 0.02.
            size = max(1, np.abs(naive).max() / 4)
            assert np.abs(x[row, c].numpy() - naive).max() < (1e-6 if dtype == torch.float32 else 1e-13) * size


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_numbers_do_not_depend_on_the_batch(channels: int, layout: torch.memory_format) -> None:
    _, _, resident = make(channels, layout)
    whole = resident.batch(torch.arange(53))[0]
    for size in (1, 2, 13, 52):
        parts = [x for x, _ in resident.epoch(torch.arange(53), size)]
        assert torch.equal(torch.cat(parts), whole)


def test_epoch_is_the_permutation_and_keeps_the_last_batch() -> None:
    images, _, resident = make(1, torch.contiguous_format, torch.float64)
    order = torch.randperm(53, generator=torch.Generator().manual_seed(1))
    batches = list(resident.epoch(order, 10))
    assert [len(y) for _, y in batches] == [10, 10, 10, 10, 10, 3]
    assert torch.equal(torch.cat([y for _, y in batches]), order)
    pixels = torch.cat([x for x, _ in batches]) * STD[0] * 255 + MEAN[0] * 255
    assert torch.equal(pixels.round().to(torch.uint8), images[order])


def test_epoch_over_some_of_the_images() -> None:
    _, _, resident = make(1, torch.contiguous_format)
    assert [y.tolist() for _, y in resident.epoch(torch.tensor([5, 3, 9]), 2)] == [[5, 3], [9]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_resident_is_uint8_and_shared(layout: torch.memory_format) -> None:
    images, labels, resident = make(1, layout)
    before = images.clone()
    x, _ = resident.batch(torch.arange(53))
    x.zero_()
    assert resident.pixels.dtype == torch.uint8
    assert resident.pixels.data_ptr() == images.data_ptr()  # no second copy of a data set on the CPU
    assert torch.equal(images, before)
    assert len(resident) == len(resident.labels) == len(labels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_gpu_gives_the_cpu_numbers(channels: int, layout: torch.memory_format) -> None:
    on_cpu, on_gpu = make(channels, layout)[2], make(channels, layout, device="cuda")[2]
    for (x, y), (x_gpu, y_gpu) in zip(
        on_cpu.epoch(torch.arange(53), 10), on_gpu.epoch(torch.arange(53), 10), strict=True
    ):
        assert x_gpu.device.type == y_gpu.device.type == "cuda"
        assert x_gpu.is_contiguous(memory_format=layout)
        assert torch.equal(x, x_gpu.cpu())
        assert torch.equal(y, y_gpu.cpu())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": torch.zeros(2, 1, 4, 4)}, r"^images torch.float32 of shape \(2, 1, 4, 4\): must be torch.uint8"),
        ({"images": torch.zeros(2, 4, 4, dtype=torch.uint8)}, r"^images torch.uint8 of shape \(2, 4, 4\)"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, r"^labels torch.int64 of shape \(3,\): must be .*\(2,\)"),
        ({"labels": torch.zeros(2)}, "^labels torch.float32"),
        ({"std": (0.0,)}, r"std \(0.0,\): must be 1 numbers each, std > 0"),
        ({"std": (float("nan"),)}, r"std \(nan,\): must be 1 numbers each, std > 0"),
        ({"mean": (0.1, 0.2)}, r"^mean \(0.1, 0.2\)"),
        ({"dtype": torch.float16}, "^dtype torch.float16: must be torch.float32 or torch.float64"),
        ({"memory_format": torch.preserve_format}, "^memory_format torch.preserve_format: must be one of"),
    ],
)
def test_wrong_arguments_are_named(changed: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "images": torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
        "labels": torch.zeros(2, dtype=torch.int64),
        "mean": (0.5,),
        "std": (0.5,),
        "device": "cpu",
    }
    with pytest.raises(DataError, match=message):
        Resident(**{**arguments, **changed})  # type: ignore[arg-type]
