"""What is known of a data set: DatasetRow; TreeSource and ArraySource, whose rows follow from what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.canonical import key_of
from bench.references import Reference


@dataclass(frozen=True, kw_only=True)
class DatasetRow:
    """One data set.

    Its `files` are its canonical contents: only they make the content hash. The same images, labels and order may be
    read in other forms, which change nothing: a file compressed by xz, as PATH.xz, or the files of `instead`.
    """

    image_shape: tuple[int, int, int]  # (C, H, W)
    classes: int
    train: int  # images
    test: int
    smallest_class: int  # training images of the class that has fewest
    default_model: str
    files: Mapping[str, str]  # path -> md5; relative to the data root, or to the folder that has `package`, or `folder`
    instead: Mapping[str, str] = field(default_factory=dict)  # path -> md5; read if only they are complete
    package: str = ""  # the files come with this package; "" = they do not
    folder: str = ""  # the files lie in this folder; "" = under the data root
    source: str = ""  # "module:class" of torchvision that knows the files' addresses; "" = never downloaded
    # "module:function" or the function, called with (name, row, root); by default of `decode`.
    load: Reference = "bench.datasets.images:load"
    decode: str = ""  # "module:function" that fills arrays which are then kept in the cache; "" = read anew each time
    side: int = 0  # pixels that every image is resized and cropped to; 0 = left as it is
    version: int = 1  # of our processing of the files: raise it whenever the arrays change
    note: str = ""  # one line for the listing
    content: str = ""  # SHA-256 of the arrays themselves, of a data set from outside; no files tell it
    train_classes: tuple[int, ...] = ()  # training images of each class; () = known only once they are read
    test_classes: tuple[int, ...] = ()
    whole: DatasetRow | None = None  # the data set of whose classes these are some
    chosen: tuple[int, ...] = ()  # those classes, rising, if it is one

    @property
    def content_hash(self) -> str:
        """SHA-256 that changes whenever the arrays may: over the files' names and md5s, side and our version."""
        if self.whole:
            return key_of({"whole": self.whole.content_hash, "classes": list(self.chosen)})
        if self.content:
            return self.hash_of_content(self.content)
        record: dict[str, Any] = {"files": dict(self.files), "version": self.version}
        record |= {"side": self.side} if self.side else {}
        return key_of(record)

    @staticmethod
    def hash_of_content(content: str) -> str:
        """The content hash of a row with that content."""
        return key_of({"arrays": content})


@dataclass(frozen=True, kw_only=True, eq=False)  # each is another one, whatever its value
class ArraySource:
    """A data set of a plug-in: what is known of it follows once it is read."""

    value: Any  # a function or class, or what it gives: `bench.datasets.outside.objects`
    default_model: str = ""  # "" = one that takes such images
    note: str = ""  # one line for the listing
    # Called with the name and a function, which it calls: what guards the process while the user's code runs.
    guard: Reference = "bench.datasets.outside.objects:unguarded"


@dataclass(frozen=True, kw_only=True)
class TreeSource:
    """A data set of files under the data root, whatever they are: its row follows once they are looked at."""

    row: str  # "module:function", called with the name and the data root, that gives the DatasetRow
    image_shape: tuple[int, int, int]  # (C, H, W)
    default_model: str
    note: str = ""  # one line for the listing
