"""The mask in a file: a bit for each filter if all filters are live or dead as a whole, else one for each weight."""

from __future__ import annotations

import struct
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from remade_files import remade
from small_trials import images, spec
from torch import Tensor

from bench import models, names
from bench.artefact.artefact import read
from bench.artefact.container import unseal
from bench.artefact.mask_codec import MaskError, entropy_bytes
from bench.artefact.mask_part import decode_part, encode_filters, encode_part
from bench.engine.train import train
from bench.methods.maskable import maskable
from bench.models.initialise import checksum

SHAPES = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)


def by_filters(shape: tuple[int, ...], live: int, seed: int) -> Tensor:
    """A mask with so many live filters, drawn."""
    rows = torch.zeros(shape[0], dtype=torch.bool)
    rows[np.random.RandomState(seed).permutation(shape[0])[:live]] = True
    return rows.view(-1, *(1,) * (len(shape) - 1)).expand(shape).contiguous()


@given(st.lists(SHAPES, min_size=1, max_size=4), st.integers(0, 99), st.booleans())
def test_masks_come_back_in_either_form(shapes: list[tuple[int, ...]], seed: int, whole: bool) -> None:
    random = np.random.RandomState(seed)
    masks = {
        str(i): by_filters(shape, random.randint(shape[0] + 1), seed)
        if whole
        else torch.from_numpy(random.rand(*shape) < 0.5)
        for i, shape in enumerate(shapes)
    }
    data, filters = encode_part(masks)
    weights = {name: torch.empty(mask.shape) for name, mask in masks.items()}
    decoded = decode_part(data, weights, [int(mask.sum()) for mask in masks.values()], bool(filters))
    assert all(torch.equal(decoded[name], mask) for name, mask in masks.items())
    assert (encode_filters([mask.numpy() for mask in masks.values()]) is None) == any(
        0 < int(row.sum()) < row.numel() for mask in masks.values() for row in mask
    )


def test_one_weight_makes_it_a_mask_by_weights() -> None:
    mask = by_filters((64, 16, 3, 3), 16, seed=0)
    data, filters = encode_part({"w": mask})
    assert filters and len(data) <= 1.01 * entropy_bytes([(64, 16)]) + 8  # 52 bits
    mask[0, 0, 0, 0] = ~mask[0, 0, 0, 0]
    data, filters = encode_part({"w": mask})
    assert filters is None and len(data) >= entropy_bytes([(64 * 144, int(mask.sum()))])


def test_a_frozen_vgg_takes_half_a_kilobyte() -> None:
    """4,224 filters: at most a bit for each, where a bit for each of 14.7 million weights took 150 kilobytes."""
    weights = dict(list(maskable(models.build("vgg16-bn", 10, (3, 32, 32))).items())[:-1])
    assert sum(len(weight) for weight in weights.values()) == 4_224
    data, filters = encode_part({n: by_filters(tuple(w.shape), len(w) // 2, 1) for n, w in weights.items()})
    assert filters and len(data) <= 4_224 / 8 + 8
    data, _ = encode_part({n: by_filters(tuple(w.shape), max(1, len(w) // 100), 1) for n, w in weights.items()})
    assert len(data) <= 60


def test_the_file_of_a_trial_that_froze_filters() -> None:
    (result,) = train([spec("filter-snip-freeze", "0.9", model="lenet-5-caffe")], images(130, 30), "cpu")
    header, (mask, _, _) = unseal(result.artefact)
    assert header.filters and struct.unpack_from("<8sH", result.artefact)[1] == 5
    assert len(mask) == result.metrics[names.MASK_BYTES] <= (20 + 50 + 500 + 10) / 8 + 8
    assert checksum(read(result.artefact).model) == result.tags[names.WEIGHTS_SHA256]


def test_counts_that_are_no_filters_are_refused() -> None:
    mask = by_filters((8, 3, 3), 4, seed=0)
    data, _ = encode_part({"w": mask})
    with pytest.raises(MaskError, match="mask of w: 35 live weights, but its filters have 9 each"):
        decode_part(data, {"w": torch.empty(8, 3, 3)}, [35], by_filters=True)
    with pytest.raises(MaskError, match="mask of w: "):
        decode_part(data, {"w": torch.empty(8, 3, 3)}, [27], by_filters=True)


def test_filters_beside_channels_are_refused() -> None:
    (result,) = train([spec("filter-snip-prune", "0.9", model="lenet-300-100")], images(130, 30), "cpu")
    with pytest.raises(ValueError, match="header, filters: Value error, must not be there beside channels"):
        read(remade(result.artefact, channels="inner"))
    assert prod(read(result.artefact).header.image_shape) == 784
