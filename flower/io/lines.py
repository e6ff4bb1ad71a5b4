"""Files of text as rows that can be read from anywhere: an index of where records begin, made as far as it is needed.

A position is the record's number over all files of the source. The index knows where every block of about a megabyte
begins; the records within a block are found again when it is read, which costs little: newlines are found in whole
arrays. A record is a line; in CSV, one with its quoted line breaks. Empty lines are no records.
"""

from __future__ import annotations

import csv
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flower.errors import SourceError
from flower.io.files import File
from flower.model.time import I64

BLOCK = 2**20
LONGEST = 64 * BLOCK
"""No record may be longer: then it is no text."""
QUOTED = 2**18
"""A quotation that does not end within so many bytes of its record was never meant: its line is a record of its own."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records of a file.

    Parameters
    ----------
    file, offset, end : int
        Where it stands: the bytes ``[offset, end)`` of a file.
    data : bytes
        Those bytes.
    starts, ends : ndarray of int64
        Where in ``data`` each record begins and ends, its line break left out.
    """

    file: int
    offset: int
    end: int
    data: bytes
    starts: I64
    ends: I64


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive records of one file: their bytes, and where in them each record stands."""

    file: int
    data: bytes
    starts: I64
    ends: I64

    def texts(self) -> list[bytes]:
        """Each record."""
        return [self.data[a:b] for a, b in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]


class Lines:
    """The records of some files.

    Parameters
    ----------
    files : sequence of File
        In order.
    label : str
        What a person calls the source.
    delimiter : str, optional
        That of CSV, whose records may have quoted line breaks; None: a record is a line.
    """

    def __init__(self, files: Sequence[File], label: str, delimiter: str | None = None) -> None:
        self.files, self._label, self._delimiter = tuple(files), label, delimiter
        self._begin = [_begin(file, label) for file in self.files]
        self.headers: list[bytes | None] = [None] * len(self.files)
        if delimiter is not None:
            for number in range(len(self.files)):
                self._take_header(number)
        self._first: list[int] = []  # the first record of every block that is known
        self._at: list[tuple[int, int]] = []  # and its file and offset
        self._next = (0, self._begin[0]) if self.files else (0, 0)
        self._known = 0
        self._revive()

    def _revive(self) -> None:
        self._lock = threading.RLock()
        self._blocks: OrderedDict[tuple[int, int], Block] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_lock", "_blocks")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._revive()

    def _take_header(self, number: int) -> None:
        block = self._scan(number, self._begin[number])
        if len(block.starts):
            self.headers[number] = block.data[block.starts[0] : block.ends[0]]
            after = int(block.starts[1]) if len(block.starts) > 1 else block.end - block.offset
            self._begin[number] = block.offset + after

    def known(self, records: int) -> int:
        """How many records there are, as far as the index goes, which is ``records`` or all."""
        with self._lock:
            while self._known < records and self._next[0] < len(self.files):
                block = self._block(*self._next)
                if len(block.starts):
                    self._first.append(self._known)
                    self._at.append(self._next)
                    self._known += len(block.starts)
                if block.end < self.files[block.file].size:
                    self._next = (block.file, block.end)
                else:
                    after = block.file + 1
                    self._next = (after, self._begin[after] if after < len(self.files) else 0)
            return self._known

    def pieces(self, start: int, end: int) -> list[Piece]:
        """The records ``[start, end)``, a piece a file; what lies beyond the last is left out."""
        self.known(end)
        with self._lock:
            first = max(bisect_right(self._first, start) - 1, 0)
            wanted = list(zip(self._first[first:], self._at[first:], strict=True))
        found: dict[int, list[Piece]] = {}
        for number, at in wanted:
            if number >= end:
                break
            block = self._block(*at)
            a, b = max(start - number, 0), min(end - number, len(block.starts))
            if a < b:
                low, high = int(block.starts[a]), int(block.ends[b - 1])
                piece = Piece(block.file, block.data[low:high], block.starts[a:b] - low, block.ends[a:b] - low)
                if block.file not in found:  # also where the block is still in memory
                    self.files[block.file].check(self._label)
                found.setdefault(block.file, []).append(piece)
        return [_joined(pieces) for pieces in found.values()]

    def first_piece(self) -> Piece | None:
        """The records of the first block, by which columns are guessed."""
        self.known(1)
        return self.pieces(0, self._first[1] if len(self._first) > 1 else self._known)[0] if self._first else None

    def _block(self, file: int, offset: int) -> Block:
        with self._lock:
            kept = self._blocks.get((file, offset))
            if kept is None:
                kept = self._blocks[file, offset] = self._scan(file, offset)
                while len(self._blocks) > 4:
                    self._blocks.popitem(last=False)
            return kept

    def _scan(self, number: int, offset: int) -> Block:
        file = self.files[number]
        file.check(self._label)
        size = BLOCK
        while True:
            with open(file.path, "rb") as opened:
                opened.seek(offset)
                data = opened.read(min(size, file.size - offset))
            last = offset + len(data) >= file.size
            starts, ends, used = _records(data, last, self._delimiter)
            if used or last:
                return Block(number, offset, offset + used if not last else file.size, data[:used], starts, ends)
            if size >= LONGEST:
                raise SourceError(
                    f"{self._label}: {file.path!r} must be lines of text",
                    got=f"no line break in {LONGEST:,} bytes",
                    hint="check that it is the right file",
                )
            size *= 4


def _begin(file: File, label: str) -> int:
    """Where the text begins: behind a byte order mark."""
    with open(file.path, "rb") as opened:
        head = opened.read(4)
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise SourceError(
                f"{label}: {file.path!r} must be plain text, so that it can be read from anywhere",
                got=f"a {name} file",
                hint="decompress it first",
            )
    if head == b"PAR1":
        raise SourceError(f"{label}: {file.path!r} must be text", got="a Parquet file", hint="use fl.read.parquet")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(f"{label}: {file.path!r} must be UTF-8", got="UTF-16", hint="save it as UTF-8")
    return 3 if head.startswith(b"\xef\xbb\xbf") else 0


def _joined(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    # a line break between every two, which were cut without theirs
    shifts = np.cumsum([0, *(len(piece.data) + 1 for piece in pieces[:-1])]).tolist()
    return Piece(
        pieces[0].file,
        b"\n".join(piece.data for piece in pieces),
        np.concatenate([piece.starts + shift for piece, shift in zip(pieces, shifts, strict=True)]),
        np.concatenate([piece.ends + shift for piece, shift in zip(pieces, shifts, strict=True)]),
    )


def _records(data: bytes, last: bool, delimiter: str | None) -> tuple[I64, I64, int]:
    """Where the records of ``data`` begin and end, and how many bytes they take; ``last``: nothing follows."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    if last and data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    if delimiter is not None and b'"' in data:
        starts, ends = _quoted(data, starts, ends, last, delimiter)
    used = min(int(ends[-1]) + 1, len(data)) if len(ends) else 0
    length = ends - starts
    some = length > 0
    if b"\r" in data:
        text = np.frombuffer(data, np.uint8)
        returns = some & (text[np.maximum(ends - 1, 0)] == 13)
        ends = ends - returns
        some &= ends > starts
    return starts[some], ends[some], used


