"""What the trials of a sweep start from, as it is asked for; what is wrong is a ValueError of one line. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.artefact.outside_weights import is_outside, outside_start
from bench.datasets import row_of
from bench.datasets.names import kind_of
from bench.execution.checked_sweep import check_data
from bench.messages import one_of
from bench.models import MODELS
from bench.trial.needs import needed_by
from bench.trial.networks import check_head, network_of
from bench.trial.spec import DataKey, TrialSpec
from bench.trial.start import PREFIX, SCRATCH, Head, Norm, Pretraining, Start, When
from bench.trial.sweep import Sweep, data_and_model


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What is asked of the start; None: as the trials' own protocol says."""

    start: str = SCRATCH
    epochs: int | None = None
    lr: float | None = None
    head: Head = "redrawn"
    norm: Norm = "kept"
    when: When = "before"


@dataclass(frozen=True, kw_only=True)
class Started:
    """A sweep with its start, and what training that takes."""

    sweep: Sweep
    data: Mapping[DataKey, str] = field(default_factory=dict)  # the data sets of bases -> their names
    weights: Mapping[str, bytes] = field(default_factory=dict)  # SHA-256 of weights from outside -> their file
    words: str = ""  # what is taken of these


def with_start(sweep: Sweep, dataset: str, request: StartRequest, data_root: Path | None = None) -> Started:
    """The sweep whose trials start so.

    Args: dataset: the name of the sweep's own data set.
    """
    _check_words(request)
    start, outside = None, None
    data: dict[DataKey, str] = {}
    source, seed = _source_and_seed(request.start)
    if is_outside(source):
        _check_outside(request, source, seed)
        outside = outside_start(sweep, source, request.head, request.norm)
        start = outside.start
    elif request.start != SCRATCH:
        base = _pretraining(sweep, source, seed, request, data_root)
        start = Start(base=base, head=request.head, norm=request.norm)
        data[base.dataset, base.data_hash] = source
    if request.when == "after":
        base = _own_training(sweep, start)
        start = Start(base=base, head="kept", norm="kept")
        data[base.dataset, base.data_hash] = dataset
    if start is None:
        return Started(sweep=sweep)
    if request.start != SCRATCH and request.head == "redrawn":
        check_head(sweep.protocol["model"], sweep.classes, sweep.image_shape)
    if request.norm == "fresh":
        _check_norm(sweep)
    sweep = replace(sweep, protocol={**sweep.protocol, "start": start})
    for need in needed_by(sweep.trials()[:1]):  # whose fields are checked as it is made
        if need.data in data:
            _check_base_data(data[need.data], need, data_root)
    return Started(
        sweep=sweep,
        data=data,
        weights=outside.weights if outside else {},
        words=outside.words if outside else "",
    )


def _check_norm(sweep: Sweep) -> None:
    """Raise ValueError if the sweep's network has no BatchNorm that could be fresh."""
    from bench.engine.setup.start import norm_tensors

    model = sweep.protocol["model"]
    if not norm_tensors(network_of(model, sweep.classes, sweep.image_shape)):
        raise ValueError(f"start-norm fresh: must be kept; model {model!r} has no BatchNorm")


def _check_base_data(dataset: str, base: TrialSpec, data_root: Path | None) -> None:
    """Raise ValueError if the data set has too few images for the base."""
    try:
        check_data(row_of(dataset, data_root), base)
    except ValueError as error:
        raise ValueError(f"base on {base.dataset}: {error}") from None


def _check_words(request: StartRequest) -> None:
    given = {"start-epochs": request.epochs, "start-lr": request.lr}
    if request.start == SCRATCH:
        if named := [option for option, value in given.items() if value is not None]:
            raise ValueError(f"{named[0]} {given[named[0]]} with start {SCRATCH}: must be left out, or with a base")
        for option, value, default in (("start-head", request.head, "redrawn"), ("start-norm", request.norm, "kept")):
            if value != default:
                raise ValueError(f"{option} {value} with start {SCRATCH}: must be left out, or with a base")
    elif not request.start.startswith(PREFIX):
        forms = [SCRATCH, *(PREFIX + source for source in ("DATA", "DATA@SEED", "FILE", "torchvision/NAME"))]
        raise ValueError(f"start {request.start!r}: {one_of(forms)}")


def _check_outside(request: StartRequest, source: str, seed: int | None) -> None:
    """Raise ValueError for what says how a base is trained, if it is given."""
    for option, value in {"start-epochs": request.epochs, "start-lr": request.lr}.items():
        if value is not None:
            raise ValueError(f"{option} {value} with start {request.start!r}: must be left out, with weights as a file")
    if seed is not None:
        raise ValueError(f"start {request.start!r}: must be without @{seed}, since {source} is one for all seeds")


def _source_and_seed(start: str) -> tuple[str, int | None]:
    """The data set and the seed of `pretrained:DATA[@SEED]`; the size of `folder:PATH@SIZE` is part of the data set."""
    source = start.removeprefix(PREFIX)
    before, at, seed = source.rpartition("@")
    kind = kind_of(before)
    if not at or not seed.isdecimal() or (kind is not None and kind.side and "@" not in before):
        return source, None
    return before, int(seed)


def _pretraining(
    sweep: Sweep, source: str, seed: int | None, request: StartRequest, data_root: Path | None
) -> Pretraining:
    protocol = sweep.protocol
    names = data_and_model(source, protocol["model"], protocol["initialiser"], data_root)
    data, row = row_of(source, data_root), MODELS[protocol["model"]]
    theirs, ours = (
        [*row.layers(classes, shape).values()]
        for classes, shape in ((sweep.classes, data.image_shape), (sweep.classes, sweep.image_shape))
    )
    if theirs != ours:
        raise ValueError(
            f"start {request.start!r}: model {protocol['model']!r} is another network for images of {data.image_shape};"
            f" must be a data set with images of {sweep.image_shape}"
        )
    if request.head == "kept" and data.classes != sweep.classes:
        raise ValueError(
            f"start-head kept: {source} has {data.classes} classes and the trials {sweep.classes}; must be redrawn"
        )
    return Pretraining(
        dataset=names["dataset"], data_hash=names["data_hash"], seed=seed, **_training_of(protocol, request)
    )


def _own_training(sweep: Sweep, start: Start | None) -> Pretraining:
    """The dense training on the sweep's own data after which the masks are chosen."""
    protocol = sweep.protocol
    return Pretraining(
        dataset=protocol["dataset"],
        data_hash=protocol["data_hash"],
        epochs=protocol["epochs"],
        lr=protocol["lr"],
        start=start,
    )


def _training_of(protocol: Mapping[str, Any], request: StartRequest) -> dict[str, Any]:
    epochs = protocol["epochs"] if request.epochs is None else request.epochs
    if request.epochs is not None and 1 <= epochs <= (warmup := protocol["warmup_epochs"]):
        raise ValueError(
            f"start-epochs {epochs}: must be more than the {warmup:g} warm-up epochs, which the base has too"
        )
    return {"epochs": epochs, "lr": float(protocol["lr"] if request.lr is None else request.lr)}
