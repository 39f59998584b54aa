"""The file of a stored network, opened: its size is checked before it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from bench.artefact.artefact import NO_FILES, Artefact, read
from bench.artefact.base import Files, by_keys
from bench.artefact.container import BEGINNING, declared
from bench.artefact.header import Header
from bench.artefact.header_model import model_row
from bench.references import Reference
from bench.trial.networks import built_by
from bench.trial.plugins import Catalogue

BYTES_PER_PARAMETER = 16  # at most; BatchNorm's statistics included
OVERHEAD_BYTES = 1 << 16  # at most, in addition


def load(
    path: str | Path,
    *,
    model: Reference | None = None,
    plugins: Sequence[str] = (),
    base: str | Path | Sequence[str | Path] = (),
) -> nn.Module:
    """The network in a `.frz` file, on the CPU, in evaluation mode, bit for bit as it was stored.

    Args:   base: the file of the network that its trial started from, if its frozen weights are that network's: a
                `.frz` file, or the weights that were given; and of that one's base, if it has one.
            model: what builds the network, if it is not one of ours: what `MODELS` of the trial's plug-in had.
            plugins: or such plug-ins, as `--plugin` takes them.
    Raises: OSError if the file cannot be read; ValueError, in one line, if it is no stored network, its network is not
            known or has another source, or its initial weights cannot be reproduced here. Never returns a network that
            differs.
    """
    Catalogue(plugins)
    bases = files_of([base] if isinstance(base, str | Path) else base)
    if model is None:
        return open_artefact(path, bases).model
    with _errors_of(path):
        given = built_by(_declared(Path(path))[0].spec.model, model)
    with given:
        return open_artefact(path, bases).model


def open_artefact(path: str | Path, bases: Files = NO_FILES) -> Artefact:
    """The network in a file with its header and masks; raises as `load` does."""
    with _errors_of(path):
        _check_size(Path(path))
        return read(Path(path).read_bytes(), bases)


def files_of(paths: Sequence[str | Path]) -> dict[str, bytes]:
    """The files of bases, by what may name them. Raises: as `load`."""
    files: dict[str, bytes] = {}
    for path in paths:
        with _errors_of(path):
            files |= by_keys(Path(path).read_bytes())
    return files


def header_of(path: str | Path) -> Header:
    """The header of a file, which is not checked further; raises as `load` does."""
    with _errors_of(path):
        return _declared(Path(path))[0]


@contextmanager
def _errors_of(path: str | Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _declared(path: Path) -> tuple[Header, int]:
    """The header of a file, and the bytes that it must have."""
    with path.open("rb") as file:
        return declared(file.read(BEGINNING))


def _check_size(path: Path) -> None:
    """Check, before reading a file, that it has the bytes its header declares, and no more than its network needs."""
    header, size = _declared(path)
    parameters = model_row(header).parameters(header.classes, tuple(header.image_shape))
    if sum(header.parts) > OVERHEAD_BYTES + BYTES_PER_PARAMETER * parameters:
        raise ValueError(f"parts of {sum(header.parts)} bytes: more than {parameters} parameters need")
    if size != (actual := path.stat().st_size):
        raise ValueError(f"corrupted or cut off: {actual} bytes; its header declares {size}")
