"""A small tree of image files, and what may become of one: links, pipes, devices, damaged bytes, odd names."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

Mutation = Callable[[Path, random.Random], None]
ODD_NAMES = (
    "a\nb",
    "\x1b[31mred",
    "n" * 250,
    "a#b",
    "é",
    "%41",
    "back\\slash",
    " ",
    ".hidden",
    os.fsdecode(b"\xff\xfe"),
)
SUFFIXES = (".png", ".bmp", ".jpg", ".tif", ".webp", ".ppm")


def draw_tree(folder: Path, annotated: bool) -> None:
    """Two classes of two images each to train on, and one each to test on; `annotated` as Tiny ImageNet has them."""
    for split in ("train", "val" if annotated else "test"):
        for number, name in enumerate(("a", "b")):
            for index, suffix in enumerate(SUFFIXES[2 * number : 2 * number + 2]):
                held_out = annotated and split == "val"
                below = folder / split / ("images" if held_out else name)
                below.mkdir(parents=True, exist_ok=True)
                pixels = np.random.RandomState(10 * number + index).randint(0, 256, (5, 6, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(below / f"{name}{index}{suffix}")
    if annotated:
        names = (f"{name}{i}{s}" for number, name in enumerate("ab") for i, s in enumerate(SUFFIXES[2 * number :][:2]))
        (folder / "val/val_annotations.txt").write_text("".join(f"{name}\t{name[0]}\t0\t0\t3\t4\n" for name in names))


def _entries(folder: Path) -> list[Path]:
    """What is in the tree itself; no link is followed, and nothing but the tree is ever changed."""
    return sorted(Path(below, name) for below, folders, files in os.walk(folder) for name in folders + files)


def _files(folder: Path) -> list[Path]:
    """The files, and if there is none, where one might be."""
    return [path for path in _entries(folder) if stat.S_ISREG(path.lstat().st_mode)] or [folder / "new.png"]


def _folders(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if stat.S_ISDIR(path.lstat().st_mode)] or [folder / "new"]


def _removed(path: Path) -> Path:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    return path


def _replaced_by(target: str) -> Mutation:
    return lambda folder, draw: _removed(draw.choice(_files(folder))).symlink_to(target)


def _folder_replaced_by(target: str) -> Mutation:
    return lambda folder, draw: _removed(draw.choice(_folders(folder))).symlink_to(target)


def _looping(folder: Path, draw: random.Random) -> None:
    path = _removed(draw.choice(_files(folder)))
    path.symlink_to(path.name)


def _looping_folder(folder: Path, draw: random.Random) -> None:
    path = _removed(draw.choice(_folders(folder)))
    path.symlink_to(path.name)


def _endless(folder: Path, draw: random.Random) -> None:
    """Folders that hold themselves, two ways: 2^40 paths lead through them."""
    below = draw.choice(_folders(folder))
    for number in range(2):
        (below / f"loop{number}{draw.random()}").symlink_to("../" * draw.randint(0, 2) + ".")


def _piped(folder: Path, draw: random.Random) -> None:
    os.mkfifo(_removed(draw.choice(_files(folder))))


def _folder_of_that_name(folder: Path, draw: random.Random) -> None:
    _removed(draw.choice(_files(folder))).mkdir()


def _file_of_that_name(folder: Path, draw: random.Random) -> None:
    _removed(draw.choice(_folders(folder))).write_bytes(b"no folder")


def _unreadable(folder: Path, draw: random.Random) -> None:
    draw.choice(_files(folder) + _folders(folder)).chmod(0)


def _written(folder: Path, draw: random.Random, change: Callable[[bytearray], bytes | bytearray]) -> None:
    path = draw.choice(_files(folder))
    path.write_bytes(change(bytearray(path.read_bytes() if path.exists() else b"")))


def _flipped(folder: Path, draw: random.Random) -> None:
    def flip(content: bytearray) -> bytearray:
        for _ in range(draw.choice((1, 2, 8, 64)) if content else 0):
            content[draw.randrange(len(content))] = draw.randrange(256)
        return content

    _written(folder, draw, flip)


def _cut(folder: Path, draw: random.Random) -> None:
    _written(folder, draw, lambda content: content[: draw.randrange(len(content) + 1)])


def _random_bytes(folder: Path, draw: random.Random) -> None:
    _written(folder, draw, lambda content: content[: draw.randrange(16)] + draw.randbytes(draw.randrange(300)))


def _header(folder: Path, draw: random.Random) -> None:
    """The first bytes, which say the size, changed."""

    def change(content: bytearray) -> bytearray:
        for position in draw.sample(range(min(40, len(content))), min(3, len(content))):
            content[position] = draw.choice((0, 255, 127, draw.randrange(256)))
        return content

    _written(folder, draw, change)


def _renamed(folder: Path, draw: random.Random) -> None:
    path = draw.choice(_files(folder) + _folders(folder))
    path.rename(path.with_name(draw.choice(ODD_NAMES) + path.suffix))


def _removal(folder: Path, draw: random.Random) -> None:
    _removed(draw.choice(_files(folder) + _folders(folder)))


MUTATIONS: Sequence[Mutation] = (
    *map(_replaced_by, ("nowhere", "..", "/dev/zero", "/dev/null", "/dev/full", "/proc/self/mem", "n" * 255)),
    *map(_folder_replaced_by, ("nowhere", "..", "/dev/zero")),
    _looping, _looping_folder, _endless, _piped, _folder_of_that_name, _file_of_that_name, _unreadable,
    _flipped, _flipped, _flipped, _cut, _cut, _random_bytes, _header, _header, _renamed, _renamed, _removal,
)  # fmt: skip


def mutated(folder: Path, seed: int) -> Path:
    """A tree with one to three mutations; the same for the same seed."""
    draw = random.Random(seed)
    draw_tree(folder, annotated=draw.random() < 0.25)
    for mutate in draw.choices(MUTATIONS, k=draw.choice((1, 1, 2, 3))):
        with suppress(FileNotFoundError):  # nothing is left to change
            mutate(folder, draw)
    return folder
