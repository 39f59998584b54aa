"""Sweep: methods × rates × seeds of one protocol, as a list of trials. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bench.catalogue import nearest
from bench.spec import TrialSpec
from bench.steps import Step, resolve_step
from datasets import DATASETS
from methods import METHODS, Method
from models import INITIALISERS, MODELS

DENSE = METHODS["dense"]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one `run` command asks for."""

    methods: Mapping[str, Method]  # canonical name -> method
    rates: Sequence[Decimal]
    seeds: Sequence[int]
    dense: bool  # train the dense baseline along
    protocol: Mapping[str, Any]  # the other fields of TrialSpec; `step` may be "auto"

    def trials(self) -> list[TrialSpec]:
        """The trials, each run key once; seeds outermost, so that a sweep cut short is still balanced over methods."""
        zero = Decimal(0)
        cells = [(DENSE, zero)] if self.dense or DENSE in self.methods.values() else []
        for rate in self.rates:
            cells += [
                (DENSE, zero) if rate == 0 else (m, rate) for m in self.methods.values() if rate == 0 or m != DENSE
            ]
        specs = [
            TrialSpec(method=method, rate=rate, seed=seed, **{**self.protocol, "step": self._step(method, rate)})
            for seed in self.seeds
            for method, rate in cells
        ]
        return list({spec.run_key: spec for spec in specs}.values())

    def _step(self, method: Method, rate: Decimal) -> Step:
        p = self.protocol
        shapes = MODELS[p["model"]].layers
        return resolve_step(
            p["step"], device=p["device"], precision=p["precision"], background=method.background, rate=rate,
            shapes=shapes,
        )  # fmt: skip

    def name_of(self, method: Method) -> str:
        """The name the tables print."""
        return next((name for name, m in self.methods.items() if m == method), "dense")


def data_and_model(dataset: str, model: str | None, initialiser: str) -> dict[str, str]:
    """The checked names of data set, model and initialiser, with the content hash of the data.

    Raises ValueError where a name is unknown or the model does not fit the data's shape.
    """
    for kind, name, table in (("data set", dataset, DATASETS), ("initialiser", initialiser, INITIALISERS)):
        if name not in table:
            raise ValueError(nearest(kind, name, list(table)))
    data = DATASETS[dataset]
    model = data.default_model if model is None else model
    if model not in MODELS:
        raise ValueError(nearest("model", model, list(MODELS)))
    row = MODELS[model]
    if (row.image_shape, row.classes) != (data.image_shape, data.classes):
        raise ValueError(
            f"model {model!r} takes images {row.image_shape} of {row.classes} classes; data set {dataset!r} has"
            f" {data.image_shape} of {data.classes}"
        )
    return {"dataset": dataset, "data_hash": data.content_hash, "model": model, "initialiser": initialiser}
