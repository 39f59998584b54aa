"""What `list models --model` prints: what is found of one network before it is trained, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from bench.cli.requests.store import ListRequest
from bench.datasets import row_of as data_set
from bench.messages import counted
from bench.trial import networks
from bench.trial.pack_kind import resolve_pack
from bench.trial.plugins import Catalogue, take_installed
from bench.trial.step_kind import SMALLEST

if TYPE_CHECKING:
    from bench.models.structure.structure import Layer, Structure

Shape = tuple[int, ...]
Rows = list[dict[str, Any]]


def network_rows(request: ListRequest) -> tuple[Rows, list[str]]:
    """A row for each layer with parameters, in the order in which they run; and what is to be said of the whole."""
    assert request.model is not None
    Catalogue(request.plugins)
    take_installed({"model": request.model})
    classes, image_shape = _applied_to(request)
    row = networks.row_of(request.model, classes, image_shape)
    if not row.takes(image_shape):
        more = " and larger" if row.larger else ""
        raise ValueError(f"model {request.model!r} takes images {row.image_shape}{more}, not {image_shape}")
    structure = networks.apart(request.model, partial(row.structure, classes, image_shape))
    words = _summary(structure, classes, image_shape, networks.no_pack(request.model, classes, image_shape))
    return [_row(layer, structure) for layer in structure.layers], list(words)


def _applied_to(request: ListRequest) -> tuple[int, Shape]:
    """The number of classes and the shape of the images."""
    data = data_set(request.dataset or "digits")
    if request.image_shape is None:
        return request.classes or data.classes, data.image_shape
    if not re.fullmatch(r"[1-9]\d*x[1-9]\d*x[1-9]\d*", request.image_shape):
        raise ValueError(f"image-shape {request.image_shape!r}: must be CxHxW, as 3x32x32")
    channels, height, width = map(int, request.image_shape.split("x"))
    return request.classes or data.classes, (channels, height, width)


def _row(layer: Layer, structure: Structure) -> dict[str, Any]:
    weight, first = layer.weight, layer.weight in layer.shapes
    macs = [structure.macs[name] for name in layer.shapes if name in structure.macs]
    return {
        "layer": layer.name or "(network)",
        "type": layer.kind,
        "shape": " ".join("x".join(map(str, shape)) or "1" for shape in layer.shapes.values()),
        "parameters": sum(map(prod, layer.shapes.values())),
        "maskable": prod(layer.shapes[weight]) if first else 0,
        "runs": layer.runs,
        "MACs": sum(macs),
        "sparse step": "yes" if weight in structure.steppable else "",
        "note": "; ".join(_notes(layer, structure)),
    }


def _notes(layer: Layer, structure: Structure) -> Iterator[str]:
    if layer.weight and layer.weight == structure.head:
        yield "head"
    if layer.weight and layer.weight not in layer.shapes:
        yield f"its weight is {layer.weight}"
    if not layer.runs:
        yield "others compute with its parameters"
    if unmaskable := [n.rpartition(".")[2] for n, s in layer.shapes.items() if n != layer.weight and len(s) > 1]:
        yield f"{', '.join(unmaskable)} trained in full"


def _summary(structure: Structure, classes: int, image_shape: Shape, no_pack: str) -> Iterator[str]:
    """Lines on the whole network."""
    shapes, weights = structure.shapes, structure.weights
    total, maskable = (sum(map(prod, of.values())) for of in (shapes, weights))
    yield f"for images {'x'.join(map(str, image_shape))} and {classes:,} classes"
    yield f"{total:,} parameters, {maskable:,} of them maskable, in {counted(len(weights), 'weight')}"
    yield f"head: {structure.head or 'no single layer gives the classes'}"
    yield f"{sum(structure.macs.values()):,} multiply-accumulates per image"
    yield f"sparse step: {_sparse(structure, shapes)}"
    packs = dict.fromkeys(resolve_pack(kind, device="cuda", shapes=weights) for kind in ("vmap", "unfold"))
    yield f"packs: {f'none, since {no_pack}' if no_pack else ', '.join(packs)}"
    if structure.is_random:
        yield "draws random numbers in training, from the trial's seed; none while it is scored and measured"
    if structure.on != "meta":
        yield f"looked at on the {structure.on}"


def _sparse(structure: Structure, shapes: Mapping[str, Shape]) -> str:
    if structure.no_sparse_step:
        return f"none, since {structure.no_sparse_step}"
    large = [name for name in structure.weights if name in structure.steppable and prod(shapes[name]) >= SMALLEST]
    return f"of {_few(large)}" if large else f"of no layer: none that could have {SMALLEST:,} weights"


def _few(names: Sequence[str], most: int = 5) -> str:
    """The names, or the first of them."""
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"
