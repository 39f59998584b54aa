"""Small data sets as files of NumPy's, made here: each a folder's `data.npz`, so that all have one label."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def npz(folder: Path, classes: int, images: int = 20) -> str:
    """Write a file; what names it as a data set.

    Args: images: of each class, in training.
    """
    random = np.random.RandomState(classes)

    def split(of_each: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(of_each * classes) % classes
        pixels = random.randint(0, 120, (len(labels), 28, 28), dtype=np.uint8)
        pixels[np.arange(len(labels)), labels * 2 + 4, :] += 130
        return pixels, labels.astype(np.int64)

    folder.mkdir(parents=True, exist_ok=True)
    (x, y), (test_x, test_y) = split(images), split(2)
    path = folder / "data.npz"
    np.savez(path, train_images=x, train_labels=y, test_images=test_x, test_labels=test_y)
    return f"npz:{path}"
