"""A tiny data set in IDX files, made here."""

import gzip
import hashlib
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from datasets import DATASETS, DatasetRow


def write_idx(path: Path, array: np.ndarray) -> str:
    """Write a gzipped IDX file; its md5."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The data set "tiny": 12 training and 5 test images of 4x6 in 3 classes, in DATASETS for the test's duration.

    Its `root`, its `row`, and its `arrays` by path in the order of the row.
    """
    random = np.random.RandomState(0)
    arrays = {
        "Tiny/raw/train-images.gz": random.randint(0, 256, (12, 4, 6)),
        "Tiny/raw/train-labels.gz": np.arange(12) % 3,
        "Tiny/raw/test-images.gz": random.randint(0, 256, (5, 4, 6)),
        "Tiny/raw/test-labels.gz": np.arange(5) % 3,
    }
    root = tmp_path / "data"
    row = DatasetRow(
        load="datasets.idx:load",
        image_shape=(1, 4, 6),
        classes=3,
        train=12,
        test=5,
        smallest_class=4,
        default_model="lenet-300-100",
        files={path: write_idx(root / path, array) for path, array in arrays.items()},
        mirrors="torchvision.datasets:MNIST",
    )
    monkeypatch.setitem(DATASETS, "tiny", row)
    return SimpleNamespace(root=root, row=row, arrays=arrays)
