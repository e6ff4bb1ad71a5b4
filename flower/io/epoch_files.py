"""What the file sinks share: a directory that gets one file an epoch, each visible as a whole or not at all.

Staged rows are files whose names begin with a dot, which no reader of a directory looks at; commit is one rename, which
the file system does as a whole. A file that was appended to could be none of this: a reader would see half an epoch,
and a process that died in the middle would leave half a row. The final name holds the number of the run and the epoch,
so committing again finds it there and changes nothing. What a process that died had staged stays hidden.

An epoch's rows are one file; where several workers staged some, they are one directory, renamed as a whole likewise.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

from flower.errors import SchemaError, SinkError
from flower.graph.schema import dtype_name, names_text

IfExists = Literal["error", "append", "replace"]

_MARK = re.compile(r"_run-(\d{4,})\.json")
_OURS = re.compile(r"_run-\d{4,}\.json|\.?run-\d{4,}-.*|\.mark-[0-9a-f]{32}")


class EpochFiles:
    """A sink that writes a directory of files.

    Parameters
    ----------
    path : str or os.PathLike
        The directory; made if it is not there.
    if_exists : {"error", "append", "replace"}
        What a run does with a directory that is not empty: refuse it; add to what earlier runs have written, if their
        columns are the same; or delete what earlier runs have written. Other files are never touched.

    Raises
    ------
    SinkError
        If an argument is none of these.
    """

    kind: str
    suffix: str

    def __init__(self, path: str | os.PathLike[str], *, if_exists: IfExists = "error") -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise SinkError(f"{self.kind} sink: a path is required", got=repr(path)[:80])
        if if_exists not in ("error", "append", "replace"):
            raise SinkError(
                f"{self.kind} sink: `if_exists` must be 'error', 'append' or 'replace'", got=repr(if_exists)
            )
        named = os.path.expanduser(os.fspath(path))
        if "://" in named:
            raise SinkError(f"{self.kind} sink: a local directory is required", got=repr(named))
        self._path = os.path.abspath(named)  # workers may be in another directory
        self._if_exists = if_exists
        self._run = ""
        self.label = f"{self.kind} sink {os.fspath(path)!r}"

    def __repr__(self) -> str:
        return self.label

    def _write(self, path: str, rows: pa.RecordBatch) -> None:
        """Write one file."""
        raise NotImplementedError

    def open(self, schema: pa.Schema) -> None:
        """Make the directory ready for a run, and give the run its number.

        Raises
        ------
        SinkError
            If it cannot be written, or is not empty and ``if_exists`` does not say what to do.
        SchemaError
            If the runs before wrote other columns.
        """
        columns = {field.name: dtype_name(field) for field in schema}
        with _Named(self.label, self._path):
            os.makedirs(self._path, exist_ok=True)
            names = os.listdir(self._path)
            ours = [name for name in names if _OURS.fullmatch(name)]
            others = [name for name in names if name not in ours and not name.startswith(".")]
            if others:
                raise SinkError(
                    f"{self.label}: the directory must be empty, or hold only what Flower has written",
                    got=names_text(sorted(others), 5),
                    hint="write into another directory",
                )
            if self._if_exists == "replace":
                for name in sorted(ours, key=lambda name: not name.startswith("run-")):
                    _remove(os.path.join(self._path, name))
                ours = []
            elif ours and self._if_exists == "error":
                raise SinkError(
                    f"{self.label}: the directory must be empty",
                    got=f"{len(ours)} files of earlier runs",
                    hint="write into another one, or say if_exists='append' or 'replace'",
                )
            marks = sorted(int(mark[1]) for name in ours if (mark := _MARK.fullmatch(name)))
            if marks:
                self._compare(columns, marks[-1])
            self._run = self._claim(columns, marks[-1] + 1 if marks else 1)

    def _claim(self, columns: dict[str, str], number: int) -> str:
        """Write this run's mark; of two runs that begin at once, each gets a number of its own."""
        temporary = os.path.join(self._path, f".mark-{uuid.uuid4().hex}")
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"format": 1, "kind": self.kind, "columns": columns}, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            while True:
                try:
                    os.link(temporary, os.path.join(self._path, f"_run-{number:04}.json"))
                    return f"run-{number:04}"
                except FileExistsError:
                    number += 1
        finally:
            os.unlink(temporary)

    def _compare(self, columns: dict[str, str], last: int) -> None:
        name = os.path.join(self._path, f"_run-{last:04}.json")
        try:
            with open(name, encoding="utf-8") as file:
                before = json.load(file)
            if not isinstance(before, dict) or before.get("format") != 1:
                raise ValueError("another format")
        except ValueError as error:
            raise SinkError(f"{self.label}: {name!r} must be a mark of Flower's", got=str(error)) from error
        if before.get("kind") != self.kind or before.get("columns") != columns:
            raise SchemaError(
                f"{self.label}: what is added must have the columns of what is there",
                got=f"{columns}, where there are {before.get('columns')} ({before.get('kind')})",
                hint="write into another directory, or say if_exists='replace'",
            )

    def stage(self, epoch: int, attempt: int, partition: int, rows: pa.RecordBatch) -> object:
        """Write rows to a hidden file, whose name is the token."""
        name = f".{self._run}-epoch-{epoch:08}-{attempt}-{partition}-{uuid.uuid4().hex}{self.suffix}"
        path = os.path.join(self._path, name)
        with _Named(self.label, path):
            try:
                self._write(path, rows)
                _sync(path)
            except BaseException:
                _remove(path)
                raise
        return name

    def commit(self, epoch: int, tokens: Sequence[object]) -> None:
        """Give an epoch's files the name under which readers see them; what is committed already stays as it is."""
        if not tokens:
            return
        staged = [os.path.join(self._path, str(token)) for token in tokens]
        one = len(staged) == 1
        final = os.path.join(self._path, f"{self._run}-epoch-{epoch:08}{self.suffix if one else ''}")
        with _Named(self.label, final):
            if os.path.exists(final):
                self.abort(tokens)
            elif one:
                os.rename(staged[0], final)
            else:
                hidden = os.path.join(self._path, f".{self._run}-epoch-{epoch:08}")
                os.makedirs(hidden, exist_ok=True)
                for number, path in enumerate(staged):
                    part = os.path.join(hidden, f"part-{number:04}{self.suffix}")
                    if not os.path.exists(part):  # an earlier commit may have come this far
                        os.rename(path, part)
                _sync(hidden)
                os.rename(hidden, final)
                self.abort(tokens)
            _sync(self._path)

    def abort(self, tokens: Sequence[object]) -> None:
        """Delete staged files; those that are gone are none."""
        for token in tokens:
            _remove(os.path.join(self._path, str(token)))

    def close(self) -> None:
        """Leave the directory as it is: every epoch has been committed or aborted."""
        self._run = ""


class _Named:
    """Makes errors of the file system name the sink and the path."""

    def __init__(self, label: str, path: str) -> None:
        self.label, self.path = label, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, SinkError):
            raise SinkError(
                f"{self.label}: {self.path!r} must be writable",
                got=error.strerror or str(error),
                hint="free space, change its permissions, or write into another directory",
            ) from error


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
