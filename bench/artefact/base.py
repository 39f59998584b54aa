"""The base of a stored network: the network that its trial started from, which its file names and does not hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from bench.artefact.container import BaseRecord, Header, is_network, unseal
from bench.canonical import key_of
from bench.engine.setup.start import Base, tensors_of

Files = Mapping[str, bytes]  # key -> file: the run key of the trial that left a network, or the SHA-256 of the file


def key_of_file(data: bytes) -> str:
    """What names this file as a base. Raises: ValueError, in one line, if it is a damaged network of ours."""
    return key_of(unseal(data)[0].spec.model_dump()) if is_network(data) else hashlib.sha256(data).hexdigest()


def base_from(key: str, files: Files, read: Any) -> Base:
    """The base of that key among the files.

    Args:   read: `bench.artefact.artefact.read`, which has this for a network that starts from a base itself.
    Raises: ValueError, in one line, if it is missing or damaged.
    """
    if key not in files:
        raise ValueError(
            f"its base {key[:16]} is missing: its frozen weights are that network's, whose file must be given"
        )
    data = files[key]
    if not is_network(data):
        raise ValueError(f"base {key[:16]}: must be a .frz file")
    network = read(data, files)
    return Base(key, network.header.sha256.weights, tensors_of(network.model))


def base_of(header: Header, files: Files, read: Any) -> Base:
    """The base that a header names.

    Raises: ValueError, in one line, if it is missing, damaged, or another network: then both checksums are named.
    """
    record = header.base
    assert record is not None
    if record.key not in files and len(files) == 1:  # the only one there is may be another trial's
        (other,) = files
        weights = base_from(other, files, read).sha256
        raise ValueError(f"base: must be {_words(record)}; given is {_words(BaseRecord(key=other, weights=weights))}")
    base = base_from(record.key, files, read)
    if base.sha256 != record.weights:
        raise ValueError(
            f"base: must be {_words(record)}; given is {_words(BaseRecord(key=base.key, weights=base.sha256))}"
        )
    return base


def _words(record: BaseRecord) -> str:
    return f"trial {record.key[:16]} with weights of SHA-256 {record.weights[:16]}"
