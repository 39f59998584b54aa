"""The md5s of many files, remembered: a file of the same size and time of change is not read again. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.datasets.files import readable
from bench.datasets.roots import cached
from bench.disk import write_whole

Known = dict[str, list[int | str]]  # path -> [size in bytes, time of change in ns, md5]


def md5s(folder: Path, paths: Sequence[str]) -> dict[str, str]:
    """Path -> md5 of each file, in the order of `paths`, which are relative to `folder`.

    Raises: DataError naming the first that cannot be read.
    """
    memory = cached(folder.name, str(folder))
    file = memory.with_name(f"{memory.name}.md5.json")
    before = _read(file)
    now: Known = {}
    for path in paths:
        with readable(folder / path):
            status = (folder / path).stat()
        stamp = (status.st_size, status.st_mtime_ns)
        match before.get(path):
            case [size, changed, str(md5)] if (size, changed) == stamp:
                now[path] = [*stamp, md5]
            case _:
                now[path] = [*stamp, _md5(folder / path)]
    if now != before:
        with suppress(OSError):  # then they are read again the next time
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(now).encode())
    return {path: str(md5) for path, (_, _, md5) in now.items()}


def _md5(path: Path) -> str:
    with readable(path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _read(file: Path) -> Known:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
