"""A trained network as a file: what must be stored of it, and nothing else.

Stored are the mask, the live values, biases, BatchNorm's state and the trial's spec. The initial weights of a frozen
network are drawn again from the 32-bit seed, or are those of its base, whose file must be given then; a pruned one has
zeros in their place and needs neither. If the method trains no weights, the live ones are initial too, and not stored.
Runs without the training code, Ray and MLflow.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from bench import models
from bench.artefact.base import Files, base_of
from bench.artefact.channel_bits import check_closed, encode_channels, entries_of, live_masks, selection_in
from bench.artefact.container import seal, unseal
from bench.artefact.header import BaseRecord, Checksums, Header, SpecRecord
from bench.artefact.header_model import model_row
from bench.artefact.mask_part import decode_part, encode_part
from bench.artefact.tensor_order import counters_of, fill, number_type, numbers_of, set_others, sizes_of_others
from bench.artefact.value_codec import decode_values, encode_values
from bench.artefact.value_types import VALUE_TYPES, narrow, widen
from bench.channels.selection import Selection
from bench.engine.setup.background import apply_background, draw, trained_from
from bench.engine.setup.checksums import logits_checksum, mask_checksum
from bench.engine.setup.precision import DTYPES
from bench.engine.setup.start import set_start
from bench.messages import nearest
from bench.methods.controls import CONTROLS
from bench.methods.maskable import maskable
from bench.models.channels.surgery import close
from bench.models.initialise import checksum
from bench.models.initialisers import INITIALISERS

MESSAGE_LENGTH = 400
NO_FILES: Files = MappingProxyType({})
PACKAGES = ("torch", "numpy", "constriction")  # a rebuilt network may depend on their versions


@dataclass(frozen=True)
class Artefact:
    """A stored network, rebuilt on the CPU and checked against all its checksums except that of the logits."""

    header: Header
    model: nn.Module  # in evaluation mode
    masks: Mapping[str, Tensor]  # name -> bool, True = live
    bases: Files = field(default_factory=dict)  # that it was read with
    selection: Selection | None = None  # of a network with closed channels


def write(
    *,
    spec: Mapping[str, Any],
    model: nn.Module,
    masks: Mapping[str, Tensor],
    init_sha256: str,
    image_shape: tuple[int, ...],
    classes: int,
    test_accuracy: float,
    value_type: str = "",
    base: BaseRecord | None = None,
    selection: Selection | None = None,
) -> bytes:
    """The file of a trained network.

    Args:    spec: TrialSpec.record(). masks: of all maskable weights, True = live. init_sha256: of the initial weights.
             base: what the trial started from, if its weights were not drawn.
             selection: of a network with closed channels, whose mask and tensors are stored by channel.
             value_type: of VALUE_TYPES, for the live values; "" = the type of the weights, without loss.
    Raises:  ValueError if a value does not fit the type, or if the type is unknown or wider than the weights'.
    """
    stored = copy.deepcopy(model).cpu()
    masks = {name: masks[name].cpu() for name in maskable(stored)}
    weight_type = str(next(stored.parameters()).dtype).removeprefix("torch.")
    value_type = value_type or weight_type
    _check_type(value_type, weight_type)
    record = SpecRecord(**spec)
    _check_values(record, value_type, weight_type)
    live = [int(mask.sum()) for mask in masks.values()]
    values = [w.detach()[masks[name]] for name, w in maskable(stored).items()] if record.method.trains_weights else []
    numbers, scales = narrow(values, value_type)
    if value_type != weight_type:
        fill(stored, masks, widen(numbers, live, scales, value_type))
    entries = entries_of(stored, selection)
    if selection is not None:
        check_closed(stored, masks, entries)
    mask_part, by_filters = encode_part(masks) if selection is None else (encode_channels(selection), None)
    header = Header(
        spec=record,
        image_shape=list(image_shape),
        classes=classes,
        live=live,
        value_type=value_type,
        scales=scales,
        counters={name: b.reshape(-1).tolist() for name, b in counters_of(stored)},
        parts=[0, 0, 0],
        sha256=Checksums(
            init=init_sha256,
            mask=mask_checksum(masks),
            weights=checksum(stored),
            logits=logits_checksum(stored, spec["seed"], image_shape),
        ),
        test_accuracy=test_accuracy,
        made_with=versions(),
        base=base,
        channels=None if selection is None else selection.channels.kind,
        filters=by_filters,
    )
    return seal(header, (mask_part, encode_values(numbers), encode_values(numbers_of(stored, entries))))


def read(data: bytes, bases: Files = NO_FILES) -> Artefact:
    """The network in bytes that `write` returned. Raises ValueError, in one line, as `load` does.

    Args: bases: the files of networks that it may need.
    """
    try:
        return _read(data, bases)
    except ValueError as error:
        message = " ".join(str(error).split())
        raise ValueError(message if len(message) <= MESSAGE_LENGTH else f"{message[:MESSAGE_LENGTH]}…") from None


def _read(data: bytes, bases: Files) -> Artefact:
    header, (mask_part, live_part, other_part) = unseal(data)
    spec = header.spec
    row = model_row(header)
    dtype = _row("precision", spec.precision, DTYPES)
    value_type = _row("value type", header.value_type, VALUE_TYPES)
    if not row.takes(tuple(header.image_shape)):
        raise ValueError(f"images {header.image_shape}: {spec.model} takes others")
    if len(header.live) != (layers := len(row.layers(header.classes, tuple(header.image_shape)))):
        raise ValueError(f"live weights of {len(header.live)} layers: {spec.model} has {layers}")
    model = models.build(spec.model, header.classes, tuple(header.image_shape)).to(dtype).eval()
    weights = maskable(model)
    selection = selection_in(model, tuple(header.image_shape), header.channels, mask_part)
    entries = entries_of(model, selection)
    if selection is None:
        masks = decode_part(mask_part, weights, header.live, bool(header.filters))
    else:
        masks = live_masks(weights, header.live, entries)
    values = decode_values(live_part, sum(header.live) if spec.method.trains_weights else 0, value_type.dtype)
    numbers = decode_values(other_part, sum(sizes_of_others(model, entries)), number_type(model))
    _set_background(model, masks, header, bases)
    if selection is not None:
        close(model, selection.channels, selection.open)
    if spec.method.trains_weights:
        fill(model, masks, widen(values, header.live, header.scales, header.value_type))
    set_others(model, numbers, header.counters, entries)
    _check("mask", header.sha256.mask, mask_checksum(masks))
    _check("weights", header.sha256.weights, checksum(model))
    return Artefact(header, model, masks, bases, selection)


@cache
def versions() -> dict[str, str]:
    """Package -> version, of PACKAGES."""
    return {package: version(package) for package in PACKAGES}


def _set_background(model: nn.Module, masks: Mapping[str, Tensor], header: Header, bases: Files) -> None:
    """Set every maskable weight to the value that it has if it is dead."""
    spec = header.spec
    if header.is_self_contained:
        with torch.no_grad():
            for weight in maskable(model).values():
                weight.zero_()
        return
    _row("initialiser", spec.initialiser, INITIALISERS)
    _row("control", spec.method.control, CONTROLS)
    draw(model, spec, trained_from(spec))
    if spec.start is not None:
        set_start(model, spec.start, base_of(header, bases, read))
    if (actual := checksum(model)) != header.sha256.init:
        raise ValueError(
            f"the initial weights cannot be reproduced here: {spec.initialiser}, seed {spec.seed}, expected SHA-256 "
            f"{header.sha256.init[:16]}, found {actual[:16]}; made with {_version_list(header.made_with)}, here "
            f"{_version_list(versions())}"
        )
    apply_background(model, masks, spec)


def _row(noun: str, name: str, table: Mapping[str, Any]) -> Any:
    """The table's row of that name."""
    if name not in table:
        raise ValueError(nearest(noun, name, list(table)))
    return table[name]


def _check_type(value_type: str, weight_type: str) -> None:
    if _row("value type", value_type, VALUE_TYPES).dtype.itemsize > VALUE_TYPES[weight_type].dtype.itemsize:
        raise ValueError(f"value type {value_type}: must not be wider than {weight_type}, the type of the weights")


def _check_values(spec: SpecRecord, value_type: str, weight_type: str) -> None:
    if not spec.method.trains_weights and value_type != weight_type:
        raise ValueError(f"value type {value_type}: must be {weight_type}; the file holds no live values")


def _check(noun: str, expected: str, actual: str) -> None:
    if actual != expected:
        raise ValueError(f"{noun} rebuilt differently: expected SHA-256 {expected[:16]}, found {actual[:16]}")


def _version_list(packages: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {packages[name]}" for name in sorted(packages))
