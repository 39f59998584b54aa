"""Files written whole, and locks between processes."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from bench.disk import expanded, locked, make_folder, write_whole


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"first", b""):
        write_whole(file, content)
        assert file.read_bytes() == content
    with pytest.raises(TypeError):
        write_whole(file, "no bytes")  # type: ignore[arg-type]
    assert file.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [file]


def unexpected() -> None:
    pytest.fail("nobody has the lock")


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    """Of a file and of a folder; another opening of the same file stands for another process."""
    (tmp_path / "file").touch()
    with (
        locked(tmp_path / "file", unexpected),
        (tmp_path / "file").open() as second_opening,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(second_opening, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with locked(tmp_path, unexpected), locked(tmp_path / "file", unexpected):
        pass
    with (tmp_path / "file").open() as second_opening:
        fcntl.flock(second_opening, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_who_has_a_lock_may_take_it_again_and_others_may_not(tmp_path: Path) -> None:
    taken: list[str] = []
    waiting = threading.Event()

    def take() -> None:
        with locked(tmp_path, waiting.set):
            taken.append("other")

    other = threading.Thread(target=take)
    with locked(tmp_path, unexpected), locked(tmp_path / "." / "", unexpected):
        taken.append("twice")
        other.start()
        assert waiting.wait(60)  # it says so
    other.join()
    assert taken == ["twice", "other"]


def test_a_wait_for_a_lock_ends(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "file").touch()
    with (tmp_path / "file").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError), locked(tmp_path / "file", lambda: said.append("waiting"), 0.02):
            pytest.fail("taken twice")
    assert said == ["waiting"]
    with locked(tmp_path / "file", unexpected):  # nothing is left of the try
        pass


def test_a_new_folder_is_on_the_disk_with_all_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a file in it, written whole, is nowhere after a crash."""
    synced: list[int] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    make_folder(tmp_path / "a" / "b" / "c")
    assert set(synced) == {path.stat().st_ino for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")}
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file" / "b")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("~nobody-of-this-name/x", "~nobody-of-this-name/x: no home folder is known for ~nobody-of-this-name"),
        ("n" * 256, f"{'n' * 256}: longer than a path can be: a name in it has at most 255 bytes"),
        ("nowhere/" + "é" * 128, f"nowhere/{'é' * 128}: longer than a path can be: a name in it has at most 255 bytes"),
        ("a\0b", r"'a\x00b': no file can have that name"),
    ],
)
def test_what_no_file_can_be_called(path: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        expanded(Path(path))
    assert str(error.value) == said


def test_a_home_folder_and_the_longest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded(Path("~/x")) == tmp_path / "x"
    assert expanded(Path("x/~")) == Path("x/~")
    for name in ("n" * 255, "é" * 127):
        write_whole(tmp_path / name, b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 2
