"""The data sets: uint8 images with labels. DATASETS is the page to read first.

A row is a name, a lazy reference and the metadata that checks need. Imports no torch. To add a data set: its function
in a file of this folder, and its row.

row         DatasetRow, what is known of a data set before it is read, and ArraySource
images      ImageData: a data set in memory, as uint8
digits      scikit-learn's handwritten digits, up-sampled
idx         MNIST and its like, from gzipped IDX files
cifar       CIFAR-10, CIFAR-100 and SVHN
folder      a tree of image files as a data set
pictures    image files, decoded with Pillow
names       KINDS: what a prefix stands for, as `folder:PATH`
outside     data sets from outside as arrays
roots       the data root and the cache folder
download    downloading what is missing
files       the files of a data set: which are missing, and their bytes, checked
cache       what was decoded once, kept on disk
errors      DataError: what is wrong with a data set's files
checks      what every data set must be: its labels, classes, mean and standard deviation
splits      stratified choices of images
counts      how many images are held out: the one rounding rule of the split
statistics  mean and standard deviation of uint8 images, exactly
augment     translation and horizontal flip, as one move per image
loader      the resident loader: uint8 on the device, normalised batch by batch
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from bench.datasets.errors import DataError
from bench.datasets.files import files_to_read, read_all
from bench.datasets.names import KINDS, absolute, kind_of, label
from bench.datasets.roots import data_root, folder_of
from bench.datasets.row import ArraySource, DatasetRow
from bench.messages import nearest
from bench.references import resolved

if TYPE_CHECKING:
    from bench.datasets.images import ImageData

__all__ = [
    "DATASETS",
    "KINDS",
    "ArraySource",
    "DataError",
    "DatasetRow",
    "absolute",
    "check",
    "data_root",
    "fetch",
    "known_rows",
    "label",
    "load",
    "row_of",
]


DATASETS: dict[str, DatasetRow | ArraySource] = {
    "digits": DatasetRow(
        load="bench.datasets.digits:load",
        image_shape=(1, 28, 28),
        classes=10,
        train=1_437,
        test=360,
        smallest_class=139,
        default_model="lenet-300-100",
        package="sklearn",
        files={"sklearn/datasets/data/digits.csv.gz": "9b335364a7bfd63947c7480a5bd51f2d"},
        note="scikit-learn's 8x8 digits up-sampled to 28x28; needs no download",
    ),
    "mnist": DatasetRow(
        load="bench.datasets.idx:load",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        smallest_class=5_421,
        default_model="lenet-5-caffe",
        files={
            "MNIST/raw/train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "MNIST/raw/train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "MNIST/raw/t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "MNIST/raw/t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        source="torchvision.datasets:MNIST",
        note="LeCun et al. 1998; 11 MB to download",
    ),
    "fashion-mnist": DatasetRow(
        load="bench.datasets.idx:load",
        image_shape=(1, 28, 28),
        classes=10,
        train=60_000,
        test=10_000,
        smallest_class=6_000,
        default_model="lenet-5-caffe",
        files={
            "FashionMNIST/raw/train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "FashionMNIST/raw/train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "FashionMNIST/raw/t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        source="torchvision.datasets:FashionMNIST",
        note="Xiao et al. 2017; 31 MB to download",
    ),
    "cifar10": DatasetRow(
        image_shape=(3, 32, 32),
        classes=10,
        train=50_000,
        test=10_000,
        smallest_class=5_000,
        default_model="resnet20",
        files={
            "cifar-10-batches-bin/data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
            "cifar-10-batches-bin/data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
            "cifar-10-batches-bin/data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
            "cifar-10-batches-bin/data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
            "cifar-10-batches-bin/data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
            "cifar-10-batches-bin/test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
        },
        instead={
            "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
            "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
            "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
            "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
        source="torchvision.datasets:CIFAR10",
        decode="bench.datasets.cifar:decode",
        note="Krizhevsky 2009; 170 MB to download",
    ),
    "cifar100": DatasetRow(
        image_shape=(3, 32, 32),
        classes=100,
        train=50_000,
        test=10_000,
        smallest_class=500,
        default_model="resnet20",
        files={
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
        },
        source="torchvision.datasets:CIFAR100",
        decode="bench.datasets.cifar:through_torchvision",
        note="Krizhevsky 2009, the 100 fine labels; 169 MB to download",
    ),
    "svhn": DatasetRow(
        image_shape=(3, 32, 32),
        classes=10,
        train=73_257,
        test=26_032,
        smallest_class=4_659,
        default_model="resnet20",
        files={
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        },
        source="torchvision.datasets:SVHN",
        decode="bench.datasets.cifar:through_torchvision",
        note="Netzer et al. 2011, cropped digits without the extra images; 246 MB to download",
    ),
}


def load(name: str, root: Path | None = None, content_hash: str = "") -> ImageData:
    """Read a data set, checking its files; downloads nothing, and writes only to the cache of decoded arrays.

    Args:    name: of DATASETS, or of a kind of KINDS. root: the data root; None = `data_root(None)`.
             content_hash: what it must have; "" = any.
    Raises:  DataError if `name` is unknown, a file is missing or corrupted, or what it holds is not what its row says,
             or is wanted, or cannot be trained on: one line naming it.
    """
    from bench.datasets.images import check_row
    from bench.datasets.outside.kept import kept

    if content_hash and (data := kept(name, content_hash)) is not None:
        return data
    row = row_of(name, root)
    if content_hash and row.content_hash != content_hash:
        raise DataError(
            f"data set {label(name)}: content {row.content_hash[:12]}: must be {content_hash[:12]}, that of the trials"
        )
    read: ImageData = resolved(row.load)(name, row, folder_of(name, row, root))
    check_row(name, row, read)
    return read


def check(name: str, root: Path | None = None) -> None:
    """Check the files of a data set: what `load` would complain about, sooner. Fills the cache of decoded arrays.

    Imports no torch, except to decode the files that only torchvision reads, and to call the `load` of a row without
    `decode` that no test holds, once for the same files.
    Raises: DataError as `load` does.
    """
    row = row_of(name, root)
    if row.content:  # checked as it was read
        return
    folder = folder_of(name, row, root)
    if row.decode:
        from bench.datasets.cache.decoded import prepare

        prepare(name, row, folder)
    else:
        from bench.datasets.cache.checked import once

        read_all(name, files_to_read(row, folder), folder)
        once(name, row, partial(_check_loaded, name, root))


def _check_loaded(name: str, root: Path | None) -> None:
    """Whether the channels have in fact a spread, whatever mean and standard deviation the row's `load` states."""
    from bench.datasets.checks import check_statistics
    from bench.datasets.statistics import mean_std

    images = load(name, root).train_images
    check_statistics(name, *mean_std(images), channels=images.shape[1])


