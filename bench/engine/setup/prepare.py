"""Everything before the first step of a trial: split, initial weights, masks, background."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from time import perf_counter
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench import models, names
from bench.channels.groups import Channels
from bench.channels.selection import Selection
from bench.datasets.images import ImageData, check_content
from bench.datasets.loader import Resident
from bench.datasets.splits import class_balanced, train_validation
from bench.engine.setup.background import draw, trained_from, unscaled_background
from bench.engine.setup.channels import (
    channel_masks,
    channels_if_closed,
    draw_small,
    selected_channels,
    selection_at_first,
)
from bench.engine.setup.kept_state import on_device
from bench.engine.setup.modes import by_batch
from bench.engine.setup.parent import Parent, keywords
from bench.engine.setup.precision import DTYPES, seed_generators
from bench.engine.setup.start import Base, Taken, set_start
from bench.engine.setup.whole import Whole, all_live, whole_of
from bench.methods import Masks
from bench.methods.controls import shuffled
from bench.methods.counts import rate_beside_head
from bench.methods.fading import fades
from bench.methods.maskable import LiveHead, head_of, maskable
from bench.methods.scopes import check_live
from bench.methods.types import State
from bench.models.channels.filters import filters_of
from bench.models.initialise import checksum
from bench.storage.checkpoint import Checkpoint
from bench.trial.outside.sources import check_sources
from bench.trial.spec import TrialSpec
from bench.trial.streams import stream
from bench.user_code.guard import apart

Result = TypeVar("Result")

PROBE = 256  # images of the fixed batch for gradient figures: the first of the training split, un-augmented


@dataclass(frozen=True)
class Trial:
    """A trial at its first step: the network at its effective initial weights, and the data it will see."""

    model: nn.Module
    masks: Masks
    train: Resident
    train_indices: Tensor  # int64, sorted, on the device
    validation_indices: Tensor
    test: Resident
    classes: int
    init_sha256: str
    scoring_seconds: float
    changed: Sequence[str] = ()  # what the method's own code changed of the process, which was put back
    taken: Taken | None = None  # what it has of its base
    # Of a method whose masks change; else empty.
    fixed: Masks = field(default_factory=dict)  # of parameters that are not maskable: True = live; others are all live
    restarted: Masks = field(default_factory=dict)  # live entries that the last moment left no state of the optimizer
    initial: Mapping[str, Tensor] = field(default_factory=dict)  # parameter name -> its value before training
    state: State = field(default_factory=dict)  # the method's own
    # Weight name -> what its dead entries hold at scale 1, of a method whose background fades; else empty.
    unscaled: Mapping[str, Tensor] = field(default_factory=dict)
    channels: Channels | None = None  # the groups of the network, of a method that closes channels
    selection: Selection | None = None  # which of them are open, once it has closed some
    whole: Whole | None = None  # what is stored, if `model` is a smaller network in its place

    @property
    def probe(self) -> tuple[Tensor, Tensor]:
        """The fixed batch for gradient figures."""
        return self.train.batch(self.train_indices[:PROBE])

    @property
    def stored_model(self) -> nn.Module:
        """The network as it is stored."""
        return self.model if self.whole is None else self.whole.filled(self.model)

    @property
    def stored_masks(self) -> Masks:
        """Of `stored_model`."""
        return self.masks if self.whole is None else self.whole.masks


def prepare(
    spec: TrialSpec,
    data: ImageData,
    device: str,
    images: tuple[Resident, Resident] | None = None,
    base: Base | None = None,
    parent: Parent | None = None,
) -> Trial:
    """Set a trial up. At one seed, methods share everything except masks and background.

    Args: images: the `residents` of the data, if trials share them. base: of the trial's start. parent: what its method
          reads.
    """
    check_sources(spec.values(), spec.sources)
    check_content(data, spec.data_hash)
    model = initial_model(spec, data.classes, data.image_shape)
    taken = _started(model, spec, base)
    init_sha256 = checksum(model)
    model = model.to(device)
    split, sample = indices(spec, data)
    batch = criterion_batch(spec, data, sample, device)
    scoring_start = perf_counter()
    masks, changed = select(spec, model, batch, parent)
    scoring_seconds = perf_counter() - scoring_start
    channels = channels_if_closed(spec, model, data.image_shape)
    if spec.method.ends_at_budget:
        spec.method.check_budget(Fraction(spec.rate), partial(filters_of, model, data.image_shape))
    selection = selected_channels(spec.method, channels, masks)
    if selection is not None:
        draw_small(model, spec, selection)
        init_sha256 = checksum(model)
    if (purpose := trained_from(spec)) != "init":
        draw(model, spec, purpose)
        init_sha256 = checksum(model)
    whole = whole_of(spec.method, model, selection)
    if whole is not None:
        model = whole.cut()
        masks = all_live(model)
    images = images or residents(spec, data, device)
    trial = trial_on_device(data, split, images, model, masks, init_sha256, scoring_seconds)
    initial = _initial(model) if spec.method.changes_masks else {}
    unscaled = unscaled_background(model, spec) if fades(spec.method) else {}
    closed = replace(trial, channels=channels, selection=selection, whole=whole, unscaled=unscaled)
    return replace(closed, changed=changed, taken=taken, initial=initial)


def _initial(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters, which are at their initial values."""
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def _started(model: nn.Module, spec: TrialSpec, base: Base | None) -> Taken | None:
    """Give the drawn network its base's weights, if it starts from one."""
    if spec.start is None:
        return None
    if base is None:
        raise ValueError("the weights of its base are missing: they must be given")
    return set_start(model, spec.start, base)


