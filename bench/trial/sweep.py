"""Sweep: methods × rates × seeds of one protocol, as a list of trials. Imports no torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from bench import names
from bench.canonical import key_of
from bench.datasets import label, row_of
from bench.messages import counted, nearest
from bench.methods import METHODS, LastLayer, Method, has_rates, only_rate
from bench.methods.identity.classes import check_distinct
from bench.methods.identity.identify import identify
from bench.methods.last_layer import rate_of_last_layer
from bench.models import INITIALISERS, MODELS
from bench.trial import networks
from bench.trial.changing_masks import check_changing
from bench.trial.needs import needed_by
from bench.trial.networks import head_and_weights, no_pack, structure_of
from bench.trial.optimizers import UPDATES
from bench.trial.pack_kind import resolve_pack
from bench.trial.plugins import described
from bench.trial.protocol import ROWS
from bench.trial.spec import TrialSpec
from bench.trial.step_kind import resolve_step


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one `run` command asks for."""

    methods: Mapping[str, Method]  # canonical name -> method
    known: Mapping[str, Method] = field(default_factory=lambda: METHODS)  # what names a method that is not among these
    rates: Sequence[Decimal]
    seeds: Sequence[int]
    dense: bool  # train the dense baseline too
    classes: int  # of the data set
    image_shape: tuple[int, ...] | None = None  # of the data set; None = that of the model's row
    protocol: Mapping[str, Any]  # the other fields of TrialSpec; `step` and `pack` may be "auto"
    chosen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # cell key -> values that `tune` chose

    def __post_init__(self) -> None:
        names: dict[Method, str] = {}
        of_keys: dict[str, str] = {}
        for name, method in self.methods.items():
            identify(method, again=True)
            key = key_of(method.record())
            other = names.setdefault(method, name)
            if key_of(self.methods[other].record()) != key:
                raise ValueError(f"methods {other} and {name}: differ as 1 and 1.0 do; must be one of them")
            same = of_keys.setdefault(key, name)
            check_distinct(name, method, same, self.methods[same])

    def trials(self) -> list[TrialSpec]:
        """The trials, each run key once; seeds outermost, so that a sweep cut short is still balanced over methods."""
        return list(self._trials)

    @cached_property
    def _trials(self) -> Sequence[TrialSpec]:
        only = {method: rate for method in self.methods.values() if (rate := self._only_rate(method)) is not None}
        rated = [method for method in self.methods.values() if method not in only]
        cells = [(METHODS["dense"], Decimal(0))] if self.dense or 0 in only.values() else []
        cells += [(method, Decimal(rate)) for method, rate in only.items() if rate != 0]
        cells += [(method, rate) for rate in self.rates for method in rated]
        fields = [{"method": method, "rate": rate, **self._resolved(method, rate)} for method, rate in cells]
        specs = [TrialSpec(seed=seed, **{**self.protocol, **cell}) for seed in self.seeds for cell in fields]
        if self.chosen:
            specs = [replace(spec, **self.chosen[spec.cell_key]) for spec in specs]
        return list({spec.run_key: spec for spec in specs}.values())

    def _only_rate(self, method: Method) -> Decimal | int | None:
        """The rate of a method that has a single one with this network."""
        if isinstance(method, LastLayer):
            return rate_of_last_layer(*head_and_weights(self.protocol["model"], self.classes, self.image_shape))
        return only_rate(method)

    @property
    def default_name(self) -> str:
        """What the sweep is called if nobody named it: "mnist-lenet-5-caffe"."""
        return _sweep_name(self.protocol["dataset"], self.protocol["model"])

    def grid(self) -> str:
        """The shape of the sweep in a line: "grid: 2 methods × 5 rates × 5 seeds + dense × 5 seeds = 55 trials"."""
        specs, seeds = self.trials(), len(self.seeds)
        rated = [spec for spec in specs if has_rates(spec.method)]
        methods, rates = len({key_of(spec.method.record()) for spec in rated}), len({spec.rate for spec in rated})
        products = (
            [f"{counted(methods, 'method')} × {counted(rates, 'rate')} × {counted(seeds, 'seed')}"] if rated else []
        )
        unrated = dict.fromkeys(self.name_of(spec.method) for spec in specs if not has_rates(spec.method))
        products += [f"{name} × {counted(seeds, 'seed')}" for name in unrated]
        return f"grid: {' + '.join(products)} = {counted(len(specs), 'trial')}{_needed(specs)}"

    def _resolved(self, method: Method, rate: Decimal) -> dict[str, str]:
        """The kinds of pack and step of a trial."""
        protocol, network = self.protocol, (self.protocol["model"], self.classes, self.image_shape)
        structure = structure_of(*network)
        device, shapes = protocol.get("device", "cpu"), MODELS[protocol["model"]].layers(self.classes, self.image_shape)
        batched = UPDATES[protocol.get("optimizer", TrialSpec.optimizer)].batched
        changes = method.changes_masks and rate != 0
        if changes:
            check_changing(self.name_of(method), method, {**{n: r.default for n, r in ROWS.items()}, **protocol})
        asked = "single" if protocol["pack"] == "auto" and (changes or not batched) else protocol["pack"]
        model = protocol["model"]
        pack = resolve_pack(asked, device=device, shapes=shapes, model=model, obstacle=partial(no_pack, *network))
        # One step kind for all levels of a method that has any, so that rates share them.
        dense = method.reads_parent or changes
        asked_step = "dense" if protocol["step"] == "auto" and dense else protocol["step"]
        if method.own_widths:  # trained in full whatever is asked for, as the dense baseline is
            asked_step = "dense"
        step = resolve_step(
            asked_step,
            device=device,
            precision=protocol["precision"],
            pack=pack,
            background=method.background,
            rate=rate,
            shapes=shapes,
            steppable=None if structure is None else structure.steppable,
            obstacle="" if structure is None else structure.no_sparse_step,
        )
        return {"pack": pack, "step": step}

    def name_of(self, method: Method) -> str:
        """The name the tables print, of a method of the sweep or of trials that these need."""
        name = next((name for name, of_sweep in self.methods.items() if of_sweep == method), "")
        return name or described(method, self.known)


