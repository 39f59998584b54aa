"""The proof, at the end of a trial, that its network with smaller tensors is the same on all test images."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.channels.selection import Selection
from bench.datasets.loader import Resident
from bench.engine.measures.evaluate import CHUNK
from bench.models.channels.proof import check_counts, difference_of
from bench.models.channels.surgery import close, shrunk


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
    planned = selection.counts
    check_counts(small, images.image_shape, planned)
    difference = max((difference_of(masked, small, x.double()) for x in batches(images)), default=0.0)
    return Proof(parameters=planned.parameters, macs=planned.macs, difference=difference, images=len(images))


def batches(images: Resident) -> list[Tensor]:
    """All images, in pieces."""
    indices = torch.arange(len(images), device=images.labels.device)
    return [images.batch(piece)[0] for piece in indices.split(CHUNK)]  # type: ignore[no-untyped-call]
