"""A sweep whose first trial is checked, on a device that there is; whatever is wrong is a ValueError of one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from math import floor
from typing import TYPE_CHECKING, Any

from bench.datasets import DatasetRow
from bench.datasets.counts import validation_count
from bench.execution.devices import device_of
from bench.methods import METHODS, Method
from bench.methods.counts import rate_beside_head
from bench.models import MODELS
from bench.trial.networks import head_and_weights, network_of, structure_of
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from torch import nn


def checked_sweep(
    *,
    methods: Mapping[str, Method],
    known: Mapping[str, Method] = METHODS,
    rates: Sequence[Decimal],
    seeds: Sequence[int],
    dense: bool,
    data: DatasetRow,
    protocol: Mapping[str, Any],
) -> Sweep:
    """The sweep on the CPU, its first trial checked: all others differ in method, rate and seed.

    Args: known: what names the methods of other trials, which these may need.
          protocol: the other fields of TrialSpec, those of `data_and_model` among them.
    """
    sweep = Sweep(
        methods=methods,
        known=known,
        rates=rates,
        seeds=seeds,
        dense=dense,
        classes=data.classes,
        image_shape=data.image_shape,
        protocol=protocol,
    )
    trials = sweep.trials()
    if not trials:
        raise ValueError(f"methods {', '.join(methods)} without the dense baseline: no trial is left")
    check_data(data, trials[0])
    return sweep


def check_data(data: DatasetRow, spec: TrialSpec) -> None:
    """Whether a trial can be trained on the images of its data set, by the table's numbers."""
    _check_sizes(data, spec)
    _check_last_batch(data, spec)


def _check_sizes(data: DatasetRow, spec: TrialSpec) -> None:
    """Whether every class has images enough for the validation split and the criterion, by the table's numbers."""
    fraction, per_class = spec.validation_fraction, spec.criterion_per_class
    held_out = validation_count(data.train, fraction)
    if not 0 < held_out < data.train:
        size = "smaller" if held_out else "larger"
        raise ValueError(f"validation-fraction {fraction}: holds out {held_out} of {data.train} images; must be {size}")
    left = floor(data.smallest_class * (1 - Fraction(str(fraction))))
    if per_class > left:
        raise ValueError(
            f"criterion-per-class {per_class}: must be at most {left}, the smallest class's training images"
        )


def _check_last_batch(data: DatasetRow, spec: TrialSpec) -> None:
    """Whether the last batch of an epoch is one that the network can be trained on."""
    images = data.train - validation_count(data.train, spec.validation_fraction)
    structure = structure_of(spec.model, data.classes, data.image_shape)
    if images % spec.batch_size == 1 and structure is not None and structure.needs_two:
        raise ValueError(
            f"batch-size {spec.batch_size}: leaves 1 of {images} training images for the last batch, and model "
            f"{spec.model!r} needs 2; must be another size"
        )


def check_selection(sweep: Sweep) -> Sweep:
    """The sweep. Raises: ValueError if its methods cannot choose weights of its network at all of its rates."""
    trials = sweep.trials()
    _check_heads(sweep, trials)
    _check_channels(sweep)
    _check_widths(sweep, [spec for spec in trials if spec.method.closes_channels])
    _check_filters(sweep, [spec for spec in trials if spec.method.ends_at_budget])
    return sweep


def _check_heads(sweep: Sweep, trials: Sequence[TrialSpec]) -> None:
    """Whether the live weights of every rate are enough for a head that is trained whole."""
    if not (rates := {spec.rate for spec in trials if spec.head == "trained"}):
        return
    head, weights = head_and_weights(sweep.protocol["model"], sweep.classes, sweep.image_shape)
    for rate in sorted(rates):
        rate_beside_head(Fraction(rate), weights, head)


def _check_channels(sweep: Sweep) -> None:
    """Whether the network has what `channel-snip` scores, if a method has that criterion."""
    if not any(method.criterion == "channel-snip" for method in sweep.methods.values()):
        return
    import torch

    from bench.methods.channels import check_channel_snip

    network, shape = _network_and_shape(sweep)
    try:
        check_channel_snip(network.eval(), torch.zeros(2, *shape))
    except ValueError as error:
        raise ValueError(f"channel-snip with model {sweep.protocol['model']!r}: {error}") from None


def _check_widths(sweep: Sweep, trials: Sequence[TrialSpec]) -> None:
    """Whether the network has channels to close, is the same without them, and can be as small as every budget, of
    methods that close some."""
    if not trials:
        return
    import numpy as np

    from bench.engine.setup.channels import checked_channels, closes_streams

    checked = cache(partial(checked_channels, *_network_and_shape(sweep)))  # once for all methods and rates

    def check(method: Method, rate: Fraction) -> None:
        method.open_channels(checked(stream=closes_streams(method)), rate, np.random.RandomState(0))

    _check_each(sweep, trials, check)


def _check_filters(sweep: Sweep, trials: Sequence[TrialSpec]) -> None:
    """Whether a filter of the network is within every budget, of methods that end at one of trained filters."""
    if not trials:
        return
    from bench.models.channels.filters import filters_of

    filters = cache(partial(filters_of, *_network_and_shape(sweep)))
    _check_each(sweep, trials, lambda method, rate: method.check_budget(rate, filters))


def _network_and_shape(sweep: Sweep) -> tuple[nn.Module, tuple[int, ...]]:
    """A new network of the sweep, and the shape of its images."""
    model = sweep.protocol["model"]
    shape = sweep.image_shape or MODELS[model].image_shape or ()
    return network_of(model, sweep.classes, sweep.image_shape), shape


def _check_each(sweep: Sweep, trials: Sequence[TrialSpec], check: Callable[[Method, Fraction], None]) -> None:
    """Check each method at each of its rates. Raises: ValueError, which names both."""
    for method, rate in dict.fromkeys((spec.method, spec.rate) for spec in trials):
        try:
            check(method, Fraction(rate))
        except ValueError as error:
            words = f"{sweep.name_of(method)} with model {sweep.protocol['model']!r} at rate {rate}"
            raise ValueError(f"{words}: {error}") from None


def on_device(sweep: Sweep, name: str, *, elsewhere: bool = False) -> Sweep:
    """The sweep on the device of that name, "auto" being what there is; `elsewhere` as in `devices.device_of`."""
    device = device_of(name, elsewhere=elsewhere)
    if sweep.protocol.get("tf32") and device != "cuda":
        raise ValueError("tf32 on the cpu: the device must be cuda")
    if not sweep.protocol.get("deterministic", True) and device != "cuda":
        raise ValueError("deterministic False on the cpu: the device must be cuda")
    return replace(sweep, protocol={**sweep.protocol, "device": device})
