"""Rows of a source that cannot replay, kept in files as they came, and read back by position.

A journal is a directory of segments. A segment is named after the position of its first row and is only ever appended
to: a mark, then entries, each a header (first position, rows, arrival in microseconds, bytes, checksum) and the rows as
an Arrow IPC stream. Whoever has the directory can read it, in this process or another. An entry that is torn, or not
what was written, is refused with the name of its file.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from bisect import bisect_right
from itertools import pairwise
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from flower.errors import SourceError
from flower.io import disk
from flower.io.conform import concat

MARK = b"FLOWERJ1"
OVER = "over"
"""The file that says that no row will follow."""
SEGMENT_BYTES = 16 * 2**20
"""After how many bytes the next segment begins."""

_HEADER = struct.Struct("<QIqQI")


class Entry(NamedTuple):
    """Rows that were appended at once; ``offset`` is where their bytes begin."""

    start: int
    rows: int
    arrival_us: int
    offset: int
    size: int
    checksum: int


class JournalWriter:
    """Appends rows to a directory; one thread at a time.

    Parameters
    ----------
    directory : str
        Empty, or with a journal that is gone on with: what a process that died had written in part is taken away.
    durable : bool
        Whether rows are on the disk, and survive the machine, before anybody is told of them.
    needed : int
        Up to which position rows are known to have been there.
    label : str
        What errors call it.

    Raises
    ------
    SourceError
        If they are not there any more; names the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     journal = JournalWriter(directory)
    ...     journal.append(pa.table({"v": [1, 2]}), arrival_us=0)
    ...     journal.append(pa.table({"v": [3]}), arrival_us=1)
    ...     journal.close()
    ...     JournalReader(directory, "numbers").read(1, 3)["v"].to_pylist()
    [2, 3]
    """

    def __init__(self, directory: str, *, durable: bool = False, needed: int = 0, label: str = "a live source") -> None:
        self.directory, self._durable, self._label = directory, durable, label
        self.end = self._begun(needed)
        """The position after the last row."""
        self._file = self._segment()

    def append(self, rows: pa.Table, arrival_us: int) -> None:
        """Write rows behind those that are there."""
        if not rows.num_rows:
            return
        if self._file.tell() >= SEGMENT_BYTES:
            self._file.close()
            self._file = self._segment()
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, rows.schema) as stream:
            stream.write_table(rows)
        data = buffer.getvalue().to_pybytes()
        fields = (self.end, rows.num_rows, arrival_us, len(data))
        disk.append(self._file, _HEADER.pack(*fields, _checksum(fields, data)) + data)
        if self._durable:
            disk.flush(self._file)
        self.end += rows.num_rows

    def finish(self) -> None:
        """Note that no row will follow."""
        if not self.over:
            with disk.new(os.path.join(self.directory, OVER)):
                pass
            disk.sync(self.directory)

    @property
    def over(self) -> bool:
        """Whether no row will follow."""
        return os.path.exists(os.path.join(self.directory, OVER))

    def forget(self, position: int) -> None:
        """Delete the segments all of whose rows are before a position."""
        for path, after in pairwise(_segments(self.directory)):
            if _start(after) <= position:
                disk.remove(path)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _begun(self, needed: int) -> int:
        """Where the journal that is there ends, without what is torn."""
        reader = JournalReader(self.directory, self._label)
        paths = _segments(self.directory)
        end = 0
        if paths:
            entries, size = reader.whole(paths[-1])
            end = entries[-1].start + entries[-1].rows if entries else _start(paths[-1])
        if end < needed:
            raise reader.broken(self.directory, f"rows up to {end}, where there were some up to {needed}")
        if paths and entries and size < os.path.getsize(paths[-1]):
            disk.cut(paths[-1], size)
        return end

    def _segment(self) -> BinaryIO:
        # If there is one of this name, it holds no row: a process died when it had just begun it.
        file = open(os.path.join(self.directory, f"{self.end:016}.journal"), "wb")  # noqa: SIM115
        try:
            disk.append(file, MARK)
            if self._durable:
                disk.flush(file)
                disk.sync(self.directory)
        except BaseException:
            file.close()
            raise
        return file


class JournalReader:
    """Reads a journal, also while it grows.

    Parameters
    ----------
    directory : str
        Of a `JournalWriter`.
    label : str
        What errors call it.
    """

    def __init__(self, directory: str, label: str) -> None:
        self._directory, self._label = directory, label
        self._entries: dict[str, list[Entry]] = {}
        self._lock = threading.Lock()

    def read(self, start: int, end: int) -> pa.Table:
        """The rows of ``[start, end)``, which must be there; at least one.

        Raises
        ------
        SourceError
            If they are not, or not as they were written; names the file.
        """
        tables = []
        position = start
        while position < end:
            path = self._segment_of(position)
            for entry in self._holding(path, position, end):
                table = self._rows(path, entry)
                first = position - entry.start
                taken = table.slice(first, min(entry.rows - first, end - position))
                tables.append(taken)
                position += taken.num_rows
        return concat(tables)

    def arrivals(self) -> list[Entry]:
        """All entries, in order."""
        return [entry for path in self._segments() for entry in self._scanned(path, None)]

    def whole(self, path: str) -> tuple[list[Entry], int]:
        """The entries of a segment up to the first that is torn or damaged, and where they end."""
        entries: list[Entry] = []
        size = len(MARK)
        with self._open(path) as file:
            if file.read(len(MARK)) != MARK:
                return entries, 0
            while len(header := file.read(_HEADER.size)) == _HEADER.size:
                start, rows, arrival, length, checksum = _HEADER.unpack(header)
                data = file.read(length)
                if len(data) < length or _checksum((start, rows, arrival, length), data) != checksum:
                    break
                entries.append(Entry(start, rows, arrival, size + _HEADER.size, length, checksum))
                size += _HEADER.size + length
        return entries, size

    def verify(self) -> tuple[int, int]:
        """Read all of it: the position after the last row, and how many bytes of a torn entry follow.

        Raises
        ------
        SourceError
            If anything else is not as it was written; names the file.
        """
        end = torn = 0
        paths = self._segments()
        for path in paths:
            entries, size = self.whole(path)
            if end and _start(path) != end:
                raise self.broken(path, f"rows from {_start(path)} on, where those before end at {end}")
            end = entries[-1].start + entries[-1].rows if entries else _start(path)
            torn = os.path.getsize(path) - size
            if torn and (path != paths[-1] or not self._is_torn(path, size)):
                raise self.broken(path, f"a damaged entry at byte {size}")
        return end, torn

    def _is_torn(self, path: str, offset: int) -> bool:
        """Whether an entry's end is missing, as when a process died, and not its bytes changed."""
        with self._open(path) as file:
            file.seek(offset)
            header = file.read(_HEADER.size)
            if offset < len(MARK) or len(header) < _HEADER.size:
                return True
            return offset + _HEADER.size + int(_HEADER.unpack(header)[3]) > os.path.getsize(path)

    def _segments(self) -> list[str]:
        try:
            return _segments(self._directory)
        except OSError as error:
            raise self.broken(self._directory, error.strerror or str(error)) from error

    def _segment_of(self, position: int) -> str:
        paths = self._segments()
        starts = [int(os.path.basename(path).partition(".")[0]) for path in paths]
        index = bisect_right(starts, position) - 1
        if index < 0:
            raise self.broken(self._directory, f"no segment with position {position}")
        return paths[index]

    def _holding(self, path: str, start: int, end: int) -> list[Entry]:
        entries = self._scanned(path, end)
        first = bisect_right([entry.start for entry in entries], start) - 1
        held = [entry for entry in entries[max(first, 0) :] if entry.start < end]
        if first < 0 or not held or held[0].start + held[0].rows <= start:
            raise self.broken(path, f"no row at position {start}: its end is missing")
        return held

    def _scanned(self, path: str, end: int | None) -> list[Entry]:
        """The entries of a segment, as far as ``end``; what is known is not read again."""
        with self._lock:
            entries = self._entries.setdefault(path, [])
            if entries and end is not None and entries[-1].start + entries[-1].rows >= end:
                return list(entries)
            with self._open(path) as file:
                if file.read(len(MARK)) != MARK:
                    raise self.broken(path, "another format")
                size = os.fstat(file.fileno()).st_size
                offset = entries[-1].offset + entries[-1].size if entries else len(MARK)
                while offset < size:
                    file.seek(offset)
                    header = file.read(_HEADER.size)
                    if len(header) < _HEADER.size:
                        raise self.broken(path, f"a torn entry at byte {offset}")
                    start, rows, arrival, length, checksum = _HEADER.unpack(header)
                    offset += _HEADER.size
                    if offset + length > size:
                        raise self.broken(path, f"a torn entry at byte {offset - _HEADER.size}")
                    expected = entries[-1].start + entries[-1].rows if entries else _start(path)
                    if start != expected or not rows:
                        raise self.broken(path, f"a damaged entry at byte {offset - _HEADER.size}")
                    entries.append(Entry(start, rows, arrival, offset, length, checksum))
                    offset += length
                    if end is not None and start + rows >= end:
                        break
            return list(entries)

    def _rows(self, path: str, entry: Entry) -> pa.Table:
        with self._open(path) as file:
            file.seek(entry.offset)
            data = file.read(entry.size)
        fields = (entry.start, entry.rows, entry.arrival_us, entry.size)
        if len(data) < entry.size or _checksum(fields, data) != entry.checksum:
            raise self.broken(path, f"a damaged entry at byte {entry.offset}")
        return pa.ipc.open_stream(data).read_all()

    def _open(self, path: str) -> BinaryIO:
        try:
            return open(path, "rb")
        except OSError as error:
            raise self.broken(path, error.strerror or str(error)) from error

    def broken(self, path: str, got: str) -> SourceError:
        """The error for a file that is not as it was written."""
        return SourceError(
            f"{self._label}: the journal {path!r} must be as it was written", got=got, hint="run the stream again"
        )

    def __getstate__(self) -> dict[str, str]:
        return {"directory": self._directory, "label": self._label}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _checksum(fields: tuple[int, int, int, int], data: bytes) -> int:
    """Of the header and the rows."""
    return zlib.crc32(data, zlib.crc32(_HEADER.pack(*fields, 0)))


def _segments(directory: str) -> list[str]:
    """The segments of a journal, in order."""
    return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".journal")]


def _start(path: str) -> int:
    return int(os.path.basename(path).partition(".")[0])
