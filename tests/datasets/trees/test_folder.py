"""Trees of image files as data sets: what is read, what it is called, what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from bench.datasets import DataError, absolute, check, fetch, label, load, row_of


def draw(path: Path, seed: int, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> None:
    """An image file of (width, height) pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
    Image.fromarray(np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)).save(path)


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Path:
    """Three classes of 2, 3 and 2 training images, one of them grey, and a test image each; folder "some"."""
    folder = tmp_path / "data" / "some"
    for number, (name, images) in enumerate({"b": 2, "B": 3, "a": 2}.items()):
        for i in range(images):
            draw(folder / f"train/{name}/{i}.png", 10 * number + i, mode="L" if i == 2 else "RGB")
        draw(folder / f"test/{name}/x.PNG", 100 + number)
    draw(folder / "train/a/deeper/0.bmp", 50)
    (folder / "train/a/notes.txt").write_text("no image")
    return folder


@pytest.mark.parametrize("split", ["train", "test"])
def test_classes_images_and_order_are_torchvisions(tree: Path, split: str) -> None:
    check(f"folder:{tree}")
    data, theirs = load(f"folder:{tree}"), ImageFolder(str(tree / split))
    images = getattr(data, f"{split}_images")
    assert images.shape == (len(theirs), 3, 5, 6)
    assert getattr(data, f"{split}_labels").tolist() == theirs.targets
    for ours, (image, _) in zip(images, theirs, strict=True):
        assert np.array_equal(ours.permute(1, 2, 0).numpy(), np.asarray(image))


def test_row_says_what_is_there(tree: Path) -> None:
    row = row_of(f"folder:{tree}")
    assert (row.image_shape, row.classes, row.train, row.test, row.smallest_class) == ((3, 5, 6), 3, 8, 3, 2)
    assert load(f"folder:{tree}").classes == 3


def test_val_serves_where_there_is_no_test(tree: Path) -> None:
    expected = load(f"folder:{tree}").test_images
    (tree / "test").rename(tree / "val")
    assert torch.equal(load(f"folder:{tree}").test_images, expected)


def test_tiny_imagenet_as_it_is_published(tree: Path) -> None:
    """Its test images have no labels, its validation images have theirs in a file."""
    annotations = []
    for i, name in enumerate(("a", "b", "a", "B")):
        draw(tree / f"val/images/val_{i}.png", i)
        annotations.append(f"val_{i}.png\t{name}\t0\t0\t3\t4\n")
    (tree / "val/val_annotations.txt").write_text("".join(annotations))
    shutil.rmtree(tree / "test")
    draw(tree / "test/images/0.png", 0)
    data = load(f"folder:{tree}")
    assert data.test_labels.tolist() == [1, 2, 1, 0]
    assert row_of(f"folder:{tree}").test == 4
    before = row_of(f"folder:{tree}").content_hash
    (tree / "val/val_annotations.txt").write_text("".join(annotations).replace("3.png\tB", "3.png\tb"))
    assert row_of(f"folder:{tree}").content_hash != before
    assert load(f"folder:{tree}").test_labels.tolist() == [1, 2, 1, 2]
    (tree / "val/val_annotations.txt").write_text("".join(annotations[:3]))
    with pytest.raises(DataError, match=r"val_3\.png: val/val_annotations.txt names no class of train/ for it$"):
        load(f"folder:{tree}")


def test_a_side_resizes_and_crops_all(tree: Path) -> None:
    draw(tree / "train/a/wide.png", 3, (40, 7))
    data = load(f"folder:{tree}@4")
    assert data.train_images.shape == (9, 3, 4, 4)
    for path in tree.rglob("*.*"):
        if path.suffix != ".txt":
            Image.new("RGB", (9, 6), (10, 20, 30) if path.parent.name == "b" else (40, 50, 60)).save(path)
    data = load(f"folder:{tree}@4")  # an image of one colour stays as it is
    colours = torch.tensor([[40, 50, 60]] * 7 + [[10, 20, 30]] * 2, dtype=torch.uint8)
    assert torch.equal(data.train_images[:, :, 0, 0], colours)
    assert data.train_images.flatten(2).unique(dim=2).shape[2] == 1


def test_images_of_that_side_are_left_as_they_are(tree: Path, tmp_path: Path) -> None:
    square = tmp_path / "square"
    for i in range(2):
        draw(square / f"train/{i}/0.png", i, (7, 7))
        draw(square / f"val/{i}/0.png", i, (7, 7))
    assert torch.equal(load(f"folder:{square}@7").train_images, load(f"folder:{square}").train_images)
    assert row_of(f"folder:{square}@7").content_hash != row_of(f"folder:{square}").content_hash


def test_content_hash_is_of_names_and_contents_wherever_they_lie(tree: Path, tmp_path: Path) -> None:
    before = row_of(f"folder:{tree}").content_hash
    copy = tmp_path / "elsewhere" / "other"
    shutil.copytree(tree, copy, copy_function=shutil.copyfile)  # other times of change
    assert row_of(f"folder:{copy}").content_hash == before
    (copy / "train/a/notes.txt").write_text("still no image")
    assert row_of(f"folder:{copy}").content_hash == before
    (copy / "train/a/0.png").rename(copy / "train/a/9.png")
    renamed = row_of(f"folder:{copy}").content_hash
    draw(copy / "train/a/9.png", 77)
    assert len({before, renamed, row_of(f"folder:{copy}").content_hash}) == 3


