"""Trees with links that break or loop, files that cannot be read, and others that a disk or a stranger left so."""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fuzzing import examples
from mutated_trees import draw_tree, mutated

from bench.datasets import DataError, check, load, row_of

LIST = "import sys; from bench import datasets; datasets.check(sys.argv[1])"


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Path:
    folder = tmp_path / "tree"
    draw_tree(folder, annotated=False)
    return folder


def refused(tree: Path) -> str:
    with pytest.raises(DataError) as error:
        check(f"folder:{tree}@8")
    return str(error.value)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nowhere", "a link to 'nowhere': cannot be read: No such file or directory"),
        ("a0.png", "a link to 'a0.png': cannot be read: Too many levels of symbolic links"),
        ("/proc/self/mem", "a link to '/proc/self/mem': cannot be read: Input/output error"),
        ("/dev/zero", "no regular file: must be one, or be removed"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_link_that_leads_to_no_image_is_named(tree: Path, split: str, target: str, reason: str) -> None:
    path = tree / split / "a/a0.png"
    path.unlink()
    path.symlink_to(target)
    assert refused(tree) == f"{path}: {reason}"


def test_a_pipe_is_not_waited_for(tree: Path) -> None:
    (tree / "train/b/b0.jpg").unlink()
    os.mkfifo(tree / "train/b/b0.jpg")
    assert refused(tree) == f"{tree / 'train/b/b0.jpg'}: no regular file: must be one, or be removed"


def test_a_folder_that_holds_itself_has_no_end_of_images(tree: Path) -> None:
    for name in ("one", "two"):  # by two such links there are 2^40 paths, before the system counts too many
        (tree / "train/a" / name).symlink_to("..")
    back = "the same folder as one that it lies in: the link that leads back must be removed"
    assert refused(tree) in {f"{tree / 'train/a' / name / 'a'}: {back}" for name in ("one", "two")}


def test_a_class_whose_link_is_broken_is_not_left_out(tree: Path) -> None:
    for split in ("train", "test"):
        (tree / split / "c").symlink_to("/mnt/not mounted")
    lost = "a link to '/mnt/not mounted': cannot be read: No such file or directory"
    assert refused(tree) == f"{tree / 'train/c'}: {lost}"


def test_links_that_lead_to_images_are_followed(tree: Path, tmp_path: Path) -> None:
    before = load(f"folder:{tree}@8").train_images
    shutil.move(tree / "train/a", tmp_path / "elsewhere")
    (tree / "train/a").symlink_to(tmp_path / "elsewhere")
    (tree / "train/b/b0.jpg").rename(tmp_path / "b0")
    (tree / "train/b/b0.jpg").symlink_to(tmp_path / "b0")
    (tree / "train/b/notes.txt").symlink_to("b0.jpg")
    assert (load(f"folder:{tree}@8").train_images == before).all()


def test_a_file_that_goes_between_the_look_and_the_reading_is_named(tree: Path) -> None:
    row = row_of(f"folder:{tree}@8")
    (tree / "test/b/b1.tif").unlink()
    from bench.datasets.images import load as load_row

    with pytest.raises(DataError, match=rf"^data set some: missing {tree / 'test/b/b1.tif'} \(md5 "):
        load_row("some", row, tree)


@pytest.mark.parametrize("path", ["train", "train/a", "train/b/b0.jpg", "test/b"])
def test_what_must_not_be_read_is_named(tree: Path, path: str, tmp_path: Path) -> None:
    prefix: list[str] = []
    if os.geteuid() == 0:  # to whom nothing is forbidden, but for what a process gives up
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    (tree / path).chmod(0)
    process = subprocess.run(
        [*prefix, sys.executable, "-c", LIST, f"folder:{tree}@8"],
        capture_output=True, text=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    (tree / path).chmod(0o700)
    assert process.stderr.splitlines()[-1] == (
        f"bench.datasets.errors.DataError: {tree / path}: cannot be read: Permission denied"
    )


def test_mutated_trees_are_read_or_refused_in_one_line(tmp_path: Path, own_cache: Path) -> None:
    for seed in range(examples(60)):
        folder = mutated(tmp_path / str(seed), seed)
        try:
            with warnings.catch_warnings(action="error"):
                check(f"folder:{folder}{'@8' if seed % 2 else ''}")
        except DataError as error:
            assert str(error).startswith((f"{folder}", "data set "))
        shutil.rmtree(folder)
