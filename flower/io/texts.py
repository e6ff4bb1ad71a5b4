"""What sources of text share: columns of text into columns of values, and the types that a first block shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from flower.graph.schema import dtype_name

TEXT = pa.large_string()
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""What stands for a missing value where a number, a bool or a time is expected; in a column of text only the first."""
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")

_GUESSES = (pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", "UTC"), pa.timestamp("us"))


def values_of(texts: pa.Array, dtype: pa.DataType) -> tuple[pa.Array, list[int]]:
    """A column of text as values of ``dtype``, null where there is none, and the rows whose text is no such value.

    Examples
    --------
    >>> values, bad = values_of(pa.array(["1", "NA", "x"], TEXT), pa.int64())
    >>> values.to_pylist(), bad
    ([1, None, None], [2])
    """
    if dtype == TEXT:
        return missing_text(texts), []
    known, cast = _known(texts), _caster(dtype)
    try:
        return cast(known), []
    except pa.ArrowInvalid:
        # What does not even look like a value is found at once, so that only what does is searched.
        odd = pc.invert(pc.match_substring_regex(known, _looks(dtype))).fill_null(False)
        bad = pc.indices_nonzero(odd).to_pylist()
        parts = _halved(pc.if_else(odd, pa.scalar(None, TEXT), known), 0, cast, bad)
        return pa.concat_arrays(parts), sorted(bad)


def missing_text(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column of text in which what is empty is missing."""
    empty = pc.equal(texts, pa.scalar("", texts.type))
    return pc.if_else(empty, pa.scalar(None, texts.type), texts) if pc.any(empty).as_py() else texts


def guessed(texts: pa.Array) -> pa.DataType:
    """The type of a column of text: the first of integer, float, bool, instant, local time that every value is.

    Examples
    --------
    >>> guessed(pa.array(["1", "", "2.5"], TEXT)), guessed(pa.array(["2024-01-01T12:00:00Z"], TEXT))
    (DataType(double), TimestampType(timestamp[us, tz=UTC]))
    """
    known = _known(texts)
    if known.null_count == len(known):
        return TEXT  # nothing is known, and any value is text
    for dtype in _GUESSES:
        try:
            _caster(dtype)(known)
            return dtype
        except pa.ArrowInvalid:
            continue
    return TEXT


def _known(texts: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim(texts, characters=" \t")
    return pc.if_else(pc.is_in(trimmed, pa.array(MISSING, TEXT)), pa.scalar(None, TEXT), trimmed)


def _looks(dtype: pa.DataType) -> str:
    """What every text of such a value matches, and few others."""
    if pa.types.is_floating(dtype):
        return r"(?i)^[+-]?([0-9.]+(e[+-]?[0-9]+)?|inf(inity)?|nan.*)$"
    if pa.types.is_timestamp(dtype):
        zone = "" if dtype.tz is None else r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
        return r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+)?" + zone + "$"
    if pa.types.is_boolean(dtype):
        return f"^({'|'.join(TRUE + FALSE)})$"
    return r"^-?([0-9]+|0[xX][0-9a-fA-F]+)$"


def _halved(texts: pa.Array, start: int, cast: Callable[[pa.Array], pa.Array], bad: list[int]) -> list[pa.Array]:
    """Cast a whole column, else both halves of it: a bad value among n costs log n casts."""
    try:
        return [cast(texts)]
    except pa.ArrowInvalid:
        if len(texts) == 1:
            bad.append(start)
            return [cast(pa.nulls(1, TEXT))]
        half = len(texts) // 2
        left = _halved(texts[:half], start, cast, bad)
        return left + _halved(texts[half:], start + half, cast, bad)


def _caster(dtype: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    if pa.types.is_boolean(dtype):
        return _bools
    if pa.types.is_duration(dtype):  # Arrow reads no durations; their text is a whole number of the unit
        return lambda texts: texts.cast(pa.int64()).cast(dtype)
    return lambda texts: texts.cast(dtype)


def _bools(texts: pa.Array) -> pa.Array:
    yes, no = pc.is_in(texts, pa.array(TRUE, TEXT)), pc.is_in(texts, pa.array(FALSE, TEXT))
    if not pc.all(pc.or_(pc.or_(yes, no), texts.is_null())).as_py():
        raise pa.ArrowInvalid("no bool")
    return pc.if_else(texts.is_null(), pa.scalar(None, pa.bool_()), yes)


def no_value(field: pa.Field, text: object) -> str:
    """How a person is told of a value that is none of its column."""
    shown = str(text)
    return f"column {field.name!r}: {shown if len(shown) <= 80 else shown[:77] + '...'!r} is no {dtype_name(field)}"


def first_of(errors: list[str | None], rows: Sequence[int], tell: Callable[[int], str]) -> None:
    """Note what is wrong with rows that are not known to be bad yet."""
    for row in rows:
        if errors[row] is None:
            errors[row] = tell(row)


def shown(data: bytes, limit: int = 2000) -> str:
    """A record as text for a person, whatever its bytes are."""
    text = data.decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + "..."
