"""`bench speed masks`: how fast, how small and in how much memory a mask of 20 million weights is coded, by rate."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from tabulate import tabulate

from bench.artefact.mask_codec import Bits, decode_mask, encode_mask, entropy_bytes
from bench.engine.setup.memory import timed
from bench.storage.environment import environment
from bench.trial.streams import stream

WEIGHTS = 20_000_000
LAYERS = (0.0005, 0.0095, 0.09, 0.9)  # of the weights; the smaller ones are denser, as SNIP leaves them
DENSER = (20.0, 8.0, 2.0, 0.8)  # times the mean density, at most 1


@dataclass(frozen=True, kw_only=True)
class Coding:
    """Medians over the rounds. Memory: the process's peak above what it held before, in bytes of the mask as bool."""

    rate: str
    live: int
    bytes: int
    over_entropy: float
    encode_seconds: float
    encode_memory: float
    decode_seconds: float
    decode_memory: float


def measure(rates: Sequence[Decimal], rounds: int) -> dict[str, Any]:
    """The codings at these rates and where they were measured."""
    environment_ = {tag.removeprefix("bench."): value for tag, value in environment().items()}
    codings = [asdict(_coding(rate, rounds)) for rate in rates if rate]
    return {"weights": WEIGHTS, "rounds": rounds, "codings": codings, "environment": environment_}


def as_table(result: dict[str, Any]) -> str:
    """The table that the command prints."""
    headers = {
        "rate": "rate", "live": "live", "bytes": "bytes", "over_entropy": "/ entropy", "encode_seconds": "encode s",
        "encode_memory": "memory", "decode_seconds": "decode s", "decode_memory": "memory",
    }  # fmt: skip
    forms = ("", ",d", ",d", ".4f", ".3f", ".1f×", ".3f", ".1f×")
    rows = [[_shown(row[name], form) for name, form in zip(headers, forms, strict=True)] for row in result["codings"]]
    table: str = tabulate(rows, headers=list(headers.values()), tablefmt="github", disable_numparse=True)
    return table


def _shown(value: Any, form: str) -> str:
    return format(value, form.removesuffix("×")) + ("×" if form.endswith("×") else "")


def _coding(rate: Decimal, rounds: int) -> Coding:
    mask = _mask(float(1 - rate))
    sizes = {str(layer): (len(bits), int(bits.sum())) for layer, bits in enumerate(mask)}
    weights = sum(len(bits) for bits in mask)
    data = encode_mask(mask)
    decoded = decode_mask(data, sizes)
    assert all(np.array_equal(bits, decoded[str(layer)]) for layer, bits in enumerate(mask))
    del decoded
    encode, decode = (
        [timed(work, "cpu") for _ in range(rounds)]
        for work in (lambda: encode_mask(mask), lambda: decode_mask(data, sizes))
    )
    return Coding(
        rate=str(rate),
        live=sum(live for _, live in sizes.values()),
        bytes=len(data),
        over_entropy=len(data) / entropy_bytes(list(sizes.values())),
        encode_seconds=statistics.median(seconds for seconds, _ in encode),
        encode_memory=statistics.median(peak for _, peak in encode) / weights,
        decode_seconds=statistics.median(seconds for seconds, _ in decode),
        decode_memory=statistics.median(peak for _, peak in decode) / weights,
    )


def _mask(density: float) -> list[Bits]:
    """Random layers of WEIGHTS in all."""
    draw = stream(0, "mask speed")
    return [
        draw.random_sample(round(share * WEIGHTS)) < min(1, factor * density)
        for share, factor in zip(LAYERS, DENSER, strict=True)
    ]
