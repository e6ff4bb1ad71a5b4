"""Places for whole files under names: a local directory, or any other that fsspec reaches.

A file is there as a whole or not at all. `Storage.create` is the one decision between several who try at once: a link
on a local disk, a conditional request on an object store.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from flower.errors import RunError
from flower.io import disk

_TEMPORARY = re.compile(r"\.part-[0-9a-f]{32}")


class Storage(Protocol):
    """Files by name; a name may have directories, with ``/``."""

    @property
    def local(self) -> str | None:
        """The directory, if it is one of this machine."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Write a file, in place of one of that name."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one of that name; whether it was written."""
        ...

    def get(self, name: str) -> bytes:
        """Read a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        ...

    def names(self, directory: str) -> list[str]:
        """The files of a directory, without its name, in order; none if it is not there."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file."""
        ...

    def remove(self, name: str) -> None:
        """Delete a file; one that is not there is gone already."""
        ...

    def tidy(self, directories: Iterable[str]) -> None:
        """Delete what processes that died had written in part; nobody else may be writing."""
        ...


def storage(path: str | os.PathLike[str]) -> Storage:
    """The storage at a path.

    Raises
    ------
    RunError
        If it needs a library that is not installed.
    """
    text = os.fspath(path)
    if "://" not in text:
        return LocalStorage(text)
    if text.startswith("file://"):
        return LocalStorage(text.removeprefix("file://"))
    try:
        import fsspec

        system, root = fsspec.url_to_fs(text)
    except (ImportError, ValueError) as error:
        raise RunError(
            f"{text!r} must be a directory, or an address that fsspec reaches",
            got=str(error),
            hint="pip install fsspec and the package of that protocol, such as s3fs",
        ) from error
    return RemoteStorage(system, root)


class LocalStorage:
    """A directory of this machine, or one that it has mounted.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     files = LocalStorage(directory)
    ...     files.create("a/1", b"one"), files.create("a/1", b"two"), files.get("a/1"), files.names("a")
    (True, False, b'one', ['1'])
    """

    def __init__(self, directory: str) -> None:
        self.local: str | None = os.path.abspath(os.path.expanduser(directory))
        self._root: str = self.local

    def __repr__(self) -> str:
        return self._root

    def put(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        path, temporary = self._written(name, data)
        disk.rename(temporary, path)
        disk.sync(os.path.dirname(path))

    def create(self, name: str, data: bytes) -> bool:
        """See `Storage`."""
        path, temporary = self._written(name, data)
        try:
            disk.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            disk.remove(temporary)
        disk.sync(os.path.dirname(path))
        return True

    def _written(self, name: str, data: bytes) -> tuple[str, str]:
        path = os.path.join(self._root, name)
        directory = os.path.dirname(path)
        os.makedirs(directory, exist_ok=True)
        temporary = os.path.join(directory, f".part-{uuid.uuid4().hex}")
        with disk.new(temporary) as file:
            file.write(data)
        return path, temporary

    def get(self, name: str) -> bytes:
        """See `Storage`."""
        with open(os.path.join(self._root, name), "rb") as file:
            return file.read()

    def names(self, directory: str) -> list[str]:
        """See `Storage`."""
        try:
            with os.scandir(os.path.join(self._root, directory)) as entries:
                return sorted(each.name for each in entries if each.is_file() and not each.name.startswith("."))
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int:
        """See `Storage`."""
        return os.stat(os.path.join(self._root, name)).st_size

    def remove(self, name: str) -> None:
        """See `Storage`."""
        disk.remove(os.path.join(self._root, name))

    def tidy(self, directories: Iterable[str]) -> None:
        """See `Storage`."""
        for directory in directories:
            path = os.path.join(self._root, directory)
            for name in os.listdir(path) if os.path.isdir(path) else ():
                if _TEMPORARY.fullmatch(name):
                    disk.remove(os.path.join(path, name))


class RemoteStorage:
    """A place that fsspec reaches, whose files appear as a whole.

    Where the file system knows no conditional write (fsspec's ``mode="create"``; that of s3fs does), of two that create
    a file in the same moment both may succeed.
    """

    local: str | None = None

    def __init__(self, system: Any, root: str) -> None:
        self._system, self._root = system, root.rstrip("/")

    def __repr__(self) -> str:
        return str(self._system.unstrip_protocol(self._root))

    def put(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        self._system.makedirs(self._directory(name), exist_ok=True)
        self._system.pipe_file(f"{self._root}/{name}", data)

    def create(self, name: str, data: bytes) -> bool:
        """See `Storage`."""
        self._system.makedirs(self._directory(name), exist_ok=True)
        try:
            self._system.pipe_file(f"{self._root}/{name}", data, mode="create")
        except FileExistsError:
            return False
        return True

    def _directory(self, name: str) -> str:
        return f"{self._root}/{name}".rpartition("/")[0]

    def get(self, name: str) -> bytes:
        """See `Storage`."""
        data: bytes = self._system.cat_file(f"{self._root}/{name}")
        return data

    def names(self, directory: str) -> list[str]:
        """See `Storage`."""
        self._system.invalidate_cache()
        try:
            found = self._system.ls(f"{self._root}/{directory}".rstrip("/"), detail=True)
        except FileNotFoundError:
            return []
        return sorted(each["name"].rpartition("/")[2] for each in found if each["type"] == "file")

    def size(self, name: str) -> int:
        """See `Storage`."""
        return int(self._system.size(f"{self._root}/{name}"))

    def remove(self, name: str) -> None:
        """See `Storage`."""
        try:
            self._system.rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return

    def tidy(self, directories: Iterable[str]) -> None:
        """Nothing: files appear as a whole."""
