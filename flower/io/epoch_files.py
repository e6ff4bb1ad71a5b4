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
import uuid
from collections.abc import Sequence
from typing import BinaryIO, Literal

import pyarrow as pa

from flower.errors import SchemaError, SinkError
from flower.graph.schema import dtype_name, names_text
from flower.io import disk

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

    def _write(self, file: BinaryIO, rows: pa.RecordBatch) -> None:
        """Write one file."""
        raise NotImplementedError

    def open(self, schema: pa.Schema, job: str | None = None) -> None:
        """Make the directory ready for a run, and give the run its number.

        Parameters
        ----------
        schema : pyarrow.Schema
            The columns that will come.
        job : str, optional
            What is resumed after the process has died: the run of that job that has a number here keeps it.

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
            known = self._known(ours, columns, job)
            if known is not None:
                self._run = known
                return
            others = [name for name in names if name not in ours and not name.startswith(".")]
            if others:
                raise SinkError(
                    f"{self.label}: the directory must be empty, or hold only what Flower has written",
                    got=names_text(sorted(others), 5),
                    hint="write into another directory",
                )
            if self._if_exists == "replace":
                for name in sorted(ours, key=lambda name: not name.startswith("run-")):
                    disk.remove(os.path.join(self._path, name))
                ours = []
            written = [name for name in ours if not name.startswith(".mark-")]  # that one held nothing yet
            if written and self._if_exists == "error":
                raise SinkError(
                    f"{self.label}: the directory must be empty",
                    got=f"{len(written)} files of earlier runs",
                    hint="write into another one, or say if_exists='append' or 'replace'",
                )
            marks = sorted(int(mark[1]) for name in ours if (mark := _MARK.fullmatch(name)))
            if marks:
                self._compare(columns, marks[-1])
            self._run = self._claim(columns, marks[-1] + 1 if marks else 1, job)

    def _known(self, names: Sequence[str], columns: dict[str, str], job: str | None) -> str | None:
        """The number that a job's run has here."""
        for number in sorted((int(mark[1]) for name in names if (mark := _MARK.fullmatch(name))), reverse=True):
            if job is not None and self._marked(number).get("job") == job:
                self._compare(columns, number)
                return f"run-{number:04}"
        return None

    def _claim(self, columns: dict[str, str], number: int, job: str | None) -> str:
        """Write this run's mark; of two runs that begin at once, each gets a number of its own."""
        temporary = os.path.join(self._path, f".mark-{uuid.uuid4().hex}")
        mark = {"format": 1, "kind": self.kind, "columns": columns}
        with disk.new(temporary) as file:
            file.write(json.dumps(mark if job is None else {**mark, "job": job}).encode())
        try:
            while True:
                try:
                    disk.link(temporary, os.path.join(self._path, f"_run-{number:04}.json"))
                    disk.sync(self._path)
                    return f"run-{number:04}"
                except FileExistsError:
                    number += 1
        finally:
            disk.remove(temporary)

    def _marked(self, number: int) -> dict[str, object]:
        name = os.path.join(self._path, f"_run-{number:04}.json")
        try:
            with open(name, encoding="utf-8") as file:
                mark = json.load(file)
            if not isinstance(mark, dict) or mark.get("format") != 1:
                raise ValueError("another format")
        except ValueError as error:
            raise SinkError(f"{self.label}: {name!r} must be a mark of Flower's", got=str(error)) from error
        return mark

    def _compare(self, columns: dict[str, str], last: int) -> None:
        before = self._marked(last)
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
                with disk.new(path) as file:
                    self._write(file, rows)
            except Exception:
                disk.remove(path)
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
                disk.rename(staged[0], final)
            else:
                hidden = os.path.join(self._path, f".{self._run}-epoch-{epoch:08}")
                os.makedirs(hidden, exist_ok=True)
                for number, path in enumerate(staged):
                    part = os.path.join(hidden, f"part-{number:04}{self.suffix}")
                    if not os.path.exists(part):  # an earlier commit may have come this far
                        disk.rename(path, part)
                disk.sync(hidden)
                disk.rename(hidden, final)
                self.abort(tokens)
            disk.sync(self._path)

    def abort(self, tokens: Sequence[object]) -> None:
        """Delete staged files; those that are gone are none."""
        for token in tokens:
            disk.remove(os.path.join(self._path, str(token)))

    def sweep(self) -> None:
        """Delete what this run has staged and not committed, when it is resumed after the process has died."""
        with _Named(self.label, self._path):
            self.abort([name for name in os.listdir(self._path) if name.startswith(f".{self._run}-")])

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
