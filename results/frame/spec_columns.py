"""The columns of the frame that follow from a trial's spec, made once for the trials of a cell: the seed is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any

from bench import names
from bench.canonical import canonical_json, group_key_of, key_of
from bench.results.frame.method_record import canonical, method_record
from bench.results.frame.stored_spec import stored_spec
from bench.tags import whole

DENSE = "dense"  # the method name, and the background, of rate 0
BIASES = "biases"  # the background of rate 1, at which no maskable weight is trained
VARYING = ("method", "rate", "seed")  # the fields of a trial that may differ within a section of the table
SEED = re.compile(r'"seed":(0|[1-9]\d{0,17})(?=[,}])')  # as canonical JSON has it, behind one of BEFORE
BEFORE = ("{", ",")


def columns_of(tags: Mapping[str, str]) -> dict[str, Any]:
    """`spec_columns` of a run, with its `group_key`.

    Raises: ValueError saying what is wrong with the spec, or that it is not the one of the run's key.
    """
    text, method = whole(tags, names.SPEC), whole(tags, names.METHOD)
    seeds = [found for found in SEED.finditer(text) if text[found.start() - 1] in BEFORE]
    if len(seeds) == 1 and sha256(text.encode()).hexdigest() == tags.get(names.RUN_KEY):
        (found,) = seeds
        columns = _of_cell(f"{text[: found.start(1)]}0{text[found.end(1) :]}")
        if columns is not None:
            seed = int(found[1])
            return {**columns, "method": method, "seed": seed, "spec.seed": seed}
    spec = stored_spec(tags)
    if (key := tags.get(names.RUN_KEY)) and key_of(spec) != key:
        raise ValueError("its spec is not the one of its run key")
    return {"group_key": group_key_of(spec), **spec_columns(spec, method)}


@lru_cache(maxsize=4096)
def _of_cell(text: str) -> Mapping[str, Any] | None:
    """The columns of the spec whose seed is 0; None if it must be looked at by itself."""
    try:
        spec = stored_spec({names.SPEC: text})
    except ValueError:
        return None
    is_canonical = spec["seed"] == 0 and canonical_json(spec) == text  # else its key is that of another text
    return {"group_key": group_key_of(spec), **spec_columns(spec, "")} if is_canonical else None


def spec_columns(spec: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The columns that follow from a trial's spec and the name of its method."""
    return {
        "dataset": spec["dataset"],
        "model": spec["model"],
        "method": method,
        "rate": spec["rate"],
        "rate_value": float(Decimal(spec["rate"])),
        "seed": spec["seed"],
        "background": _background(spec),
        "protocol": canonical({name: value for name, value in spec.items() if name not in VARYING}),
        **{f"spec.{n}": canonical(v) if isinstance(v, dict | list) else v for n, v in spec.items()},
    }


def _background(spec: Mapping[str, Any]) -> str:
    """By the rate, whatever the method is called; else what its record says."""
    unrated = {Decimal(0): DENSE, Decimal(1): BIASES}
    return unrated.get(Decimal(spec["rate"])) or method_record(canonical(spec["method"])).background
