"""Rows into a directory of JSON lines, one file an epoch; the text is made a column at a time."""

from __future__ import annotations

import json
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flower.io.epoch_files import EpochFiles

_ESCAPED = r'["\\\x00-\x1f]'


class JsonLinesSink(EpochFiles):
    """Text files with an object a line, in UTF-8; see `EpochFiles`.

    Missing values are null, times are ISO 8601 (with a zone: in UTC, with ``Z``), durations are their whole number of
    the column's unit, infinite floats are ``1e999``, which readers take for what it means.
    """

    kind = "json_lines"
    suffix = ".jsonl"

    def _write(self, file: BinaryIO, rows: pa.RecordBatch) -> None:
        for start in range(0, len(rows), 65_536):
            file.write(json_lines(rows.slice(start, 65_536)))


def json_lines(rows: pa.RecordBatch) -> bytes:
    r"""The rows as JSON, one a line.

    Examples
    --------
    >>> json_lines(pa.record_batch({"n": pa.array([1, None]), "s": pa.array(['a"b', "c"], pa.large_string())}))
    b'{"n": 1, "s": "a\\"b"}\n{"n": null, "s": "c"}\n'
    """
    if not len(rows):
        return b""
    pieces: list[object] = []
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        key = json.dumps(name, ensure_ascii=False)
        pieces += [("{" if not pieces else ", ") + key + ": ", _texts(column)]
    if not pieces:
        return b"{}\n" * len(rows)
    whole = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in pieces]
    lines = pc.binary_join_element_wise(*whole, pa.scalar("}\n", pa.large_string()), pa.scalar("", pa.large_string()))
    offsets = np.frombuffer(lines.buffers()[1], np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]])


def _texts(column: pa.Array) -> pa.Array:
    """Every value of a column as JSON text."""
    dtype = column.type
    if pa.types.is_dictionary(dtype):
        column, dtype = column.dictionary_decode(), dtype.value_type
    if pa.types.is_floating(dtype):
        texts = _floats(column)
    elif pa.types.is_integer(dtype) or pa.types.is_boolean(dtype):
        texts = column.cast(pa.large_string())
    elif pa.types.is_duration(dtype):
        texts = column.cast(pa.int64()).cast(pa.large_string())
    elif pa.types.is_timestamp(dtype):
        plain = column.cast(pa.timestamp(dtype.unit)).cast(pa.large_string())
        texts = _quoted(pc.replace_substring(plain, " ", "T", max_replacements=1), "" if dtype.tz is None else "Z")
    elif pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        texts = _strings(column.cast(pa.large_string()))
    else:
        values = [json.dumps(value, default=_plain, ensure_ascii=False) for value in column.to_pylist()]
        return pa.array(values, pa.large_string())
    return texts.fill_null("null")


def _floats(column: pa.Array) -> pa.Array:
    texts = column.cast(pa.large_string())
    values = column.to_numpy(zero_copy_only=False)
    if np.isfinite(values).all():
        return texts
    odd = np.select([np.isnan(values), np.isposinf(values), np.isneginf(values)], ["null", "1e999", "-1e999"], "")
    return pc.if_else(pa.array(np.isfinite(values)), texts, pa.array(odd, pa.large_string()))


def _strings(column: pa.Array) -> pa.Array:
    special = pc.match_substring_regex(column, _ESCAPED)
    if not pc.any(special).as_py():
        return _quoted(column, "")
    escaped = [None if text is None else json.dumps(text, ensure_ascii=False) for text in column.to_pylist()]
    return pa.array(escaped, pa.large_string())


def _quoted(column: pa.Array, end: str) -> pa.Array:
    quote = pa.scalar('"', pa.large_string())
    return pc.binary_join_element_wise(
        quote, column, pa.scalar(f'{end}"', pa.large_string()), pa.scalar("", quote.type)
    )


def _plain(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
