"""Local files as sources name them: found once, and read only as long as they stay what they were."""

from __future__ import annotations

import contextlib
import difflib
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from flower.errors import SourceError
from flower.graph.schema import names_text

PathLike = str | os.PathLike[str]
Paths = PathLike | Sequence[PathLike]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class File:
    """A file, with what tells whether it is still the same."""

    path: str
    size: int
    mtime_ns: int

    def check(self, label: str) -> None:
        """Refuse a file that is not what it was when the source was made.

        Raises
        ------
        SourceError
            If it was changed or removed.
        """
        try:
            now = os.stat(self.path)
        except OSError as error:
            raise _unreadable(label, self.path, error) from error
        if (now.st_size, now.st_mtime_ns) != (self.size, self.mtime_ns):
            raise SourceError(
                f"{label}: {self.path!r} must stay as it is while it is read",
                got=f"another size or time of change ({self.size:,} bytes before, {now.st_size:,} now)",
                hint="read it again from the start, or read a copy of it",
            )


def identity(files: Iterable[File]) -> dict[str, str]:
    """What tells files apart, by path."""
    return {repr(file.path): f"{file.size:,} bytes, changed at {file.mtime_ns} ns" for file in files}


def find_files(paths: Paths, suffixes: tuple[str, ...], kind: str) -> tuple[File, ...]:
    """The files that a person means.

    Parameters
    ----------
    paths : str, os.PathLike or a sequence of them
        A file, whatever its name; a directory: its files with one of the suffixes, also in directories below, in the
        order of their names, but none that begins with ``.`` or ``_``; or a pattern such as ``"logs/*.csv"``.
    suffixes : tuple of str
        Such as ``(".csv",)``.
    kind : str
        The format, for errors.

    Raises
    ------
    SourceError
        If there is no such file; says what there is.
    """
    if isinstance(paths, str | os.PathLike):
        return tuple(_file(path, kind) for path in _expand(paths, suffixes, kind))
    if not isinstance(paths, Iterable):
        raise SourceError(
            f"{kind}: a path is required", got=repr(paths)[:80], hint="give text, a pathlib.Path or a list"
        )
    found = tuple(file for path in paths for file in find_files(path, suffixes, kind))
    if not found:
        raise SourceError(f"{kind}: at least one file is required", got="an empty list", hint="name the files to read")
    return found


def listed(paths: Paths, suffixes: tuple[str, ...], kind: str) -> list[tuple[str, os.stat_result]]:
    """The files that a person means to watch as far as they are there now, whose directory must be.

    Raises
    ------
    SourceError
        If a directory is not there.
    """
    found = []
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        text = os.path.expanduser(os.fspath(path))
        directory = text if not glob.has_magic(text) else _fixed(text)
        if not os.path.isdir(directory or "."):
            raise SourceError(
                f"{kind}: what is watched must be a directory, or a pattern in one",
                got=repr(text),
                hint="make the directory first, or leave out `watch`",
            )
        try:
            names = _expand(path, suffixes, kind)
        except SourceError:
            continue  # no file yet
        for name in names:
            with contextlib.suppress(OSError):  # gone again
                found.append((os.path.abspath(name), os.stat(name)))
    return found


def _fixed(pattern: str) -> str:
    """The directory before the first part of a pattern that is one."""
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)
    return pattern


def label_of(kind: str, paths: Paths, files: Sequence[File]) -> str:
    """What a person calls the source: ``parquet 'flights.parquet'``."""
    if isinstance(paths, str | os.PathLike):
        path = os.fspath(paths)
        if "site-packages" in path or os.path.isabs(path):
            path = os.path.basename(os.path.normpath(path))
        return f"{kind} {path!r}"
    return f"{kind} {os.path.basename(files[0].path)!r}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def dealt(items: Sequence[T], partitions: int) -> list[list[T]]:
    """``items`` in order into ``partitions`` parts, each a run of about as many."""
    bounds = [len(items) * i // partitions for i in range(partitions + 1)]
    return [list(items[a:b]) for a, b in pairwise(bounds)]


def _expand(path: PathLike, suffixes: tuple[str, ...], kind: str) -> list[str]:
    text = os.path.expanduser(os.fspath(path))
    if "://" in text:
        raise SourceError(f"{kind}: a local file is required", got=repr(text), hint="copy it to this machine first")
    if os.path.isdir(text):
        return _inside(text, suffixes, kind)
    if os.path.exists(text):
        return [text]
    if glob.has_magic(text):
        found = sorted(name for name in glob.glob(text, recursive=True) if os.path.isfile(name))
        if found:
            return found
        raise SourceError(f"{kind}: no file matches {text!r}", hint=_around(os.path.dirname(text)))
    raise SourceError(f"{kind}: there is no file {text!r}", hint=_near(text))


def _inside(directory: str, suffixes: tuple[str, ...], kind: str) -> list[str]:
    found, others = [], 0
    for parent, below, names in os.walk(directory):
        below[:] = sorted(name for name in below if not name.startswith((".", "_")))
        for name in names:
            if name.startswith((".", "_")):
                continue
            if name.lower().endswith(suffixes):
                found.append(os.path.join(parent, name))
            else:
                others += 1
    if found:
        return sorted(found, key=lambda name: name.split(os.sep))
    raise SourceError(
        f"{kind}: the directory {directory!r} must hold files ending in {' or '.join(suffixes)}",
        got=f"{others} other files" if others else "an empty directory",
        hint="name the files themselves, as in a list or '*.data'" if others else "give a directory that has files",
    )


def _file(path: str, kind: str) -> File:
    try:
        stat = os.stat(path)
        with open(path, "rb"):  # a file that may not be read is told of now, not while rows flow
            # Workers may be in another directory.
            return File(os.path.abspath(path), stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise _unreadable(kind, path, error) from error


def _unreadable(label: str, path: str, error: OSError) -> SourceError:
    return SourceError(
        f"{label}: {path!r} must be readable", got=error.strerror or str(error), hint="check that it is still there"
    )


def _near(path: str) -> str:
    parent, name = os.path.split(path)
    try:
        close = difflib.get_close_matches(name, os.listdir(parent or "."), 1)
    except OSError:
        return f"there is no directory {parent!r} either"
    return f"did you mean {os.path.join(parent, close[0])!r}?" if close else _around(parent)


def _around(directory: str) -> str:
    try:
        names = sorted(os.listdir(directory or "."))
    except OSError:
        return f"there is no directory {directory!r}"
    return f"in {directory or os.curdir!r} there are {names_text(names, 5)}" if names else f"{directory!r} is empty"
