"""CSV files as a source: pyarrow reads whole ranges, and where one fails, its records are looked at one by one."""

from __future__ import annotations

import csv
import json

import pyarrow as pa

from flower.errors import ColumnError, SourceError
from flower.graph.schema import names_text
from flower.io.conform import with_errors
from flower.io.files import Paths
from flower.io.lines import Piece
from flower.io.text_files import TextSource
from flower.io.texts import FALSE, MISSING, TEXT, TRUE, first_of, guessed, missing_text, no_value, shown, values_of


class CsvSource(TextSource):
    """The rows of CSV files in UTF-8, each with a header; line breaks may stand in quoted values.

    An empty value is missing. Where a number, bool or time is expected, so are ``NA``, ``N/A``, ``NaN`` and ``null``.

    Parameters
    ----------
    paths : str, os.PathLike or a sequence of them
        A file, a directory, a pattern, or a list of them; see `find_files`.
    schema : pyarrow.Schema, optional
        The columns to give; default: those of the first file, with types that fit its first megabyte.
    sep : str
        The character between two values.

    Raises
    ------
    SourceError
        If there is no file, or one has no header or is no text.
    ColumnError
        If the first file lacks a column of ``schema``.
    """

    kind = "csv"
    suffixes = (".csv", ".tsv", ".txt")

    def __init__(self, paths: Paths, schema: pa.Schema | None = None, *, sep: str = ",") -> None:
        if not isinstance(sep, str) or len(sep) != 1 or sep in '"\r\n' or not sep.isascii():
            raise SourceError("csv: `sep` must be one character", got=repr(sep), hint=r"such as ',', ';' or '\t'")
        self._sep = sep
        super().__init__(paths, schema, sep)
        first = self._names[0]
        if missing := [name for name in self.schema.names if name not in first]:
            raise ColumnError(
                f"{self.label}: `schema` must name columns of {self._lines.files[0].path!r}",
                got=names_text(missing),
                hint=f"the columns are {names_text(first)}",
            )

    def _prepare(self) -> None:
        self._names: list[list[str]] = []
        for file, header in zip(self._lines.files, self._lines.headers, strict=True):
            if header is None:
                raise SourceError(
                    f"{self.label}: {file.path!r} must begin with the names of its columns", got="an empty file"
                )
            try:
                names = next(csv.reader([header.decode("utf-8")], delimiter=self._sep))
            except (UnicodeDecodeError, csv.Error) as error:
                raise SourceError(
                    f"{self.label}: {file.path!r} must begin with the names of its columns, in UTF-8",
                    got=repr(header[:60]),
                    hint="check that it is the right file",
                ) from error
            if not all(names) or len(set(names)) < len(names):
                raise SourceError(
                    f"{self.label}: every column of {file.path!r} must have a name of its own",
                    got=names_text(names),
                    hint="write a header with one name a column",
                )
            self._names.append(names)

    def _guess(self, piece: Piece | None) -> pa.Schema:
        names = self._names[0]
        if piece is None or piece.file != 0:
            return pa.schema([(name, TEXT) for name in names])
        rows = [row for row in map(self._split, piece.texts()) if isinstance(row, list) and len(row) == len(names)]
        columns = zip(*rows, strict=True) if rows else [() for _ in names]
        return pa.schema([(n, guessed(pa.array(c, TEXT))) for n, c in zip(names, columns, strict=True)])

    def _parse(self, piece: Piece, schema: pa.Schema) -> tuple[pa.Table, list[str]]:
        names = self._names[piece.file]
        there = [field for field in schema if field.name in names] or [pa.field(names[0], TEXT)]
        table = self._fast(piece, names, there)
        return self._slow(piece, names, there) if table is None else table, names

    def _fast(self, piece: Piece, names: list[str], fields: list[pa.Field]) -> pa.Table | None:
        """All records at once; None if any is broken."""
        import pyarrow.csv as pc

        types = {f.name: pa.int64() if pa.types.is_duration(f.type) else f.type for f in fields}
        longest = int((piece.ends - piece.starts).max())
        try:
            table = pc.read_csv(
                pa.py_buffer(piece.data),
                pc.ReadOptions(column_names=names, block_size=max(2**20, 2 * longest)),
                pc.ParseOptions(delimiter=self._sep, newlines_in_values=b'"' in piece.data),
                pc.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=list(MISSING),
                    true_values=list(TRUE),
                    false_values=list(FALSE),
                ),
            )
        except (pa.ArrowException, ValueError):
            return None
        if table.num_rows != len(piece.starts):  # it takes other bytes for a record than the index does
            return None
        columns = [missing_text(c) if c.type == TEXT else c for c in table.columns]
        return pa.table([c.cast(f.type) for c, f in zip(columns, fields, strict=True)], names=list(types))

    def _slow(self, piece: Piece, names: list[str], fields: list[pa.Field]) -> pa.Table:
        """Each record by itself, each column at once."""
        texts = piece.texts()
        errors: list[str | None] = []
        rows = []
        for text in texts:
            row = self._split(text)
            error = row if isinstance(row, str) else None
            if isinstance(row, list) and len(row) != len(names):
                error = f"the record must have {len(names)} values; got {len(row)}"
            errors.append(error)
            rows.append(row if error is None else [None] * len(names))
        columns = []
        for field in fields:
            column = [row[names.index(field.name)] for row in rows]
            values, bad = values_of(pa.array(column, TEXT), field.type)
            columns.append(values)
            first_of(errors, bad, lambda row, f=field, c=column: no_value(f, c[row]))  # type: ignore[misc]
        table = pa.table(columns, names=[field.name for field in fields])
        if not any(errors):
            return table
        raw = [
            None if e is None else json.dumps(shown(t), ensure_ascii=False) for e, t in zip(errors, texts, strict=True)
        ]
        return with_errors(table, errors, raw)

    def _split(self, text: bytes) -> list[str] | str:
        """The values of a record, or what is wrong with it."""
        try:
            rows = list(csv.reader([text.decode("utf-8")], delimiter=self._sep, strict=True))
        except UnicodeDecodeError:
            return "the record must be UTF-8"
        except csv.Error as error:
            return f"the record must be CSV: {error}"
        return rows[0] if len(rows) == 1 else "the record must be one line, or have its line breaks in quotes"