def _needed(specs: Sequence[TrialSpec]) -> str:
    """What is trained before these trials, by data set: ", and first 5 trials of mnist, 10 trials of digits"."""
    counts = Counter(spec.data for spec in needed_by(specs))
    first = ", ".join(f"{counted(count, 'trial')} of {dataset}" for (dataset, _), count in counts.items())
    return f", and first {first}" if first else ""


def _sweep_name(dataset: str, model: str) -> str:
    """A name that a sweep can have, whatever a folder of images is called. It may be that of another data set's sweep.

    >>> _sweep_name("folder:my data (v2)@64", "resnet20"), len(_sweep_name("folder:" + 255 * "x", "resnet20"))
    ('folder:my data -v2--64-resnet20', 200)
    """
    data, network = (re.sub(f"[^{names.SWEEP_NAME_CHARACTERS}]", "-", name) for name in (dataset, model))
    return f"{data[: names.SWEEP_NAME_LONGEST - len(network) - 1]}-{network}"


def data_and_model(dataset: str, model: str | None, initialiser: str, data_root: Path | None = None) -> dict[str, str]:
    """The checked names of data set, model and initialiser, with the content hash of the data.

    Raises ValueError if a name is unknown or the model does not fit the data's shape.
    """
    data = row_of(dataset, data_root)
    if initialiser not in INITIALISERS:
        raise ValueError(nearest("initialiser", initialiser, list(INITIALISERS)))
    model = data.default_model if model is None else model
    row = networks.row_of(model, data.classes, data.image_shape)
    if not row.takes(data.image_shape):
        more = " and larger" if row.larger else ""
        raise ValueError(
            f"model {model!r} takes images {row.image_shape}{more}; data set {dataset!r} has {data.image_shape}"
        )
    return {"dataset": label(dataset), "data_hash": data.content_hash, "model": model, "initialiser": initialiser}
