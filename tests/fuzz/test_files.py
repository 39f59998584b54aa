"""Every file that is read, damaged in many ways: it is refused in one line, or read; nothing hangs or grows."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import shutil
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import damaged, try_inputs
from mutated_trees import mutated
from npz_files import npz
from safetensors.torch import save
from small_trials import images, spec
from stored_entries import entry

from bench import names
from bench.artefact.artefact import read, write
from bench.artefact.container import PREFIX, SEAL
from bench.artefact.weights_file import tensors_in
from bench.canonical import key_of
from bench.cli.cli import cli
from bench.cli.config.config_file import read_config
from bench.datasets import DataError, check, load
from bench.datasets.cache.array_folder import HEADER, open_arrays, write_arrays
from bench.datasets.cifar import decode as decode_cifar
from bench.datasets.idx import load as load_idx
from bench.datasets.row import DatasetRow
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import prepare
from bench.peft import compress, decompress
from bench.results.frame.stored_spec import stored_spec
from bench.storage import offline_folder
from bench.storage.checkpoint import SUFFIX, Checkpoints
from bench.storage.entry import decode, encode
from bench.storage.tracking.csv_files import COLUMNS, CsvFiles
from bench.trial.loading import load as load_plugin

Attempt = Callable[[random.Random, Path], None]
PLUGIN = b"""
from dataclasses import dataclass
from bench.methods import Method

@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    criterion: str = "magnitude"
    background: str = "freeze"

