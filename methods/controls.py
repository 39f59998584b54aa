"""Sanity controls: does it matter which weights a method chose, and what the others hold?

A control is a field of any method (Frankle et al., ICLR 2021, arXiv:2009.08576; Su et al., NeurIPS 2020,
arXiv:2009.11094, for the first three): `freeze:control=shuffle`. Freezing at zero is pruning, bit for bit.
"""

from __future__ import annotations

import numpy as np
import torch

from bench.methods.types import Masks

# control -> what it does; those of FROZEN_ONLY change what frozen weights hold, so they need the freeze background.
CONTROLS = {
    "none": "the method itself",
    "shuffle": "the mask of each layer is shuffled: positions, of scope filter filters, at random, densities as chosen",
    "reinitialise": "other initial weights are drawn after scoring, for live and frozen ones",
    "invert": "the weights of lowest score are trained; of one-shot methods",
    "redraw": "frozen weights hold a draw of their own instead of the scored one",
    "sign": "frozen weights hold sign(w) · standard deviation of their layer's initial weights",
    "mean": "frozen weights hold the mean of their layer's initial weights",
}


def shuffled(masks: Masks, generator: np.random.RandomState, *, filters: bool = False) -> Masks:
    """Each mask with its entries, or its filters, permuted uniformly; every layer keeps its number of live weights."""
    rows = {name: mask if filters else mask.flatten() for name, mask in masks.items()}
    return {
        name: row[torch.from_numpy(generator.permutation(len(row))).to(row.device)].view(masks[name].shape)
        for name, row in rows.items()
    }
