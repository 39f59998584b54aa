"""CIFAR-10 in each of its forms, CIFAR-100 and SVHN: tiny files in the true formats, made here."""

import hashlib
import io
import lzma
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision.datasets import CIFAR10, CIFAR100, SVHN

from bench.datasets import DATASETS, DataError, DatasetRow, check, fetch, load

TRAIN, TEST = 20, 5
BIN, PY = "cifar-10-batches-bin", "cifar-10-batches-py"


def write(path: Path, content: bytes) -> str:
    """Write a file; its md5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.md5(content).hexdigest()


def pickled(images: np.ndarray, labels: np.ndarray, key: str) -> bytes:
    """A batch of the python version."""
    return pickle.dumps({"data": images.reshape(len(images), -1), key: labels.tolist()}, protocol=2)


@pytest.fixture
def arrays(own_cache: Path) -> SimpleNamespace:
    """Random images [N,3,32,32] and labels of ten classes."""
    random = np.random.RandomState(0)
    return SimpleNamespace(
        train=random.randint(0, 256, (TRAIN, 3, 32, 32)).astype(np.uint8),
        test=random.randint(0, 256, (TEST, 3, 32, 32)).astype(np.uint8),
        train_labels=np.arange(TRAIN) % 10,
        test_labels=np.arange(TEST)[::-1].copy(),
    )


def put_row(monkeypatch: pytest.MonkeyPatch, name: str, **changed: object) -> DatasetRow:
    sizes = {"train": TRAIN, "test": TEST, "smallest_class": TRAIN // 10}
    row = replace(DATASETS[name], **{**sizes, **changed})  # type: ignore[arg-type]
    monkeypatch.setitem(DATASETS, name, row)
    return row


@pytest.fixture
def cifar10(arrays: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A small CIFAR-10 in both versions under `root`: two training batches and a test batch; its `row`."""
    root, half = tmp_path / "data", TRAIN // 2
    batches = {
        "data_batch_1": (arrays.train[:half], arrays.train_labels[:half]),
        "data_batch_2": (arrays.train[half:], arrays.train_labels[half:]),
        "test_batch": (arrays.test, arrays.test_labels),
    }
    files, instead = {}, {}
    for name, (images, labels) in batches.items():
        records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], axis=1)
        files[f"{BIN}/{name}.bin"] = write(root / f"{BIN}/{name}.bin", records.tobytes())
        instead[f"{PY}/{name}"] = write(root / f"{PY}/{name}", pickled(images, labels, "labels"))
    meta = pickle.dumps({"label_names": list("abcdefghij")}, protocol=2)
    instead[f"{PY}/batches.meta"] = write(root / f"{PY}/batches.meta", meta)
    listed = [[Path(path).name, md5] for path, md5 in instead.items()]
    monkeypatch.setattr(CIFAR10, "train_list", listed[:2])
    monkeypatch.setattr(CIFAR10, "test_list", listed[2:3])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": listed[3][1]})
    return SimpleNamespace(root=root, row=put_row(monkeypatch, "cifar10", files=files, instead=instead))


def assert_holds(name: str, root: Path, arrays: SimpleNamespace) -> None:
    check(name, root)
    data = load(name, root)
    assert torch.equal(data.train_images, torch.from_numpy(arrays.train))
    assert torch.equal(data.test_images, torch.from_numpy(arrays.test))
    assert torch.equal(data.train_labels, torch.from_numpy(arrays.train_labels))
    assert torch.equal(data.test_labels, torch.from_numpy(arrays.test_labels))
    assert data.mean == pytest.approx((arrays.train / 255).mean((0, 2, 3)), abs=1e-12)
    assert data.std == pytest.approx((arrays.train / 255).std((0, 2, 3)), abs=1e-12)


def remove(root: Path, folder: str) -> None:
    for path in (root / folder).iterdir():
        path.unlink()


def test_binary_version(cifar10: SimpleNamespace, arrays: SimpleNamespace) -> None:
    remove(cifar10.root, PY)
    assert_holds("cifar10", cifar10.root, arrays)


def test_files_compressed_by_xz(cifar10: SimpleNamespace, arrays: SimpleNamespace) -> None:
    remove(cifar10.root, PY)
    for path in list((cifar10.root / BIN).iterdir())[1:]:
        path.with_name(f"{path.name}.xz").write_bytes(lzma.compress(path.read_bytes()))
        path.unlink()
    assert_holds("cifar10", cifar10.root, arrays)


def test_python_version_if_only_it_is_complete(cifar10: SimpleNamespace, arrays: SimpleNamespace) -> None:
    (cifar10.root / BIN / "test_batch.bin").unlink()
    assert_holds("cifar10", cifar10.root, arrays)


def test_nothing_is_unpickled_where_the_binary_version_is_there(
    cifar10: SimpleNamespace, arrays: SimpleNamespace
) -> None:
    for path in (cifar10.root / PY).iterdir():
        path.write_bytes(b"no pickle")
    assert_holds("cifar10", cifar10.root, arrays)


def test_missing_files_are_named(cifar10: SimpleNamespace) -> None:
    remove(cifar10.root, PY)
    path = cifar10.root / BIN / "data_batch_2.bin"
    path.unlink()
    expected = rf"^data set cifar10: missing {path} \(md5 {cifar10.row.files[f'{BIN}/{path.name}']}\)$"
    for look in (check, load):
        with pytest.raises(DataError, match=expected):
            look("cifar10", cifar10.root)


