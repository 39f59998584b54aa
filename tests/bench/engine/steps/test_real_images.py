"""The batched step against the step of each trial alone on images of the data sets: smooth, with large flat areas.

There two pixels of a pooling window may be equal but for rounding, and which of the two is the largest, and so passes
the gradient to a weight, is decided by the order of additions. The first such window moves a weight of conv1 by 3e-7,
and training carries that on: a trial alone in float32 leaves itself in float64 in the same way. Everything else agrees
to 1e-6, which is seen where the pooling takes the mean; in float64 no window is that near a tie.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_packs import after, difference, pack_of, prepared
from torch.nn.functional import avg_pool2d

from bench import datasets
from bench.models import lenet

ROOT = os.environ.get("BENCH_DATA_ROOT")
NAMES = ["digits", pytest.param("mnist", marks=pytest.mark.skipif(not ROOT, reason="needs BENCH_DATA_ROOT"))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pack_kind", ["vmap", "unfold"])
@pytest.mark.parametrize(("precision", "pooling", "tolerance"), [("float32", "mean", 1e-6), ("float64", "max", 1e-10)])
def test_agrees_with_the_step_alone_on_real_images(
    name: str, pack_kind: str, precision: str, pooling: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pooling == "mean":
        monkeypatch.setattr(lenet, "max_pool2d", avg_pool2d)
    data = datasets.load(name, Path(ROOT) if ROOT else None)
    given = {"dataset": name, "data_hash": datasets.DATASETS[name].content_hash, "model": "lenet-5-caffe"}
    packed, alone = (
        pack_of(kind, **given, precision=precision, lr=0.02, batch_size=10) for kind in (pack_kind, "single")
    )
    trials, others = prepared(packed, data), prepared(alone, data)
    initial = [{n: v.clone() for n, v in trial.model.state_dict().items()} for trial in trials]
    together = after(packed, trials, 20)
    assert difference(together, after(alone, others, 20)) < tolerance
    assert difference(together, initial) > 1e-3