def prepare_again(
    spec: TrialSpec, data: ImageData, device: str, images: tuple[Resident, Resident], checkpoint: Checkpoint
) -> Trial:
    """Set a trial up at its checkpoint: nothing is initialised or scored again."""
    check_sources(spec.values(), spec.sources)
    check_content(data, spec.data_hash)
    model = models.build(spec.model, data.classes, data.image_shape).to(DTYPES[spec.precision])
    channels = channels_if_closed(spec, model, data.image_shape)
    whole = whole_of(spec.method, model.to(device), selection_at_first(spec, channels))
    model = model if whole is None else whole.cut()
    model.load_state_dict(checkpoint.model)
    masks = {name: checkpoint.masks[name].to(device) for name in maskable(model)}
    split, _ = indices(spec, data)
    seconds = checkpoint.metrics[names.SCORING_SECONDS]
    trial = trial_on_device(data, split, images, model.to(device), masks, checkpoint.init_sha256, seconds)
    kept = (checkpoint.fixed, checkpoint.initial, checkpoint.unscaled)
    fixed, initial, unscaled = ({n: t.to(device) for n, t in of.items()} for of in kept)
    selection = selected_channels(spec.method, channels, masks) if whole is None else whole.selection
    changing = replace(trial, fixed=fixed, initial=initial, state=on_device(checkpoint.state, device))
    return replace(changing, channels=channels, selection=selection, whole=whole, unscaled=unscaled)


def trial_on_device(
    data: ImageData,
    split: tuple[Tensor, Tensor],
    images: tuple[Resident, Resident],
    model: nn.Module,
    masks: Masks,
    init_sha256: str,
    scoring_seconds: float,
) -> Trial:
    """A trial with the data's indices on the device of its images."""
    train, test = images
    device = train.labels.device
    return Trial(
        model=model,
        masks=masks,
        train=train,
        train_indices=split[0].to(device),
        validation_indices=split[1].to(device),
        test=test,
        classes=data.classes,
        init_sha256=init_sha256,
        scoring_seconds=scoring_seconds,
    )


def indices(spec: TrialSpec, data: ImageData) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """((training, validation), criterion sample) as sorted indices into the training images.

    Raises: DataError if a class has too few images for the split or the sample.
    """
    labels = data.train_labels
    split = train_validation(labels, spec.validation_fraction, stream(spec.seed, "split"))
    sample = class_balanced(labels, split[0], spec.criterion_per_class, stream(spec.seed, "criterion", "sample"))
    return split, sample