def _quoted(data: bytes, starts: I64, ends: I64, last: bool, delimiter: str) -> tuple[I64, I64]:
    """Lines joined to records where a quoted value goes on in the next line.

    Only lines with an odd number of quotes can begin or end such a value, and they are few.
    """
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == 34)
    counts = np.searchsorted(quotes, ends) - np.searchsorted(quotes, starts)
    odd = np.flatnonzero(counts % 2)
    inner = np.zeros(len(starts), bool)  # lines that go on with the record of the line before
    position = 0
    while position < len(odd):
        line = int(odd[position])
        position += 1
        if not _opens(data[starts[line] : ends[line]], delimiter):
            continue
        close = int(odd[position]) if position < len(odd) else None
        if close is not None and ends[close] - starts[line] <= QUOTED:
            inner[line + 1 : close + 1] = True
            position += 1
        elif close is None and not last and len(data) - starts[line] <= QUOTED:
            starts, ends, inner = starts[:line], ends[:line], inner[:line]  # its end may be in the next block
    begins = np.flatnonzero(~inner)
    return starts[begins], ends[np.append(begins[1:], len(starts)) - 1] if len(begins) else ends[:0]


def _opens(line: bytes, delimiter: str) -> bool:
    """Whether a line ends inside a quoted value."""
    try:
        next(csv.reader([line.decode("latin-1")], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False
