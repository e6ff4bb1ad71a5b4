"""What Flower asks of a local disk so that a process, or the machine, may die at any instruction: the only calls by
which sinks, journals and checkpoints write. Tests of recovery put their faults here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def new(path: str) -> Iterator[BinaryIO]:
    """A new file, which is on the disk with all its bytes when the block ends."""
    with open(path, "xb") as file:
        yield file
        flush(file)


def append(file: BinaryIO, data: bytes) -> None:
    """Write behind what is there; another process sees it."""
    file.write(data)
    file.flush()


def flush(file: BinaryIO) -> None:
    """Have what was written to a file on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync(path: str) -> None:
    """Have the names of a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(old: str, new: str) -> None:
    """Give a file or directory another name, at once; a file of that name is replaced."""
    os.replace(old, new)


def link(old: str, new: str) -> None:
    """Give a file a second name.

    Raises
    ------
    FileExistsError
        If there is something of that name; of several that try at once, one succeeds.
    """
    os.link(old, new)


def cut(path: str, size: int) -> None:
    """Take away what a file has beyond ``size`` bytes."""
    with open(path, "r+b") as file:
        file.truncate(size)
        flush(file)


def remove(path: str) -> None:
    """Delete a file, or a directory with all in it; what is not there is gone already."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
