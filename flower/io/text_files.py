"""The base of the sources that read records of text: CSV and JSON lines."""

from __future__ import annotations

import pyarrow as pa

from flower.errors import FlowerError
from flower.graph.schema import normal_schema
from flower.io.conform import added_columns, added_note, checked, concat
from flower.io.files import Paths, find_files, identity, label_of
from flower.io.lines import Lines, Piece


class TextSource:
    """The records of text files in the order of the files' names, in one partition; see the subclasses.

    Parameters
    ----------
    paths : str, os.PathLike or a sequence of them
        A file, a directory, a pattern, or a list of them; see `find_files`.
    schema : pyarrow.Schema, optional
        The columns to give; default: guessed from the first block of records, about a megabyte.
    delimiter : str, optional
        That of CSV.
    """

    bounded = True
    schema: pa.Schema
    kind: str
    """The format's name."""
    suffixes: tuple[str, ...]
    """The files of a directory that are meant."""

    def __init__(self, paths: Paths, schema: pa.Schema | None, delimiter: str | None = None) -> None:
        files = find_files(paths, self.suffixes, self.kind)
        self.label = label_of(self.kind, paths, files)
        self._lines = Lines(files, self.label, delimiter)
        self._whole = schema is None
        self._prepare()
        try:
            self.schema = normal_schema(self._guess(self._lines.first_piece())) if schema is None else schema
        except FlowerError as error:
            if not error.required.startswith(self.kind):
                error.required = f"{self.label}: {error.required}"
            raise

    def __repr__(self) -> str:
        return self.label

    def identity(self) -> dict[str, str]:
        """Size and time of change of each file."""
        return identity(self._lines.files)

    def _prepare(self) -> None:
        """Learn of the files what is needed to read their records."""

    def _guess(self, piece: Piece | None) -> pa.Schema:
        """The columns that the first records show."""
        raise NotImplementedError

    def _parse(self, piece: Piece, schema: pa.Schema) -> tuple[pa.Table, list[str]]:
        """Records as a row each, with those columns of ``schema`` that their file has, and the names of all it has."""
        raise NotImplementedError

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the first record."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """As many records as allowed, if there are so many."""
        return max(position, min(position + limit_rows, self._lines.known(position + limit_rows)))

    def ended(self, partition: int, position: int) -> bool:
        """Whether the last record is before ``position``."""
        return self._lines.known(position + 1) <= position

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The records of a range; one that is broken, or has a value that is none of its column, is an error row."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        tables = []
        for piece in self._lines.pieces(start, end):
            table, names = self._parse(piece, schema)
            added = added_columns(names, self.schema) if self._whole else []
            where = f"{self.label}: {self._lines.files[piece.file].path!r}"
            tables.append(checked(table, schema, [added_note(where, added)] if added else []))
        return concat(tables) if tables else schema.empty_table()
