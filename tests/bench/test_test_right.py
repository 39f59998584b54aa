"""Which test images a network classifies right, as text."""

from __future__ import annotations

import numpy as np
import pytest

from bench.tags import PIECE, split, whole
from bench.test_right import decoded, encoded


@pytest.mark.parametrize("images", [1, 7, 8, 9, 360, 10_000])
def test_the_text_says_each_image(images: int) -> None:
    right = np.random.default_rng(images).random(images) < 0.9
    assert decoded(encoded(right)).tolist() == right.tolist()


def test_ten_thousand_images_are_one_tag_and_more_go_on_in_further_ones() -> None:
    assert len(encoded(np.ones(10_000, dtype=np.bool_))) == len("10000:") + 1668 < PIECE
    right = np.random.default_rng(0).random(50_000) < 0.7
    tags = split({"t": encoded(right)})
    assert len(tags) == 2 and decoded(whole(tags, "t")).tolist() == right.tolist()


@pytest.mark.parametrize(
    "text", ["", "3", "3:", "0:", "-1:oA==", "3:o", "9:oA==", "3:oA==\n", "3:qA==", "03:oA==", "x"]
)
def test_what_no_trial_wrote_is_refused(text: str) -> None:
    """Of the last but two, a bit behind the last image is set."""
    with pytest.raises(ValueError, match="must be the number of test images and a bit for each"):
        decoded(text)
