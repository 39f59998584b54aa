"""Files that are there whole or not at all, in a folder or in an object store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from bench.disk import make_folder, write_whole
from bench.messages import one_line


class Files(Protocol):
    """Named files. All methods raise OSError if the storage does not answer."""

    def write(self, name: str, data: bytes) -> None:
        """Write the file, over an earlier one of the name."""

    def read(self, name: str) -> bytes | None:
        """The content of the file; None if there is no such file."""

    def names(self) -> Iterable[str]:
        """The names of the files."""

    def remove(self, name: str) -> None:
        """Remove the file, if there is one."""


def files_at(address: str) -> Files:
    """The files of a folder's path, or of an object store's address, as s3://BUCKET/FOLDER.

    Raises: OSError if the kind of address is unknown, or its library is not installed.
    """
    return Bucket(address) if "://" in address else Folder(address)


class Folder:
    """The files of a folder, which is created at the first write."""

    def __init__(self, path: str) -> None:
        self.folder = Path(path)

    def write(self, name: str, data: bytes) -> None:
        """As `Files.write`."""
        make_folder(self.folder)
        write_whole(self.folder / name, data)

    def read(self, name: str) -> bytes | None:
        """As `Files.read`."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """As `Files.names`."""
        return [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []

    def remove(self, name: str) -> None:
        """As `Files.remove`."""
        (self.folder / name).unlink(missing_ok=True)


@contextmanager
def _os_errors() -> Iterator[None]:
    """Turn pyarrow's own errors into OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(one_line(error)) from error


class Bucket:
    """The files under an address that pyarrow knows: s3://, gs://, abfs://, hdfs://, file:///.

    An object store shows an object only when it is whole; under file:/// and hdfs:// a whole file is renamed.
    """

    def __init__(self, uri: str) -> None:
        with _os_errors():
            from pyarrow.fs import FileSystem  # comes with Ray and with MLflow

            system, root = FileSystem.from_uri(uri)
        self.system: Any = system
        self.root = root.rstrip("/")

    def write(self, name: str, data: bytes) -> None:
        """As `Files.write`."""
        path = f"{self.root}/{name}"
        renames = self.system.type_name in ("local", "hdfs")
        unfinished = f"{self.root}/.{name}.{uuid4().hex}.part" if renames else path
        with _os_errors():
            self.system.create_dir(self.root)
            try:
                with self.system.open_output_stream(unfinished) as stream:
                    stream.write(data)
                if renames:
                    self.system.move(unfinished, path)
            except BaseException:
                if renames:
                    self.remove(unfinished.rpartition("/")[2])
                raise

    def read(self, name: str) -> bytes | None:
        """As `Files.read`."""
        try:
            with _os_errors(), self.system.open_input_file(f"{self.root}/{name}") as stream:
                data: bytes = stream.read()
                return data
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """As `Files.names`."""
        with _os_errors():
            from pyarrow.fs import FileSelector

            return [info.base_name for info in self.system.get_file_info(FileSelector(self.root, allow_not_found=True))]

    def remove(self, name: str) -> None:
        """As `Files.remove`."""
        with suppress(FileNotFoundError), _os_errors():
            self.system.delete_file(f"{self.root}/{name}")
