"""A network with closed channels as one with smaller tensors, and the proof that it is the same network."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.channels.selection import Selection
from bench.datasets.loader import Resident
from bench.engine.measures.evaluate import CHUNK
from bench.messages import one_line
from bench.models.channels.surgery import close, shrunk
from bench.models.structure.weight_use import uses_of

EXACT = 1e-10  # the most that float64 logits may differ, as a fraction of the largest


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What was compared."""

    parameters: int  # of the smaller network, counted on its tensors and equal to the plan
    macs: int  # likewise
    difference: float  # of the logits in float64, as a fraction of the largest
    images: int  # all of which it puts into the same class

    def __str__(self) -> str:
        return (
            f"{self.parameters} parameters and {self.macs} multiply-accumulates as planned; logits of {self.images} "
            f"images differ by {self.difference:.1e} of the largest, no class does"
        )


def proved(model: nn.Module, selection: Selection, images: Resident) -> Proof:
    """Check that the network with closed channels and its smaller one are the same, on these images in float64.

    Raises: RuntimeError, in one line, if counts, logits or classes differ.
    """
    masked = copy.deepcopy(model).double().eval()
    close(masked, selection.channels, selection.open)
    small = shrunk(masked, selection.channels, selection.open)
    planned, shape = selection.counts, images.image_shape
    counted = sum(p.numel() for p in small.parameters()), sum(u.macs for u in uses_of(small, shape).values())
    if counted != (planned.parameters, planned.macs):
        raise RuntimeError(f"shrunk to {counted} parameters and multiply-accumulates: planned were {planned}")
    difference = max((_difference(masked, small, x.double()) for x in batches(images)), default=0.0)
    return Proof(parameters=counted[0], macs=counted[1], difference=difference, images=len(images))


def batches(images: Resident) -> list[Tensor]:
    """All images, in pieces."""
    indices = torch.arange(len(images), device=images.labels.device)
    return [images.batch(piece)[0] for piece in indices.split(CHUNK)]  # type: ignore[no-untyped-call]


@torch.no_grad()
def _difference(masked: nn.Module, small: nn.Module, x: Tensor) -> float:
    """The largest difference of the logits, as a fraction of the largest logit."""
    expected = masked(x)
    try:
        logits = small(x)
    except Exception as error:  # its code may name a number of channels
        raise RuntimeError(f"the network cannot be applied with fewer channels: {one_line(error)}") from error
    difference = float((expected - logits).abs().max() / expected.abs().max().clamp_min(1e-300))
    if not difference <= EXACT or not torch.equal(expected.argmax(1), logits.argmax(1)):
        raise RuntimeError(f"shrunk, its logits differ by {difference:.1e} of the largest: must be at most {EXACT}")
    return difference
