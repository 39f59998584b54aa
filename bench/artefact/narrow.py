"""A stored network with its values in a narrower type, and what that costs in accuracy."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from bench import datasets
from bench.artefact.artefact import Artefact, read, write
from bench.datasets.errors import DataError
from bench.datasets.images import ImageData
from bench.datasets.loader import Resident
from bench.datasets.names import kind_of
from bench.engine.measures.evaluate import accuracy
from bench.engine.setup.precision import threads
from bench.engine.setup.prepare import resident


def images_of(artefact: Artefact, data: ImageData) -> Resident:
    """The test images as the network computes with them, on the CPU."""
    spec = artefact.header.spec
    return resident(spec.model, spec.precision, data, "cpu", data.test_images, data.test_labels)


def accuracy_of(artefact: Artefact, images: Resident) -> float:
    """The fraction of the test images that the network classifies right, with the trial's number of threads."""
    spec = artefact.header.spec
    with threads(min(spec.threads, os.cpu_count() or 1)):
        return accuracy(artefact.model, images, torch.arange(len(images)), spec.precision)


def narrowed(artefact: Artefact, value_type: str, images: Resident) -> bytes:
    """The file of the network with its live values in that type, and the accuracy of the network read back from it.

    Raises: ValueError if a value does not fit the type, or if the type is unknown or wider than the weights'.
    """

    def stored(measured: float) -> bytes:
        header = artefact.header
        return write(
            spec=header.spec.model_dump(),
            model=artefact.model,
            masks=artefact.masks,
            init_sha256=header.sha256.init,
            image_shape=tuple(header.image_shape),
            classes=header.classes,
            test_accuracy=measured,
            value_type=value_type,
            base=header.base,
            selection=artefact.selection,
        )

    return stored(accuracy_of(read(stored(0.0), artefact.bases), images))


def data_of(artefact: Artefact, root: Path | None, dataset: str | None = None) -> ImageData:
    """The data set of the trial, fetched if it is missing.

    Args:   dataset: its name now: of a trial on `folder:PATH` the record has only the last component of the path.
    Raises: ValueError if it cannot be fetched, or is not the one that the trial was trained on.
    """
    record = artefact.header.spec.model_extra or {}
    name = dataset or str(record.get("dataset"))
    try:
        content_hash = content_of(name, root)
    except DataError as error:
        if dataset is None and kind_of(name):
            raise ValueError(f"{error}; --dataset says where it is now") from error
        raise
    if content_hash != record.get("data_hash"):
        raise ValueError(f"data set {name}: not the version that the trial was trained on")
    return datasets.load(name, datasets.data_root(root))


def content_of(name: str, root: Path | None) -> str:
    """The content hash of a data set, fetched if it is missing. Raises: ValueError if it cannot be fetched."""
    folder = datasets.data_root(root)
    datasets.fetch(name, folder)
    return datasets.row_of(name, folder).content_hash
