"""The digits: exact up-sampling, a constant test set."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate

from bench.datasets import DATASETS, DataError, check, load
from bench.datasets.digits import upsample

# Over the four arrays. If it moves, the row's `version` must be raised: results on other pixels are other results.
GOLDEN = "27b2caa0c03ac6c496a283a785b60e3be1fd02b41bc6e4cce637f00164b10c16"


def test_golden() -> None:
    data = load("digits")
    digest = hashlib.sha256()
    for tensor in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        digest.update(tensor.numpy().astype(tensor.numpy().dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == GOLDEN


def test_upsampling_is_torchs_within_rounding() -> None:
    images = load_digits().images.astype(np.int64)
    large = torch.from_numpy(images).double().unsqueeze(1) * 255 / 16
    expected = interpolate(large, size=(28, 28), mode="bilinear", align_corners=False).squeeze(1).numpy()
    large = upsample(images)
    assert large.dtype == np.uint8
    assert np.abs(large - expected).max() <= 0.5 + 1e-9


def test_upsampling_rounds_half_up_and_keeps_constants() -> None:
    constants = np.arange(17)[:, None, None] * np.ones((1, 8, 8), dtype=np.int64)
    assert (upsample(constants) == (np.arange(17) * 255 / 16 + 0.5).astype(int)[:, None, None]).all()
    assert upsample(np.full((1, 8, 8), 8)).max() == 128  # 127.5


def test_every_digit_is_in_one_part_and_the_test_set_is_stratified() -> None:
    data, source = load("digits"), load_digits()
    both = torch.cat([data.train_images, data.test_images]).flatten(1)
    ours = sorted(row.tobytes() for row in both.numpy())
    assert ours == sorted(row.tobytes() for row in upsample(source.images.astype(np.int64)).reshape(1797, -1))
    proportional = np.bincount(source.target) * 360 / 1797
    assert np.abs(torch.bincount(data.test_labels).numpy() - proportional).max() < 1


def test_another_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    row = DATASETS["digits"]
    monkeypatch.setitem(DATASETS, "digits", replace(row, files=dict.fromkeys(row.files, "0" * 32)))
    for look in (load, check):
        with pytest.raises(DataError, match=r"digits\.csv\.gz: corrupted: expected md5 000"):
            look("digits")


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    check("digits")
    monkeypatch.setitem(DATASETS, "digits", replace(DATASETS["digits"], package="sklearn_of_another_name"))
    with pytest.raises(DataError, match="data set digits: needs the package sklearn_of_another_name"):
        check("digits")
