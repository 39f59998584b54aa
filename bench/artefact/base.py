"""The base of a stored network: the network that its trial started from, which its file names and does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import nn

from bench.artefact.container import is_network, unseal
from bench.artefact.header import BaseRecord, Header
from bench.artefact.weights_file import counterpart_of, tensors_in
from bench.engine.setup.start import Base, tensors_of
from bench.models.initialise import checksum_of

Files = Mapping[str, bytes]  # key -> file: the run key of the trial that left a network, or the SHA-256 of weights


class Rebuilt(Protocol):
    """A stored network, rebuilt: `bench.artefact.artefact.Artefact`, which this module cannot import."""

    @property
    def header(self) -> Header:
        """What its file says."""

    @property
    def model(self) -> nn.Module:
        """The network."""


Read = Callable[[bytes, Files], Rebuilt]  # `bench.artefact.artefact.read`


def identity_of(data: bytes) -> BaseRecord:
    """What names this file as a base; of weights that no trial left, their SHA-256 is the key.

    Raises: ValueError, in one line, if it is neither a network of ours nor a file of weights.
    """
    if is_network(data):
        header = unseal(data)[0]
        return BaseRecord(key=header.run_key, weights=header.sha256.weights)
    sha256 = checksum_of(tensors_in(data))
    return BaseRecord(key=sha256, weights=sha256)


def by_keys(data: bytes) -> dict[str, bytes]:
    """The file by all that may name it: a trial names its base by run key or, if it was given as a file, by weights."""
    identity = identity_of(data)
    return {identity.key: data, identity.weights: data}


def base_from(key: str, files: Files, read: Read, model: str) -> Base:
    """The base of that key among the files.

    Args:   read: `bench.artefact.artefact.read`, which has this for a network that starts from a base itself.
            model: of the trial that starts from it.
    Raises: ValueError, in one line, if it is missing, damaged or another's.
    """
    if key not in files:
        raise ValueError(
            f"its base {key[:16]} is missing: its frozen weights are that network's, whose file must be given"
        )
    if is_network(data := files[key]):
        network = read(data, files)
        _check_key(key, BaseRecord(key=network.header.run_key, weights=network.header.sha256.weights))
        return Base(key, network.header.sha256.weights, tensors_of(network.model))
    tensors, counterpart = tensors_in(data), counterpart_of(model)
    sha256 = checksum_of(tensors)
    _check_key(key, BaseRecord(key=sha256, weights=sha256))
    differs, beside = (counterpart.differs, counterpart.beside) if counterpart else ((), ())
    return Base(key, sha256, tensors, differs, beside)


def _check_key(key: str, identity: BaseRecord) -> None:
    if key not in (identity.key, identity.weights):
        raise ValueError(f"its base: must be {key[:16]}; given is {_words(identity)}")


def base_of(header: Header, files: Files, read: Read) -> Base:
    """The base that a header names.

    Raises: ValueError, in one line, if it is missing, damaged, or another network: then both checksums are named.
    """
    record = header.base
    assert record is not None
    if record.key not in files and files:
        others = {_words(identity_of(data)) for data in files.values()}
        raise ValueError(f"base: must be {_words(record)}; given is {', '.join(sorted(others))}")
    base = base_from(record.key, files, read, header.spec.model)
    if base.sha256 != record.weights:
        raise ValueError(
            f"base: must be {_words(record)}; given is {_words(BaseRecord(key=base.key, weights=base.sha256))}"
        )
    return base


def _words(record: BaseRecord) -> str:
    weights = f"weights of SHA-256 {record.weights[:16]}"
    return weights if record.key == record.weights else f"trial {record.key[:16]} with {weights}"
