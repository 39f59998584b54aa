"""Weights from outside that the trials of a sweep start from: a file, or torchvision's, read and tried once.

What does not fit is a ValueError of one line, before anything is trained. Imports torch where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.datasets.names import kind_of
from bench.disk import absolute
from bench.messages import nearest, one_of
from bench.trial.networks import network_of
from bench.trial.start import SUFFIXES, GivenWeights, Head, Norm, Start
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.engine.setup.start import Base, Taken

TORCHVISION = "torchvision/"


@dataclass(frozen=True, kw_only=True)
class OutsideStart:
    """A start from such weights."""

    start: Start
    weights: Mapping[str, bytes]  # SHA-256 of the weights -> their file
    words: str  # what is taken of them, and what is drawn


def is_outside(source: str) -> bool:
    """Whether it names weights, and no data set.

    >>> is_outside("mnist"), is_outside("base.FRZ"), is_outside("torchvision/IMAGENET1K_V1"), is_outside("npz:a.bin")
    (False, True, True, False)
    """
    return kind_of(source) is None and (source.startswith(TORCHVISION) or source.lower().endswith(SUFFIXES))


def outside_start(sweep: Sweep, source: str, head: Head, norm: Norm) -> OutsideStart:
    """The start from the weights of that name, which fit the sweep's network.

    Raises: ValueError, in one line, if they are not there, cannot be read or do not fit.
    """
    is_torchvision = source.startswith(TORCHVISION)
    path = _of_torchvision(sweep.protocol["model"], source) if is_torchvision else absolute(Path(source))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"start {source!r}: cannot be read: {error.strerror or error}") from error
    try:
        return _checked(sweep, data, _label(source), head, norm)
    except ValueError as error:
        raise ValueError(f"start {source!r}: {error}") from None


def _label(source: str) -> str:
    """What a record calls the weights: of a path only the last component."""
    return source if source.startswith(TORCHVISION) else Path(source).name


def _checked(sweep: Sweep, data: bytes, label: str, head: Head, norm: Norm) -> OutsideStart:
    """Read the file, and try its weights on the sweep's network."""
    from bench.artefact.artefact import read
    from bench.artefact.base import base_from, identity_of
    from bench.artefact.container import is_network, unseal

    header = unseal(data)[0] if is_network(data) else None
    if header is not None and header.base is not None and header.needs_base:
        words = f"its frozen weights are those of another network, {header.base.key[:16]}"
        raise ValueError(f"must be self-contained: {words}")
    sha256 = identity_of(data).weights
    start = Start(base=GivenWeights(sha256=sha256, label=label), head=head, norm=norm)
    base = base_from(sha256, {sha256: data}, read, sweep.protocol["model"])
    taken = _tried(sweep, start, base)
    return OutsideStart(start=start, weights={sha256: data}, words=f"start {label} ({sha256[:12]}): {taken.words}")


def _tried(sweep: Sweep, start: Start, base: Base) -> Taken:
    """What a network of the sweep takes of the base."""
    from bench.engine.setup.precision import DTYPES
    from bench.engine.setup.start import set_start

    model = network_of(sweep.protocol["model"], sweep.classes, sweep.image_shape)
    return set_start(model.to(DTYPES[sweep.protocol["precision"]]), start, base)


def _of_torchvision(model: str, source: str) -> Path:
    """Where torchvision keeps the weights of that name; it fetches them if it is asked to."""
    import torch
    from torchvision.models import get_model_weights

    from bench.artefact.weights_file import COUNTERPARTS, counterpart_of

    counterpart, name = counterpart_of(model), source.removeprefix(TORCHVISION)
    if counterpart is None:
        must = one_of([*COUNTERPARTS, "torchvision:NAME"])
        raise ValueError(f"start {source!r}: torchvision has no weights of model {model!r}; the model {must}")
    known: Mapping[str, Any] = get_model_weights(counterpart.name).__members__
    if name not in known:
        raise ValueError(f"start {source!r}: {nearest(f'weights of {counterpart.name}', name, [*known])}")
    path = Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(known[name].url).path).name)
    if not path.exists():
        call = f"torchvision.models.get_model('{counterpart.name}', weights='{name}')"
        raise ValueError(
            f'start {source!r}: not in {path.parent}, and not fetched unasked; `python -c "import torchvision; {call}"`'
            " fetches it"
        )
    return path