def test_a_changed_image_is_decoded_again_in_the_same_place(tree: Path, own_cache: Path) -> None:
    load(f"folder:{tree}")
    kept = sorted(path.name for path in own_cache.iterdir())
    assert len(kept) == 2  # the arrays, and the md5s
    draw(tree / "train/B/0.png", 200)
    changed = load(f"folder:{tree}").train_images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(changed, np.asarray(Image.open(tree / "train/B/0.png")))
    assert sorted(path.name for path in own_cache.iterdir()) == kept


def test_md5s_are_remembered_and_a_damaged_memory_is_not_used(tree: Path, own_cache: Path) -> None:
    before = row_of(f"folder:{tree}").content_hash
    (memory,) = own_cache.glob("*.md5.json")
    path = tree / "train/a/0.png"
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(bytes(len(content)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert row_of(f"folder:{tree}").content_hash == before  # as large and as old as before
    for damaged in ("", "[]", '{"train/a/0.png": 3}', '{"train/a/0.png": [1]}'):
        memory.write_text(damaged)
        assert row_of(f"folder:{tree}").content_hash != before


def test_what_earlier_versions_kept_of_a_folder_is_decoded_again(tree: Path, own_cache: Path) -> None:
    """Its images may be ones that are refused now; the content hash was all that they were kept by."""
    check(f"folder:{tree}")
    (header,) = own_cache.rglob("header.json")
    now, before = header.read_text(), row_of(f"folder:{tree}").content_hash
    assert json.loads(now)["identity"] == f"{before} 2"
    header.write_text(json.dumps({**json.loads(now), "identity": before}))
    check(f"folder:{tree}")
    assert json.loads(header.read_text()) == json.loads(now)


def test_nothing_is_written_into_the_tree(tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    fetch(f"folder:{tree}")
    check(f"folder:{tree}")
    load(f"folder:{tree}")
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


def test_names(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.parent)
    assert absolute("folder:some@64") == f"folder:{tree}@64"
    assert absolute("folder:some/") == f"folder:{tree}"
    assert label(f"folder:{tree}") == label("folder:some/train/..") == "folder:some"
    assert label("folder:./some@64") == "folder:some@64"
    assert (absolute("mnist"), label("mnist")) == ("mnist", "mnist")
    (tree / "with@sign").mkdir()
    assert absolute("folder:some/with@sign") == f"folder:{tree / 'with@sign'}"


def refused(name: str) -> str:
    with pytest.raises(DataError) as error:
        load(name)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["folder:", "folder:/nowhere/at/all", "folder:@64", "folder:{tree}@0"])
def test_wrong_names(tree: Path, name: str) -> None:
    assert "must be folder:PATH or folder:PATH@SIDE, PATH a folder" in refused(name.format(tree=tree))


def test_another_size_is_named_with_the_way_out(tree: Path) -> None:
    draw(tree / "train/a/1.png", 0, (8, 5))
    message = refused(f"folder:{tree}")
    assert message.startswith(f"{tree / 'train/a/1.png'}: 8x5 pixels, the first image 6x5: must be of one size; ")
    assert "folder:PATH@SIDE" in message


def test_what_is_no_image_is_named(tree: Path) -> None:
    path = tree / "train/b/1.png"
    whole = path.read_bytes()
    path.write_bytes(b"text")
    assert refused(f"folder:{tree}") == f"{path}: no image that Pillow can read"
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(f"folder:{tree}").startswith(f"{path}: cannot be decoded: ")
    path.unlink()
    path = tree / "train/b/1.tif"
    Image.new("L", (6, 5)).save(path)
    path.write_bytes(path.read_bytes().replace(b"\x11\x01\x04\x00", b"\x11\x01\x02\x00", 1))  # an address in letters
    assert refused(f"folder:{tree}").startswith(f"{path}: cannot be decoded: ")


@pytest.mark.parametrize(
    ("test", "val", "difference"),
    [
        ("b a", None, "test/ lacks 'B'; there is no val/"),
        ("b a B c", None, "test/ has 'c'; there is no val/"),
        ("b a BB", "b a B x1 x2 x3 x4", "test/ lacks 'B' and has 'BB'; "
         "val/ has 'x1', 'x2', 'x3' and 1 more"),
        (None, "", "there is no test/; val/ lacks 'B', 'a', 'b'"),
        ("c d e f", "a", "test/ lacks 'B', 'a', 'b' and has 'c', 'd', 'e' and 1 more; "
         "val/ lacks 'B', 'b'"),
    ],
)  # fmt: skip
def test_classes_that_a_split_lacks_are_named(tree: Path, test: str | None, val: str | None, difference: str) -> None:
    shutil.rmtree(tree / "test")
    for split, classes in {"test": test, "val": val}.items():
        for name in (classes or "").split():
            draw(tree / split / name / "x.png", 1)
        if classes is not None:
            (tree / split).mkdir(exist_ok=True)
    start = f"{tree}: neither test/ nor val/ has the 3 folders of the classes in train/: "
    assert refused(f"folder:{tree}") == start + difference


def test_other_layouts_are_refused(tree: Path) -> None:
    (tree / "train/b/0.png").unlink()
    (tree / "train/b/1.png").unlink()
    assert refused(f"folder:{tree}").startswith(f"{tree / 'train/b'}: has no image; read are .jpg, ")
    (tree / "train/b").rename(tree / "b")
    (tree / "train/B").rename(tree / "B")
    message = f"{tree / 'train'} has the folder of one class, a: must be 2 or more"
    assert refused(f"folder:{tree}") == f"data set 'folder:{tree}': {message}"
    (tree / "train").rename(tree / "training")
    assert refused(f"folder:{tree}").endswith(f"{tree / 'train'} has no folder of a class")


def test_check_of_a_folder_imports_no_torch(tree: Path, tmp_path: Path) -> None:
    code = f"import sys; from bench import datasets; datasets.check('folder:{tree}'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)})