@pytest.mark.parametrize("folder", [BIN, PY])
def test_flipped_byte_is_named(cifar10: SimpleNamespace, folder: str) -> None:
    remove(cifar10.root, PY if folder == BIN else BIN)
    check("cifar10", cifar10.root)  # whose arrays are kept, but of the file as it was
    path = next(p for p in (cifar10.root / folder).iterdir() if p.name.startswith("data_batch_1"))
    content = bytearray(path.read_bytes()) + b"x"
    path.write_bytes(content)
    for look in (check, load):
        with pytest.raises(DataError, match=rf"^{path}: corrupted: expected md5 ") as error:
            look("cifar10", cifar10.root)
        assert "\n" not in str(error.value)


def test_a_damaged_xz_file_is_named(cifar10: SimpleNamespace) -> None:
    remove(cifar10.root, PY)
    path = cifar10.root / BIN / "test_batch.bin"
    path.unlink()
    packed = path.with_name(f"{path.name}.xz")
    packed.write_bytes(b"no xz")
    with pytest.raises(DataError, match=rf"^{packed}: not an xz file: "):
        load("cifar10", cifar10.root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(3073 * 2 - 1), r"data_batch_1\.bin: expected records of 3073 bytes; found 6145 bytes$"),
        (
            bytes(3073 * 2),
            r"^data set cifar10: expected train images uint8 of shape \(20, 32, 32, 3\); found .*\(12, 32",
        ),
        (b"\x0a" + bytes(3073 * 10 - 1), r"^data set cifar10: label 10: must be 0 to 9$"),
    ],
)
def test_other_contents_are_named(
    cifar10: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    path = f"{BIN}/data_batch_1.bin"
    put_row(monkeypatch, "cifar10", files={**cifar10.row.files, path: write(cifar10.root / path, content)})
    with pytest.raises(DataError, match=message):
        load("cifar10", cifar10.root)


def test_fetch_unpacks_torchvisions_archive(
    cifar10: SimpleNamespace,
    arrays: SimpleNamespace,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = tmp_path / "archive.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        for path in (*cifar10.row.instead, f"{PY}/readme.html"):
            content = (cifar10.root / path).read_bytes() if path in cifar10.row.instead else b"text"
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "url", f"{server}/{packed.name}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(packed.read_bytes()).hexdigest())
    new = tmp_path / "new"
    new.mkdir()
    fetch("cifar10", new)
    assert sorted(str(path.relative_to(new)) for path in new.rglob("*")) == sorted([PY, *cifar10.row.instead])
    assert_holds("cifar10", new, arrays)
    monkeypatch.setattr(CIFAR10, "url", f"{server}/nowhere")
    fetch("cifar10", new)  # nothing is missing
    fetch("cifar10", cifar10.root)


def test_an_archive_that_cannot_be_had(
    cifar10: SimpleNamespace, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").write_bytes(b"not it")
    monkeypatch.setattr(CIFAR10, "url", f"{server}/other")
    root = tmp_path / "new"
    with pytest.raises(DataError, match=r"^data set cifar10: cannot download \(RuntimeError: .*\); expected are ") as e:
        fetch("cifar10", root)
    assert all(f"{root / path} (md5 {md5})" in str(e.value) for path, md5 in cifar10.row.files.items())
    assert not root.exists()


def test_cifar100_has_the_fine_labels(arrays: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays.train_labels, arrays.train = np.arange(100)[::-1].copy(), np.tile(arrays.train, (5, 1, 1, 1))
    folder, files = "cifar-100-python", {}
    for split in ("train", "test"):
        labels = getattr(arrays, f"{split}_labels")
        entry = pickle.loads(pickled(getattr(arrays, split), labels, "fine_labels")) | {"coarse_labels": [1]}
        files[f"{folder}/{split}"] = write(tmp_path / folder / split, pickle.dumps(entry, protocol=2))
    meta = pickle.dumps({"fine_label_names": ["a"]}, protocol=2)
    files[f"{folder}/meta"] = write(tmp_path / folder / "meta", meta)
    monkeypatch.setattr(CIFAR100, "train_list", [["train", files[f"{folder}/train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", files[f"{folder}/test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": files[f"{folder}/meta"]})
    put_row(monkeypatch, "cifar100", files=files, train=100, smallest_class=1)
    assert_holds("cifar100", tmp_path, arrays)


@pytest.fixture
def svhn(arrays: SimpleNamespace, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small SVHN in MATLAB's format, in which the digit 0 has the label 10; its folder."""
    root, files, listed = tmp_path / "svhn", {}, {}
    for split in ("train", "test"):
        labels = getattr(arrays, f"{split}_labels")
        content = io.BytesIO()
        savemat(
            content,
            {"X": getattr(arrays, split).transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]},
            do_compression=True,
        )
        path = f"{split}_32x32.mat"
        files[path] = write(root / path, content.getvalue())
        listed[split] = [f"{server}/svhn/{path}", path, files[path]]
    monkeypatch.setattr(SVHN, "split_list", listed)
    put_row(monkeypatch, "svhn", files=files)
    return root


def test_svhn(svhn: Path, arrays: SimpleNamespace) -> None:
    assert_holds("svhn", svhn, arrays)


def test_svhn_is_fetched_file_by_file(svhn: Path, arrays: SimpleNamespace, tmp_path: Path) -> None:
    new = tmp_path / "new"
    fetch("svhn", new)
    assert sorted(path.name for path in new.iterdir()) == ["test_32x32.mat", "train_32x32.mat"]
    assert_holds("svhn", new, arrays)
