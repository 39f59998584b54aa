"""The folder of decoded arrays: whole or not there, and made again if it is outdated or damaged."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.datasets.cache.array_folder import (
    Shapes,
    in_memory,
    open_arrays,
    stored_statistics,
    write_arrays,
)
from bench.disk import ABANDONED_SECONDS

SHAPES: Shapes = {
    "train_images": ((6, 4, 5, 3), np.uint8),
    "train_labels": ((6,), np.int64),
    "test_images": ((2, 4, 5, 3), np.uint8),
    "test_labels": ((2,), np.int64),
}


def fill(arrays: Mapping[str, NDArray[Any]]) -> None:
    for number, array in enumerate(arrays.values()):
        array[:] = np.random.RandomState(number).randint(0, 10, array.shape)


def fail(arrays: Mapping[str, NDArray[Any]]) -> None:
    fill(arrays)
    raise ValueError("half way")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "some"


def test_what_was_written_is_opened(folder: Path) -> None:
    assert open_arrays(folder, "a") is None
    write_arrays(folder, "a", SHAPES, fill)
    mapped, in_process = open_arrays(folder, "a"), in_memory(SHAPES, fill)
    assert mapped is not None and stored_statistics(folder, "a") == (mapped.mean, mapped.std)
    assert stored_statistics(folder, "b") is None
    assert (mapped.mean, mapped.std) == (in_process.mean, in_process.std)
    for name, array in in_process.arrays.items():
        assert mapped.arrays[name].dtype == array.dtype
        assert np.array_equal(mapped.arrays[name], array)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["some"]


def test_what_a_process_writes_into_its_arrays_reaches_no_file(folder: Path) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    mapped = open_arrays(folder, "a")
    assert mapped is not None
    mapped.arrays["train_images"][:] = 255
    again = open_arrays(folder, "a")
    assert again is not None and again.arrays["train_images"].max() < 10


def test_another_identity_is_not_opened_and_is_replaced(folder: Path) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    before = open_arrays(folder, "a")
    assert before is not None and open_arrays(folder, "b") is None
    write_arrays(folder, "b", SHAPES, fill)
    assert open_arrays(folder, "a") is None and open_arrays(folder, "b") is not None
    assert before.arrays["train_images"].max() < 10  # still mapped
    assert sorted(path.name for path in folder.parent.iterdir()) == ["some"]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes({"flipped": bytes(content), "cut": bytes(content[:-9]), "empty": b""}[how])


@pytest.mark.parametrize("how", ["flipped", "cut", "empty"])
@pytest.mark.parametrize("name", [*(f"{name}.npy" for name in SHAPES), "header.json"])
def test_damage_is_noticed_and_mended(folder: Path, name: str, how: str) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    damage(folder / name, how)
    assert open_arrays(folder, "a") is None
    write_arrays(folder, "a", SHAPES, fill)
    assert open_arrays(folder, "a") is not None


def test_a_missing_part_is_noticed(folder: Path) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    (folder / "test_labels.npy").unlink()
    assert open_arrays(folder, "a") is None


@pytest.mark.parametrize("header", ["[]", "{}", '{"format": 2, "identity": "a"}', '{"format": 0, "identity": "a"}'])
def test_a_header_of_another_kind(folder: Path, header: str) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    (folder / "header.json").write_text(header)
    assert open_arrays(folder, "a") is None and stored_statistics(folder, "a") is None


def test_a_failure_leaves_what_was_there(folder: Path) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    with pytest.raises(ValueError, match="half way"):
        write_arrays(folder, "b", SHAPES, fail)
    assert open_arrays(folder, "a") is not None
    assert sorted(path.name for path in folder.parent.iterdir()) == ["some"]


def test_the_same_written_meanwhile_by_another_stays(folder: Path) -> None:
    def slow(arrays: Mapping[str, NDArray[Any]]) -> None:
        fill(arrays)
        write_arrays(folder, "a", SHAPES, fill)

    write_arrays(folder, "a", SHAPES, slow)
    assert open_arrays(folder, "a") is not None
    assert sorted(path.name for path in folder.parent.iterdir()) == ["some"]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from bench.datasets.cache.array_folder import write_arrays

    def killed(arrays):
        for array in arrays.values():
            array[:] = 1
        os.kill(os.getpid(), signal.SIGKILL)

    shapes = {"train_images": ((2, 3, 3, 1), np.uint8), "train_labels": ((2,), np.int64)}
    write_arrays(Path(sys.argv[1]), "a", shapes, killed)
"""


def test_a_killed_writer_leaves_no_cache_and_its_rest_is_removed_in_time(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(folder)], capture_output=True)
    assert done.returncode == -9
    (rest,) = folder.parent.iterdir()
    assert open_arrays(folder, "a") is None
    write_arrays(folder, "a", SHAPES, fill)
    assert rest.is_dir()  # its writer may still be alive
    long_ago = rest.stat().st_mtime - ABANDONED_SECONDS - 1
    os.utime(rest, (long_ago, long_ago))
    write_arrays(folder, "b", SHAPES, fill)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["some"]


def test_the_header_says_what_was_written(folder: Path) -> None:
    write_arrays(folder, "a", SHAPES, fill)
    header = json.loads((folder / "header.json").read_text())
    assert (header["format"], header["identity"], list(header["crc32"])) == (1, "a", list(SHAPES))
