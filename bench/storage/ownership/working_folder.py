"""Folders in the machine's temporary folder that name their process; what killed processes left there is removed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.storage.ownership.owner import PROC, Owner

PREFIX = "bench-"
OWNER = "owner"  # the file that names the process


def new_folder(base: Path | None = None) -> Path:
    """A new folder of this process in `base`, or in the temporary folder; it has a file `owner`, and nothing else yet.

    What processes that are gone left there is removed first.
    """
    base = base or Path(tempfile.gettempdir())
    remove_abandoned(base)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    (folder / OWNER).write_text(Owner.here().tag())
    return folder


@contextmanager
def working_folder() -> Iterator[Path]:
    """An empty folder that exists as long as the context."""
    folder = new_folder()
    try:
        (content := folder / "content").mkdir()
        yield content
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(base: Path) -> None:
    """Remove this user's folders of processes of this machine that are gone, if no other process names them either.

    What cannot be removed is left. A folder from another machine, or of another container, says nothing here.
    """
    for folder in base.glob(f"{PREFIX}*"):
        if _is_abandoned(folder) and str(folder) not in _commands():
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        owner = Owner.of((folder / OWNER).read_text(errors="replace"))
        is_ours = folder.stat().st_uid == os.getuid() and not folder.is_symlink()
    except OSError:  # not one of ours, or just removed
        return False
    return is_ours and owner is not None and owner.has_ended() is True


def _commands() -> str:
    """The command lines of the processes of this machine, where it tells: Ray's outlive the one that started them."""
    lines = []
    for file in PROC.glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text(errors="replace"))
        except OSError:  # it has just ended
            continue
    return "\n".join(lines)
