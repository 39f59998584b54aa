"""Files written whole, and locks between processes."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from bench.disk import locked, write_whole


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"first", b""):
        write_whole(file, content)
        assert file.read_bytes() == content
    with pytest.raises(TypeError):
        write_whole(file, "no bytes")  # type: ignore[arg-type]
    assert file.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [file]


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    """Of a file and of a folder; another opening of the same file stands for another process."""
    (tmp_path / "file").touch()
    with locked(tmp_path / "file"), (tmp_path / "file").open() as second_opening, pytest.raises(BlockingIOError):
        fcntl.flock(second_opening, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with locked(tmp_path), locked(tmp_path / "file"):
        pass
    with (tmp_path / "file").open() as second_opening:
        fcntl.flock(second_opening, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_who_has_a_lock_may_take_it_again_and_others_may_not(tmp_path: Path) -> None:
    taken: list[str] = []

    def take() -> None:
        with locked(tmp_path):
            taken.append("other")

    other = threading.Thread(target=take)
    with locked(tmp_path), locked(tmp_path / "." / ""):
        taken.append("twice")
        other.start()
    other.join()
    assert taken == ["twice", "other"]