def fetch(name: str, root: Path | None = None) -> None:
    """Download the files of a data set that are missing under `root`; a present file is left as it is.

    Raises: DataError if `name` is unknown or a file cannot be had: one line naming the files expected there.
    """
    if kind_of(name):  # nothing is downloaded: `check` says what is missing
        return
    row = known_rows().get(name)
    if row is None and name not in DATASETS:
        row_of(name)  # raises
    if row is not None and row.source:
        from bench.datasets.download import download_missing

        download_missing(name, row, data_root(root))


def row_of(name: str, root: Path | None = None) -> DatasetRow:
    """What is known of a data set by its name: of DATASETS, or with a prefix of KINDS, as `folder:PATH`.

    Args:   root: the data root; None = `data_root(None)`.
    Raises: DataError if `name` is unknown, or what is there is no data set that can be trained on.
    """
    if (kind := kind_of(name)) is not None:
        row: DatasetRow = resolve_name(kind.row)(name, root)
        return row
    known = DATASETS.get(name)
    if isinstance(known, ArraySource):
        from bench.datasets.outside.objects import row_of_source

        return row_of_source(name, known, root)
    if known is None:
        raise DataError(nearest("data set", name, [*DATASETS, *(f"{prefix}:…" for prefix in KINDS)]))
    return known


def known_rows() -> dict[str, DatasetRow]:
    """The rows of DATASETS that need not be read to be known."""
    return {name: row for name, row in DATASETS.items() if isinstance(row, DatasetRow)}


if __name__ != "bench.datasets":  # found as a folder of the checkout
    raise ModuleNotFoundError("No module named 'datasets': import bench.datasets now", name="datasets")
