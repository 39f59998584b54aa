"""Masks and numbers as bytes: back bit for bit, as short as their entropy, and clear errors for anything else."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.artefact.mask_codec import MaskError, decode_mask, encode_mask, entropy_bytes
from bench.artefact.value_codec import ValuesError, decode_values, encode_values


def sizes_of(mask: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {name: (len(bits), int(bits.sum())) for name, bits in mask.items()}


@given(st.lists(arrays(bool, st.integers(0, 400)), max_size=5))
def test_a_mask_comes_back(tensors: list[Any]) -> None:
    mask = {str(index): bits for index, bits in enumerate(tensors)}
    data = encode_mask(tensors)
    decoded = decode_mask(data, sizes_of(mask))
    assert list(decoded) == list(mask)
    assert (data == b"") is all(bits.all() or not bits.any() for bits in tensors)
    assert all(np.array_equal(decoded[name], bits) for name, bits in mask.items())


@pytest.mark.parametrize("rate", [0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999])
def test_a_mask_is_as_short_as_its_entropy(rate: float) -> None:
    """The layers of lenet-5-caffe, the smaller ones denser."""
    random = np.random.RandomState(0)
    layers = {"conv1": (500, 30), "conv2": (25_000, 4), "fc1": (400_000, 0.8), "fc2": (5_000, 5)}
    mask = {name: random.random_sample(n) < min(1, factor * (1 - rate)) for name, (n, factor) in layers.items()}
    data, sizes = encode_mask(list(mask.values())), sizes_of(mask)
    assert len(data) <= 1.01 * entropy_bytes(list(sizes.values())) + 16
    assert all(np.array_equal(bits, mask[name]) for name, bits in decode_mask(data, sizes).items())


@pytest.mark.parametrize("length", [2, 3, 10, 300_000])
@pytest.mark.parametrize("bit", [False, True])
def test_one_weight_apart_takes_bytes(length: int, bit: bool) -> None:
    bits = np.full(length, bit)
    for place in (0, -1):
        bits[place] = not bit
        assert len(encode_mask([bits])) >= 4
        bits[place] = bit
    assert encode_mask([bits]) == b""


def test_tensors_longer_than_a_chunk() -> None:
    bits = np.random.RandomState(0).random_sample(600_001) < 0.01
    assert np.array_equal(decode_mask(encode_mask([bits]), {"w": (len(bits), int(bits.sum()))})["w"], bits)


def test_the_entropy_by_hand() -> None:
    assert entropy_bytes([(16, 8), (100, 0), (100, 100)]) == 2
    assert entropy_bytes([(1024, 256)]) == pytest.approx(1024 * (0.25 * 2 + 0.75 * 0.4150374992788438) / 8)


def test_a_mask_of_other_numbers_is_an_error() -> None:
    bits = np.arange(4000) % 7 == 0
    data = encode_mask([bits])
    with pytest.raises(MaskError, match=r"mask of w: .* live weights, but 570 are declared"):
        decode_mask(data, {"w": (4000, 570)})
    with pytest.raises(MaskError, match="mask of 3 bytes: must be a multiple of 4"):
        decode_mask(b"abc", {})
    with pytest.raises(MaskError, match="behind the mask"):
        decode_mask(data + bytes(400), {"w": (4000, 572)})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@given(data=st.data())
def test_numbers_come_back_bit_for_bit(dtype: Any, data: Any) -> None:
    """Every pattern of bits: zeros of both signs, infinities, denormal numbers, NaNs of any kind."""
    words = data.draw(arrays(f"<u{np.dtype(dtype).itemsize}", st.integers(0, 50)))
    decoded = decode_values(encode_values(words.view(dtype)), len(words), np.dtype(dtype))
    assert decoded.dtype == dtype and np.array_equal(decoded.view(words.dtype), words)


def test_weights_take_less_than_their_own_bytes() -> None:
    values = np.random.RandomState(0).normal(0, 0.05, 10_000).astype(np.float32)
    assert len(encode_values(values)) < 0.88 * values.nbytes
    assert len(encode_values(np.zeros(0, np.float32))) == 4 * 5  # four empty planes


GOOD = encode_values(np.linspace(-1, 1, 500, dtype=np.float32))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "0 bytes left for a plane"),
        (GOOD[:-1], " bytes: only 488 are left"),
        (GOOD + b"x", "1 bytes behind the last number"),
        (struct.pack("<BI", 2, 500) + bytes(500), "plane of coding 2"),
        (struct.pack("<BI", 0, 499) + bytes(499), "plane of coding 0 with 499 bytes"),
        (struct.pack("<BI", 1, 4) + b"abcd", "a packed plane: "),
        (struct.pack("<BI", 1, 2**32 - 1) + b"abcd", "plane of 4294967295 bytes: only 4 are left"),
    ],
)
def test_other_bytes_are_an_error(data: bytes, said: str) -> None:
    with pytest.raises(ValuesError) as error:
        decode_values(data, 500, np.dtype(np.float32))
    assert said in str(error.value)


def test_a_plane_is_not_unpacked_beyond_its_length() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(ValuesError, match="does not end at its 500 bytes"):
        decode_values(struct.pack("<BI", 1, len(bomb)) + bomb, 500, np.dtype(np.float32))
