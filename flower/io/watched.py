"""A directory that is watched: the rows of its files, and of those that appear, one file after the other.

Files are taken in the order in which they came to the directory (the time of change of their entry, then the name), and
are read by the sources of their formats. A position is the row's number over all files. A file is taken once it looks
the same twice: whoever writes slowly writes under a name that begins with ``.`` or ``_``, and renames.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from flower.errors import FlowerError, SourceError
from flower.graph.protocols import ERROR_COLUMN, ROW_COLUMN, Source
from flower.io.conform import checked, concat
from flower.io.files import Paths, listed
from flower.model.time import Duration, duration_text, duration_us

EVERY = "1s"
"""How often a directory is looked at, unless said."""

Look = tuple[int, int]
"""Size and time of change of a file."""


class WatchedSource:
    """The rows of files, and of those that appear: a `Source` with one partition that never ends.

    Parameters
    ----------
    format : type
        `ParquetSource`, `CsvSource` or `JsonLinesSource`: reads one file.
    paths : str, os.PathLike or a sequence of them
        Directories and patterns.
    schema : pyarrow.Schema, optional
        The columns; default: those of the first file, which must be there.
    every : True, str or pandas.Timedelta
        How often to look.
    **options
        What the format takes more.

    Raises
    ------
    SourceError
        If no file tells the columns, or a directory is not there.
    """

    driver_local = True  # workers do not know which files have come
    bounded = False

    def __init__(
        self,
        format: type[Any],
        paths: Paths,
        schema: pa.Schema | None,
        every: bool | Duration,
        **options: Any,
    ) -> None:
        self._every_us = duration_us(EVERY if isinstance(every, bool) else every, "watch", minimum=10_000)
        self._format, self._options, self._paths = format, options, paths
        kind = format.kind
        found = self._listed()
        if schema is None and not found:
            raise SourceError(
                f"{kind}: the columns of files that are yet to come must be known",
                got=f"no file in {paths!r} yet",
                hint="declare them, as in schema={'at': 'datetime64[us, UTC]', 'v': 'int64'}",
            )
        text = (
            os.fspath(paths) if isinstance(paths, str | os.PathLike) else ", ".join(os.fspath(path) for path in paths)
        )
        self.label = f"{kind} {text!r}, watched every {duration_text(self._every_us)}"
        self.schema: pa.Schema = self._of(min(found, key=found.__getitem__), None).schema if schema is None else schema
        self._seen: dict[str, Look] = {}
        self._queue: list[str] = []
        self._taken: set[str] = set()
        self._files: list[_Opened] = []
        self._looked: int | None = None
        self._lock = threading.RLock()  # who reads ahead and who plans ask at once
        self._look()

    def __repr__(self) -> str:
        return self.label

    # -- the source

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """Rows of one file, or, behind its last, of the next; looks for new ones when it is time to."""
        with self._lock:
            if self._looked is None or not 0 <= elapsed_us - self._looked < self._every_us:
                self._looked = elapsed_us
                self._look()
            while True:
                opened = self._at(position)
                if opened is not None:
                    end = opened.start + opened.source.latest(0, position - opened.start, limit_rows, elapsed_us)
                    if end > position:
                        return end
                if opened is not None and not opened.source.ended(0, position - opened.start):
                    return position
                if not self._queue:
                    return position
                self._open(self._queue.pop(0), position)

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range."""
        tables = []
        with self._lock:
            first = max(bisect_right([each.start for each in self._files], start) - 1, 0)
            files = self._files[first:]
        for number, each in enumerate(files):
            last = files[number + 1].start if number + 1 < len(files) else end
            a, b = max(start, each.start), min(end, last)
            if a < b:
                tables.append(each.source.read(0, a - each.start, b - each.start, columns))
        if tables:
            return concat(tables)
        return self.schema.empty_table() if columns is None else self.schema.empty_table().select(list(columns))

    def ended(self, partition: int, position: int) -> bool:
        """Never: files may come."""
        return False

    # -- files

    def _listed(self) -> dict[str, tuple[int, str]]:
        """The files there are, and by what they are in order."""
        return {path: (stat.st_ctime_ns, path) for path, stat in self._there()}

    def _there(self) -> list[tuple[str, os.stat_result]]:
        return listed(self._paths, self._format.suffixes, self._format.kind)

    def _of(self, path: str, schema: pa.Schema | None) -> Source:
        source: Source = self._format(path, schema, **self._options)
        return source

    def _look(self) -> None:
        """Queue the files that look as they did the last time."""
        found = {
            path: (stat.st_ctime_ns, (stat.st_size, stat.st_mtime_ns))
            for path, stat in self._there()
            if path not in self._taken
        }
        settled = [path for path, (_, look) in found.items() if self._seen.get(path) == look]
        self._seen = {path: look for path, (_, look) in found.items()}
        for path in sorted(settled, key=lambda path: (found[path][0], path)):
            self._queue.append(path)
            self._taken.add(path)

    def _at(self, position: int) -> _Opened | None:
        """The last file that begins at or before a position."""
        index = bisect_right([each.start for each in self._files], position) - 1
        return self._files[index] if index >= 0 else None

    def _open(self, path: str, start: int) -> None:
        try:
            source = self._of(path, self.schema)
        except FlowerError as error:
            source = _Broken(path, self.schema, str(error))
        self._files.append(_Opened(start, source))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file; its first row is at position ``start``."""

    start: int
    source: Source


class _Broken:
    """A file that cannot be read: one error row that says so."""

    bounded = True

    def __init__(self, path: str, schema: pa.Schema, told: str) -> None:
        self.label, self.schema, self._told = path, schema, told

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """The row."""
        return max(position, min(1, position + limit_rows))

    def ended(self, partition: int, position: int) -> bool:
        """Behind the row."""
        return position >= 1

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The row, whose error is that of the file."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        text = pa.array([self._told] * (end - start), pa.large_string())
        rows = pa.array(["null"] * (end - start), pa.large_string())
        return checked(pa.table({ERROR_COLUMN: text, ROW_COLUMN: rows}), schema)
