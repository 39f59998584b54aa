"""A tiny data set in IDX files, made here, a server, and a cache folder for the tests."""

import gzip
import hashlib
import struct
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest

from bench.datasets import DATASETS, DatasetRow


def write_idx(path: Path, array: np.ndarray) -> str:
    """Write a gzipped IDX file; its md5."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for real data, which take seconds to decode."""
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture(autouse=True)
def cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of decoded arrays; never the user's own."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: shared_cache / name)
    return shared_cache / "freeze-or-prune" / "decoded"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of decoded arrays for a single test."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "freeze-or-prune" / "decoded"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of `tmp_path`."""
    monkeypatch.setenv("no_proxy", "*")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The data set "tiny": 12 training and 5 test images of 4x6 in 3 classes, in DATASETS for the test's duration.

    Its `root`, its `row`, and its `arrays` by path in the order of the row.
    """
    random = np.random.RandomState(0)
    arrays = {
        "Tiny/raw/train-images.gz": random.randint(0, 256, (12, 4, 6)),
        "Tiny/raw/train-labels.gz": np.arange(12) % 3,
        "Tiny/raw/test-images.gz": random.randint(0, 256, (5, 4, 6)),
        "Tiny/raw/test-labels.gz": np.arange(5) % 3,
    }
    root = tmp_path / "data"
    row = DatasetRow(
        load="bench.datasets.idx:load",
        image_shape=(1, 4, 6),
        classes=3,
        train=12,
        test=5,
        smallest_class=4,
        default_model="lenet-300-100",
        files={path: write_idx(root / path, array) for path, array in arrays.items()},
        source="torchvision.datasets:MNIST",
    )
    monkeypatch.setitem(DATASETS, "tiny", row)
    return SimpleNamespace(root=root, row=row, arrays=arrays)