METHODS = {"mine": Mine()}
"""
CONFIG = b"""
methods = ["freeze", "snip"]
rates = [0.9, 0.95]
[what]
dataset = "digits"
seeds = "3:8"
[protocol]
lr = 0.1
epochs = 3
optimizer = "sgd"
"""


@cache
def network() -> bytes:
    one = spec("freeze", "0.99", model="lenet-5-caffe")
    trial = prepare(one, images(130, 30), "cpu")
    apply_background(trial.model, trial.masks, one)
    return write(
        spec=one.record(), model=trial.model, masks=trial.masks, init_sha256=trial.init_sha256,
        image_shape=(1, 28, 28), classes=10, test_accuracy=0.5,
    )  # fmt: skip


@cache
def state() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.ones(3, 4), "a.bias": torch.zeros(3), "steps": torch.tensor(3)}


@cache
def saved(legacy: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(state(), buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def stored_network(draw: random.Random, folder: Path) -> None:
    """Sealed anew, or nothing but the checksum would be tried; half of the damage is in the header."""
    body = network()[:-SEAL]
    cut = PREFIX.size + 600 if draw.random() < 0.5 else len(body)
    raw = damaged(body[:cut], draw) + body[cut:]
    read(raw + sha256(raw).digest())


def weights(draw: random.Random, folder: Path) -> None:
    tensors_in(damaged(draw.choice((save(state()), saved(False), saved(True))), draw))


def adapter(draw: random.Random, folder: Path) -> None:
    indices = torch.tensor([[0, 1, 2], [3, 1, 0]], dtype=torch.int32)
    body = compress({"q.shira_weight": torch.ones(3), "q.shira_indices": indices})[:-SEAL]
    raw = damaged(body, draw)
    decompress(raw + sha256(raw).digest())


def offline_line(draw: random.Random, folder: Path) -> None:
    """Sealed anew where it is JSON still, with the run key of the spec."""
    record = damaged(encode(entry(0)).encode(), draw)
    try:
        values = json.loads(record)
        values.pop("sha256")
        values["result"]["run_key"] = key_of(values["spec"])
        record = json.dumps({**values, "sha256": key_of(values)}).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    decode(record)


def offline_files(draw: random.Random, folder: Path) -> None:
    offline_folder.write(folder / "x.jsonl", [entry(0), entry(1)])
    path = draw.choice([path for path in folder.iterdir() if path.is_file()])
    path.write_bytes(damaged(path.read_bytes(), draw))
    entries, problems = offline_folder.read_what_is_whole(folder)
    assert entries or problems
    assert not any("\n" in problem for problem in problems)


def config_file(draw: random.Random, folder: Path) -> None:
    (folder / "c.toml").write_bytes(damaged(CONFIG, draw))
    command = cli.commands["run"]
    values = read_config(folder / "c.toml", command)
    assert values.keys() <= {parameter.name for parameter in command.params}


def plugin(draw: random.Random, folder: Path) -> None:
    (folder / "p.py").write_bytes(damaged(PLUGIN, draw))
    with warnings.catch_warnings(action="ignore"):
        load_plugin(str(folder / "p.py"))


def checkpoint(draw: random.Random, folder: Path) -> None:
    """A damaged one is none: the trial starts again."""
    body = damaged(saved(draw.random() < 0.2), draw)
    (folder / f"k{SUFFIX}").write_bytes(sha256(body).digest() + body)
    assert Checkpoints(str(folder)).read("k") is None


def csv_table(draw: random.Random, folder: Path) -> None:
    tables = CsvFiles(folder)
    tables.open()
    tables.add([entry(0), entry(1)])
    path = folder / draw.choice(list(COLUMNS))
    path.write_bytes(damaged(path.read_bytes(), draw))
    again = CsvFiles(folder)
    again.open()
    again.add([entry(2)])
    assert again.lacking([entry(2).run_key]) == []


def spec_of_a_run(draw: random.Random, folder: Path) -> None:
    text = damaged(json.dumps(spec().record()).encode(), draw)
    stored_spec({names.SPEC: text.decode(errors="replace")})


def npz_file(draw: random.Random, folder: Path) -> None:
    name = npz(folder, 2, images=3)
    path = folder / "data.npz"
    if draw.random() < 0.5:  # what zip's checksums would hide
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        key = draw.choice(list(arrays))
        arrays[key] = draw.choice([
            arrays[key].astype(draw.choice(["f4", "i1", "U3", "c8", "O"])), arrays[key][:0], arrays[key][..., None],
            np.array(draw.choice([3, "x", None])), arrays[key][:-1],
        ])  # fmt: skip
        np.savez(path, **arrays, allow_pickle=True)
    else:
        path.write_bytes(damaged(path.read_bytes(), draw))
    check(name)


def image_folder(draw: random.Random, folder: Path) -> None:
    tree = mutated(folder / "t", draw.randrange(2**32))
    check(f"folder:{tree}{draw.choice(('', '@8'))}")


def row(**more: Any) -> DatasetRow:
    return DatasetRow(
        image_shape=(1, 4, 6), classes=3, train=6, test=3, smallest_class=1, default_model="m", files={}, **more
    )


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def idx_files(draw: random.Random, folder: Path) -> None:
    """Their md5 is made to fit."""
    arrays = [np.arange(n * 24).reshape(n, 4, 6) if k == 0 else np.arange(n) % 3 for n in (6, 3) for k in (0, 1)]
    contents = {f"{number}.gz": gzip.compress(_idx(array), mtime=0) for number, array in enumerate(arrays)}
    name = draw.choice(list(contents))
    inner = draw.random() < 0.5
    raw = gzip.decompress(contents[name]) if inner else contents[name]
    contents[name] = gzip.compress(damaged(raw, draw), mtime=0) if inner else damaged(raw, draw)
    load_idx("tiny", _written(folder, row(), contents), folder)


def cifar_files(draw: random.Random, folder: Path) -> None:
    """Of the binary version; their md5 is made to fit."""
    records = {name: bytes(draw.randrange(256) if i % 25 else i // 25 % 3 for i in range(25 * n)) for name, n in
               (("data_batch_1.bin", 6), ("test_batch.bin", 3))}  # fmt: skip
    name = draw.choice(list(records))
    records[name] = damaged(records[name], draw)
    arrays = {f"{s}_{k}": np.empty((n, 4, 6, 1) if k == "images" else (n,), np.uint8 if k == "images" else np.int64)
              for s, n in (("train", 6), ("test", 3)) for k in ("images", "labels")}  # fmt: skip
    made = _written(folder, row(), records)
    decode_cifar("tiny", made, folder, made.files, arrays)


def _written(folder: Path, made: DatasetRow, contents: dict[str, bytes]) -> DatasetRow:
    from bench.datasets.files import md5_of

    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return replace(made, files={name: md5_of(content) for name, content in contents.items()})


def kept_arrays(draw: random.Random, folder: Path) -> None:
    """Damaged ones are none: they are decoded again."""
    shapes = {"train_images": ((2, 3, 3, 1), np.uint8), "train_labels": ((2,), np.int64)}
    write_arrays(folder / "a", "identity", shapes, lambda arrays: [array.fill(1) for array in arrays.values()])
    path = folder / "a" / draw.choice([HEADER, "train_images.npy"])
    before = path.read_bytes()
    path.write_bytes(damaged(before, draw))
    kept = open_arrays(folder / "a", "identity")
    assert kept is None or kept.arrays["train_labels"].tolist() == [1, 1]


def remembered_md5s(draw: random.Random, folder: Path) -> None:
    """Damaged ones are forgotten: the files are read again."""
    tree = mutated(folder / "t", draw.choice((13, 16, 19)))
    try:
        check(f"folder:{tree}@8")
    except DataError:
        return
    (memory,) = (path for path in folder.rglob("*.md5.json"))
    memory.write_bytes(damaged(memory.read_bytes(), draw))
    load(f"folder:{tree}@8")


READERS: dict[str, tuple[Attempt, int]] = {
    "stored network": (stored_network, 40), "weights": (weights, 40), "adapter": (adapter, 40),
    "offline line": (offline_line, 60), "offline folder": (offline_files, 10), "config file": (config_file, 40),
    "plug-in": (plugin, 15), "checkpoint": (checkpoint, 15), "CSV tables": (csv_table, 8),
    "spec of a run": (spec_of_a_run, 60), "npz": (npz_file, 8), "image folder": (image_folder, 25),
    "IDX": (idx_files, 25), "CIFAR": (cifar_files, 25), "kept arrays": (kept_arrays, 10),
    "remembered md5s": (remembered_md5s, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_damaged_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, number = READERS[name]
    monkeypatch.setattr("platformdirs.user_cache_path", lambda project: tmp_path / "cache" / project)
    attempts = iter(range(10**9))

    def once(draw: random.Random) -> None:
        folder = tmp_path / str(next(attempts))
        folder.mkdir()
        try:
            attempt(draw, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)

    with warnings.catch_warnings(action="ignore"):
        try_inputs(name, number, once)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    """A pickle that would make a file makes none, whoever is given it."""
    made = tmp_path / "made"

    class Hostile:
        def __reduce__(self) -> tuple[Any, tuple[str, str]]:
            return open, (str(made), "w")

    buffer = io.BytesIO()
    torch.save({"a": Hostile()}, buffer)
    for content in (buffer.getvalue(), pickle.dumps(Hostile(), protocol=2)):
        with pytest.raises(ValueError, match=r"code in a file is not run|must be a \.frz file"):
            tensors_in(content)
        (tmp_path / f"k{SUFFIX}").write_bytes(sha256(content).digest() + content)
        assert Checkpoints(str(tmp_path)).read("k") is None
    np.savez(tmp_path / "x.npz", train_images=np.array([Hostile()], dtype=object))
    with pytest.raises(DataError):
        check(f"npz:{tmp_path / 'x.npz'}")
    assert not made.exists()
