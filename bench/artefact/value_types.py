"""The types in which the values of live weights are stored.

A narrow type loses digits, not weights. float16 and bfloat16 round to nearest, ties to even. int8 takes one scale
per weight tensor, s = max|w| / 127, and keeps round(w / s), ties to even, read back as s · that number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 127  # of int8, on each side of zero


@dataclass(frozen=True)
class ValueType:
    """How the live values [k] of a weight tensor are kept, and how they are read back."""

    dtype: np.dtype[Any]  # of the stored numbers
    narrow: Callable[[Tensor, float], Tensor]  # (values, scale) -> numbers of that many bytes
    widen: Callable[[Tensor, float], Tensor]  # (numbers, scale) -> values
    has_scale: bool = False


def _float(dtype: torch.dtype, width: str) -> ValueType:
    bits = torch.int16 if dtype == torch.bfloat16 else dtype  # NumPy has no bfloat16: its 16 bits go as integers
    return ValueType(np.dtype(width), lambda v, scale: v.to(dtype).view(bits), lambda n, scale: n.view(dtype))


VALUE_TYPES: dict[str, ValueType] = {
    "float64": _float(torch.float64, "<f8"),
    "float32": _float(torch.float32, "<f4"),
    "float16": _float(torch.float16, "<f2"),
    "bfloat16": _float(torch.bfloat16, "<i2"),
    "int8": ValueType(
        np.dtype("i1"),
        lambda v, scale: (v.double() / scale if scale else v).round().to(torch.int8),
        lambda n, scale: n.double() * scale,
        has_scale=True,
    ),
}


def narrow(values: Sequence[Tensor], name: str) -> tuple[NDArray[Any], list[float]]:
    """The live values of all tensors as numbers of a type of VALUE_TYPES, one after the other, and their scales.

    Raises: ValueError if a value does not fit the type.
    """
    value_type = VALUE_TYPES[name]
    scales = [_scale(v) if value_type.has_scale else 1.0 for v in values]
    stored = [value_type.narrow(v, scale) for v, scale in zip(values, scales, strict=True)]
    for before, numbers, scale in zip(values, stored, scales, strict=True):
        if not value_type.widen(numbers, scale).isfinite().all():
            raise ValueError(f"value type {name}: the weight {float(before.abs().max()):g} does not fit")
    flat = torch.cat(stored).numpy() if stored else np.zeros(0)
    return flat.view(value_type.dtype), scales if value_type.has_scale else []


def widen(numbers: NDArray[Any], counts: Sequence[int], scales: Sequence[float], name: str) -> list[Tensor]:
    """The values of tensors of `counts` live weights each: what `narrow` kept of them."""
    value_type = VALUE_TYPES[name]
    if len(scales) != (len(counts) if value_type.has_scale else 0) or not all(isfinite(s) and s >= 0 for s in scales):
        raise ValueError(
            f"{len(scales)} scales of {len(counts)} tensors of {name} values: must be one each of int8, else none"
        )
    tensors: Sequence[Tensor] = torch.from_numpy(numbers.copy()).split(list(counts))  # type: ignore[no-untyped-call]
    return [value_type.widen(t, scale) for t, scale in zip(tensors, scales or [1.0] * len(tensors), strict=True)]


def _scale(values: Tensor) -> float:
    """In float64, from the largest magnitude; 0 if all values are 0 or there is none."""
    return float(values.double().abs().max()) / LEVELS if values.numel() else 0.0