def criterion_batch(spec: TrialSpec, data: ImageData, sample: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """The criterion's images, normalised, in the precision it computes in."""
    images, labels = data.train_images[sample], data.train_labels[sample]
    dtype = DTYPES[spec.criterion_precision]
    return Resident(images, labels, data.mean, data.std, device=device, dtype=dtype).batch(torch.arange(len(labels)))


def initial_model(spec: TrialSpec, classes: int, image_shape: tuple[int, ...] | None = None) -> nn.Module:
    """The network at its initial weights, on the CPU; by default for images of the shape that its row names."""
    model = models.build(spec.model, classes, image_shape).to(DTYPES[spec.precision])
    draw(model, spec)
    return model


def select(
    spec: TrialSpec, model: nn.Module, sample: tuple[Tensor, Tensor], parent: Parent | None = None
) -> tuple[Masks, Sequence[str]]:
    """The method's masks, from a copy of the model in the precision and BatchNorm mode of the spec.

    Args:    parent: what the method reads.
    Returns: the masks, and the words of what code from outside changed of the process, which is put back.
    """
    if spec.method.closes_channels and not spec.method.changes_masks:
        return channel_masks(spec, model, tuple(sample[0].shape[1:])), ()
    masks, changed = _selected(spec, scored_copy(spec, model), sample, parent)
    check_masks(model, masks)
    check_live(masks, _first_rate(spec), spec.method.scope)
    if spec.method.control == "shuffle":
        in_order = {name: masks[name] for name in maskable(model)}
        masks = shuffled(in_order, stream(spec.seed, "shuffle"), filters=spec.method.scope == "filter")
    # Copies, because what was made in inference mode, by code that never left it, cannot be trained with.
    return {name: masks[name].to(sample[0].device, copy=True) for name in maskable(model)}, changed


def scored_copy(spec: TrialSpec, model: nn.Module) -> nn.Module:
    """A copy of the model in the precision and BatchNorm mode in which criteria score."""
    scored = copy.deepcopy(model).to(DTYPES[spec.criterion_precision]).eval()
    if spec.criterion_statistics == "batch":
        by_batch(scored)
    return scored


def _selected(
    spec: TrialSpec, model: nn.Module, sample: tuple[Tensor, Tensor], parent: Parent | None
) -> tuple[Masks, Sequence[str]]:
    """What `select` of the method gives, and what its code changed."""
    generator = stream(spec.seed, "criterion", "scores")
    rate, head = _first_rate(spec), dict[str, Tensor]()
    if spec.head == "trained":
        rate, head = _without_head(model, rate)
    read = keywords(spec, parent)
    work = partial(spec.method.select, model, [sample], cross_entropy, rate, generator, **read)
    masks, changed = by_method(spec, work, "criterion", "global")
    return _with_head(masks, head), changed


def _first_rate(spec: TrialSpec) -> Fraction:
    """The rate of the masks that `select` gives."""
    rate = Fraction(spec.rate)
    # Of all others it is the trial's own: earlier plug-ins may have a field or a helper of this name.
    return spec.method.start_rate(rate) if spec.method.changes_masks else rate


def by_method(spec: TrialSpec, work: Callable[[], Result], *purpose: str) -> tuple[Result, Sequence[str]]:
    """What code of the method gives, and the words of what it changed of the process and is put back; if it is from
    outside, it runs apart and draws reproducibly.
    """
    if not spec.method.source:
        return work(), ()

    def seeded() -> Result:
        seed_generators(stream(spec.seed, *purpose))
        return work()

    return apart(seeded)


def _with_head(masks: Masks, head: Masks) -> Masks:
    return {**masks, **head} if head else masks


def _without_head(model: nn.Module, rate: Fraction) -> tuple[Fraction, Masks]:
    """Hide the head from methods, in place; the rate at which the other layers have what is left of the live weights,
    and the head's mask.

    Raises: ValueError if the head has more weights than are live in all, or if there are no others.
    """
    weights = maskable(model)
    name, head = head_of(model)
    rate = rate_beside_head(rate, sum(w.numel() for w in weights.values()), head.weight.numel())
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, LiveHead(head))
    masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items() if w is head.weight}
    return rate, masks


def check_masks(model: nn.Module, masks: Masks) -> None:
    """Check that a method's masks, which may be a plug-in's, are those of the model's maskable weights."""
    for name, weight in maskable(model).items():
        mask = masks.get(name)
        if mask is None or mask.dtype != torch.bool or mask.shape != weight.shape:
            given = "none" if mask is None else f"{mask.dtype} of shape {tuple(mask.shape)}"
            raise ValueError(f"mask of {name}: {given}; must be torch.bool of shape {tuple(weight.shape)}")
    if extra := set(masks) - set(maskable(model)):
        raise ValueError(f"masks of {', '.join(sorted(extra))}: the model has no such maskable weights")


def residents(spec: TrialSpec, data: ImageData, device: str) -> tuple[Resident, Resident]:
    """The training and the test images on the device, as uint8."""
    # oneDNN's gradient of a strided 1x1 convolution of fewer than 8 channels, which come last, writes out of bounds
    # (uxlfoundation/oneDNN#6035): narrow networks would crash.
    narrow = spec.method.own_widths and device == "cpu"
    on_device = partial(resident, spec.model, spec.precision, data, device, contiguous=narrow)
    return on_device(data.train_images, data.train_labels), on_device(data.test_images, data.test_labels)


def resident(
    model: str,
    precision: str,
    data: ImageData,
    device: str,
    images: Tensor,
    labels: Tensor,
    *,
    contiguous: bool = False,
) -> Resident:
    """Images of a data set on the device, as a network computes with them.

    Channels last for convolutional networks: about twice as fast on a CPU, and what tensor cores need; but not if they
    are to be `contiguous`.
    """
    channels_last = models.MODELS[model].channels_last(data.classes, data.image_shape) and not contiguous
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return Resident(images, labels, data.mean, data.std, device=device, dtype=DTYPES[precision], memory_format=layout)
