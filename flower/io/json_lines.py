"""Files with a JSON object a line as a source: pyarrow reads whole ranges; where one fails, its lines one by one."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from flower.errors import SchemaError, SourceError
from flower.graph.schema import dtype_name
from flower.io.conform import with_errors
from flower.io.files import Paths
from flower.io.lines import Piece
from flower.io.text_files import TextSource
from flower.io.texts import TEXT, first_of, guessed, shown, values_of

_KINDS = {bool: "bool", int: "int", float: "float", str: "text", list: "list", dict: "object"}


class JsonLinesSource(TextSource):
    """The objects of text files in UTF-8, one a line; a name that an object lacks is a missing value.

    Times are text in ISO 8601. Objects and lists within a row are no columns: name those to read in ``schema``.

    Parameters
    ----------
    paths : str, os.PathLike or a sequence of them
        A file, a directory, a pattern, or a list of them; see `find_files`.
    schema : pyarrow.Schema, optional
        The columns to give; default: those of the first file, with types that fit most of its first megabyte.

    Raises
    ------
    SourceError
        If there is no file, or one has no objects, or is no text.
    SchemaError
        If a column holds lists or objects.
    """

    kind = "json_lines"
    suffixes = (".jsonl", ".ndjson", ".json")

    def __init__(self, paths: Paths, schema: pa.Schema | None = None) -> None:
        super().__init__(paths, schema)

    def _guess(self, piece: Piece | None) -> pa.Schema:
        where = f"{self.label}: {self._lines.files[0 if piece is None else piece.file].path!r}"
        if piece is None:
            raise SourceError(
                f"{where} must have at least one line", got="no text", hint="name its columns in `schema`"
            )
        rows = [row for row in map(_loaded, piece.texts()) if isinstance(row, dict)]
        if not rows:
            raise SourceError(
                f"{where} must have a JSON object a line",
                got=repr(shown(piece.texts()[0], 60)),
                hint="write one object a line, not one list of all",
            )
        names = dict.fromkeys(name for row in rows for name in row)
        return pa.schema([(name, _type([row.get(name) for row in rows], name)) for name in names])

    def _parse(self, piece: Piece, schema: pa.Schema) -> tuple[pa.Table, list[str]]:
        table = self._fast(piece, schema)
        return self._slow(piece, schema) if table is None else (table, table.schema.names)

    def _fast(self, piece: Piece, schema: pa.Schema) -> pa.Table | None:
        """All lines at once; None if any is broken."""
        import pyarrow.json as pj

        # Times are read as text first: pyarrow would drop their zone.
        raw = pa.schema([(field.name, _raw(field.type)) for field in schema])
        longest = int((piece.ends - piece.starts).max())
        # What is not asked for is looked at only where somebody may want to be told of new names.
        unexpected = "infer" if self._whole and schema.equals(self.schema) else "ignore"
        try:
            table = pj.read_json(
                pa.py_buffer(piece.data),
                pj.ReadOptions(block_size=max(2**20, 2 * longest)),
                pj.ParseOptions(explicit_schema=raw, unexpected_field_behavior=unexpected),
            )
        except (pa.ArrowException, ValueError):
            return None
        if table.num_rows != len(piece.starts):
            return None
        for index, field in enumerate(schema):
            column = table.column(index)
            if column.type != field.type:
                texts = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
                try:
                    table = table.set_column(index, field.name, texts.cast(field.type))
                except pa.ArrowInvalid:
                    return None
        return table

    def _slow(self, piece: Piece, schema: pa.Schema) -> tuple[pa.Table, list[str]]:
        """Each line by itself, each column at once."""
        texts = piece.texts()
        rows = [_loaded(text) for text in texts]
        errors: list[str | None] = [row if isinstance(row, str) else None for row in rows]
        objects: list[Mapping[str, Any]] = [row if isinstance(row, dict) else {} for row in rows]
        columns = []
        for field in schema:
            values = [row.get(field.name) for row in objects]
            column, bad = _column(values, field.type)
            columns.append(column)
            first_of(errors, bad, lambda row, f=field, v=values: _no_value(f, v[row]))  # type: ignore[misc]
        names = dict.fromkeys(name for row in objects for name in row)
        table = pa.table(columns, names=schema.names)
        if any(errors):
            raw = [None if e is None else _row(t, r) for e, t, r in zip(errors, texts, rows, strict=True)]
            table = with_errors(table, errors, raw)
        return table, list(names)


def _loaded(text: bytes) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with it."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        return "the line must be UTF-8"
    except RecursionError:
        return "the line must be JSON: it is nested too deeply"
    except ValueError as error:
        return f"the line must be JSON: {error}"
    return value if isinstance(value, dict) else f"the line must be a JSON object; got {shown(text, 60)}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice!r} is there twice")
    return row


def _row(text: bytes, row: dict[str, Any] | str) -> str:
    return shown(text) if isinstance(row, dict) else json.dumps(shown(text), ensure_ascii=False)


def _type(values: list[Any], name: str) -> pa.DataType:
    """The type of a column: that of most of its values, which are not all missing."""
    kinds = Counter(_KINDS[type(value)] for value in values if value is not None)
    if kinds["int"] and kinds["float"]:
        kinds["float"] += kinds.pop("int")
    most = kinds.most_common(1)[0][0] if kinds else "text"
    if most in ("list", "object"):
        raise SchemaError(
            f"column {name!r} must hold numbers, text, bools or times",
            got=f"{most}s",
            hint="name the columns to read in `schema`, as {'name': 'str'}",
        )
    if most == "text":
        return _text_type([value for value in values if isinstance(value, str)])
    return {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}[most]


def _text_type(values: list[str]) -> pa.DataType:
    dtype = guessed(pa.array(values, TEXT)) if values else TEXT
    return dtype if pa.types.is_timestamp(dtype) and "" not in values else TEXT


def _raw(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(dtype):
        return TEXT
    return pa.int64() if pa.types.is_duration(dtype) else dtype


def _column(values: list[Any], dtype: pa.DataType) -> tuple[pa.Array, list[int]]:
    """JSON values as a column, and the rows whose value is none of it."""
    fits, read = _reader(dtype)
    bad = [row for row, value in enumerate(values) if value is not None and not fits(value)]
    kept = list(values)
    for row in bad:
        kept[row] = None
    if not pa.types.is_timestamp(dtype):
        return pa.array([None if value is None else read(value) for value in kept], dtype), bad
    column, wrong = values_of(pa.array(kept, TEXT), dtype)
    wrong += [
        row for row, value in enumerate(kept) if value is not None and not column[row].is_valid and row not in wrong
    ]
    return column, sorted([*bad, *wrong])


def _reader(dtype: pa.DataType) -> tuple[Any, Any]:
    """Whether a value is one of the column, and how it is read."""
    if pa.types.is_boolean(dtype):
        return lambda value: isinstance(value, bool), bool
    if pa.types.is_floating(dtype):
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool), _float
    if pa.types.is_integer(dtype) or pa.types.is_duration(dtype):
        bits = 64 if pa.types.is_duration(dtype) else dtype.bit_width
        signed = not pa.types.is_unsigned_integer(dtype)
        least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        return lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most, int
    return lambda value: isinstance(value, str), str


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _no_value(field: pa.Field, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"column {field.name!r}: {text if len(text) <= 80 else text[:77] + '...'} is no {dtype_name(field)}"
