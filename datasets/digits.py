"""scikit-learn's handwritten digits, up-sampled to MNIST's size: a real data set without a download."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from bench.datasets.files import read_all
from bench.datasets.images import ImageData
from bench.datasets.splits import stratified
from bench.datasets.statistics import mean_std

if TYPE_CHECKING:
    from bench.datasets import DatasetRow

TEST_SEED = 0  # the test images are the same for every trial
SMALL, LARGE, GREYS = 8, 28, 16  # pixels, pixels, the largest value of a small pixel


def load(name: str, row: DatasetRow, root: Path) -> ImageData:
    """The 1,797 digits as 28x28 uint8, with a stratified test set; `root` is the folder that has scikit-learn.

    Its file is read here, as its `load_digits` does, because to import it takes longer than to train a small trial.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, as in scikit-learn.
    Raises: DataError if scikit-learn's file is not the expected one.
    """
    (content,) = read_all(name, row.files, row, root)
    rows = np.loadtxt(gzip.decompress(content).decode().splitlines(), delimiter=",", dtype=np.int64)
    images = torch.from_numpy(upsample(rows[:, :-1].reshape(-1, SMALL, SMALL))).unsqueeze(1)
    labels = torch.from_numpy(rows[:, -1].copy())
    test = stratified(labels, row.test, np.random.RandomState(TEST_SEED))
    train = torch.ones(len(labels), dtype=torch.bool).index_fill_(0, test, False)
    mean, std = mean_std(images[train])
    return ImageData(
        name=name,
        classes=row.classes,
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        mean=mean,
        std=std,
    )


def upsample(images: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Bilinear up-sampling of values 0..16 [N,8,8] to uint8 [N,28,28], 16 becoming 255, rounded half up.

    Half-pixel centres, clamped at the edges: torch's `interpolate` with align_corners=False. In integers, because a
    float result at .5 would round one way on one CPU and the other on the next.
    """
    weights = _weights()
    denominator = 14 * 14 * GREYS
    scaled = weights @ images @ weights.T * 255
    return ((2 * scaled + denominator) // (2 * denominator)).astype(np.uint8)


def _weights() -> NDArray[np.int64]:
    """[28,8], in 14ths: large pixel i lies at the small coordinate (i + 1/2) * 8/28 - 1/2 = (4i - 5) / 14."""
    rows = np.arange(LARGE)
    numerator = np.clip(4 * rows - 5, 0, 14 * (SMALL - 1))
    left, fraction = numerator // 14, numerator % 14
    weights = np.zeros((LARGE, SMALL), dtype=np.int64)
    weights[rows, left] = 14 - fraction
    weights[rows, np.minimum(left + 1, SMALL - 1)] += fraction
    return weights
