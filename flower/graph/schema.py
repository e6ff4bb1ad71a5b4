"""Columns and their types: what a batch may hold, and the only conversions between frames, Arrow and dtype text.

In a batch text is ``large_string``, a missing float is NaN and never null, a missing value of any other type is null.
A field's ``nullable`` flag counts: ``int64`` and ``Int64`` are one Arrow type with and without it, as are ``bool`` and
``boolean``. A schema names dtypes as pandas writes them.

Measured with 100 rows in 8 columns: a frame built from a dict of arrays without copies takes 0.3-0.5 ms, where
``RecordBatch.to_pandas`` takes 0.5-0.8 ms and makes floats of nullable integers; `columns_of` takes 0.4-0.7 ms, where
``RecordBatch.from_pandas`` takes 1.5 ms.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.internals import create_dataframe_from_blocks  # type: ignore[import-not-found]

from flower.errors import ColumnError, DtypeError, SchemaError
from flower.model.arrays import numbers, shared
from flower.model.panes import TIMINGS

CATEGORY = pa.dictionary(pa.int8(), pa.string(), ordered=True)
"""The type of the dtype text ``category``; in batches only the panes' timing is one."""

_STR = pd.StringDtype(na_value=np.nan)
_PLAIN = {str(np.dtype(t.to_pandas_dtype())): t for t in (
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float32(), pa.float64(), pa.bool_(),
)}  # fmt: skip
_NAMES = {t: name for name, t in _PLAIN.items()}
_NULLABLE = {"boolean": pa.bool_(), **{n[0].upper() + n[1:].replace("int", "Int", n[0] == "u"): t
             for n, t in _PLAIN.items() if "int" in n}}  # fmt: skip
_NULLABLE_NAMES = {t: name for name, t in _NULLABLE.items()}
_NULLABLE_DTYPES: dict[pa.DataType, Any] = {t: pd.api.types.pandas_dtype(name) for name, t in _NULLABLE.items()}
_TIMES = re.compile(r"datetime64\[(s|ms|us|ns)(?:, ?([^\]]+))?\]|timedelta64\[(s|ms|us|ns)\]")
_KNOWN = (
    "int64", "Int64", "float64", "str", "bool", "boolean", "datetime64[us]", "datetime64[us, UTC]", "timedelta64[us]",
)  # fmt: skip


def dtype_name(field: pa.Field) -> str:
    """The dtype of a field as pandas writes it.

    Examples
    --------
    >>> dtype_name(pa.field("n", pa.int64())), dtype_name(pa.field("n", pa.int64(), nullable=False))
    ('Int64', 'int64')
    >>> dtype_name(pa.field("t", pa.timestamp("us", "UTC")))
    'datetime64[us, UTC]'
    """
    t = field.type
    if field.nullable and t in _NULLABLE_NAMES:
        return _NULLABLE_NAMES[t]
    if t in _NAMES:
        return _NAMES[t]
    if pa.types.is_large_string(t) or pa.types.is_string(t):
        return "str"
    if pa.types.is_timestamp(t):
        return f"datetime64[{t.unit}]" if t.tz is None else f"datetime64[{t.unit}, {t.tz}]"
    if pa.types.is_duration(t):
        return f"timedelta64[{t.unit}]"
    if pa.types.is_dictionary(t):
        return "category"
    return str(t)


def field_of(name: str, dtype: object) -> pa.Field:
    """The field of a column: ``int64`` cannot be missing, ``Int64`` can; ``float64``, ``str`` and times always can.

    Parameters
    ----------
    name : str
        The column.
    dtype : str, type, numpy.dtype, pandas dtype or pyarrow.DataType
        Such as ``"int64"``, ``"Int64"``, ``"float64"``, ``"str"``, ``"datetime64[us, UTC]"``, ``int``, ``str``.

    Raises
    ------
    DtypeError
        If a column of Flower cannot have that dtype.

    Examples
    --------
    >>> field_of("n", "int64")
    pyarrow.Field<n: int64 not null>
    >>> field_of("s", str)
    pyarrow.Field<s: large_string>
    """
    if isinstance(dtype, pa.DataType):
        return _normal_field(pa.field(name, dtype))
    if isinstance(dtype, type) and dtype in (int, float, bool, str):
        text = dtype.__name__
    else:
        text = dtype if isinstance(dtype, str) else str(dtype)
    text = {"int": "int64", "float": "float64", "string": "str"}.get(text, text)
    if text in _PLAIN:
        t = _PLAIN[text]
        return pa.field(name, t, nullable=pa.types.is_floating(t))
    if text in _NULLABLE:
        return pa.field(name, _NULLABLE[text])
    if text == "str":
        return pa.field(name, pa.large_string())
    if text in ("Float64", "Float32"):
        return pa.field(name, _PLAIN[text.lower()])
    if text == "category":
        return pa.field(name, CATEGORY)
    if match := _TIMES.fullmatch(text):
        unit, tz, delta = match.groups()
        if delta:
            return pa.field(name, pa.duration(delta))
        try:
            if tz is not None:
                pd.DatetimeTZDtype(unit, tz)  # type: ignore[arg-type]
            return pa.field(name, pa.timestamp(unit, tz))
        except Exception:  # each time zone library raises its own error
            raise DtypeError(
                f"column {name!r} must have a known time zone",
                got=repr(tz),
                hint="write it as 'UTC' or 'Europe/Berlin'",
            ) from None
    close = difflib.get_close_matches(text, [*_KNOWN, *_PLAIN, *_NULLABLE], 1)
    raise DtypeError(
        f"column {name!r} must have a dtype that Flower knows",
        got=repr(text),
        hint=(f"did you mean {close[0]!r}? " if close else "") + f"Dtypes are {', '.join(_KNOWN)} and the like",
    )


def schema_of(columns: Mapping[str, object] | pa.Schema) -> pa.Schema:
    """The schema that a person declared, as a mapping of names to dtypes or as an Arrow schema.

    Examples
    --------
    >>> schema_of({"carrier": "str", "flights": "int64"})
    carrier: large_string
    flights: int64 not null
    """
    if isinstance(columns, pa.Schema):
        return normal_schema(columns)
    if not isinstance(columns, Mapping):
        raise SchemaError(
            "a schema must be a mapping of column names to dtypes",
            got=repr(columns)[:80],
            hint="write it as {'carrier': 'str', 'flights': 'int64'}",
        )
    for name in columns:
        _check_name(name)
    return pa.schema([field_of(name, dtype) for name, dtype in columns.items()])


def require_columns(schema: pa.Schema, names: Iterable[str], step: str | None = None) -> None:
    """Refuse names that are not columns.

    Raises
    ------
    ColumnError
        With the columns there are, and a close one if the name looks like a slip.

    Examples
    --------
    >>> require_columns(pa.schema({"delay": pa.int64(), "carrier": pa.string()}), ["dleay"])
    Traceback (most recent call last):
    flower.errors.ColumnError: there is no column 'dleay'; did you mean 'delay'? The columns are 'delay', 'carrier'
    """
    there = schema.names
    missing = [name for name in names if name not in there]
    if not missing:
        return
    hints = []
    for name in missing:
        hints += (
            difflib.get_close_matches(str(name), there, 1) or [c for c in there if c.lower() == str(name).lower()][:1]
        )
    what = f"there is no column {missing[0]!r}" if len(missing) == 1 else f"there are no columns {names_text(missing)}"
    meant = f"did you mean {names_text(dict.fromkeys(hints))}? " if hints else ""
    all_ = f"The columns are {names_text(there)}" if there else "There are no columns"
    raise ColumnError(what, hint=meant + all_, step=step)


def names_text(names: Iterable[str], limit: int = 20) -> str:
    """Names as an error lists them: quoted, and not more than ``limit``.

    Examples
    --------
    >>> names_text("abc", limit=2)
    "'a', 'b' and 1 more"
    """
    listed = list(names)
    text = ", ".join(repr(name[:60]) for name in listed[:limit])
    return text if len(listed) <= limit else f"{text} and {len(listed) - limit} more"


def normal_schema(schema: pa.Schema) -> pa.Schema:
    """The schema that `normal` gives rows of ``schema``; metadata is left behind.

    Raises
    ------
    DtypeError
        If columns have a type that a batch cannot hold (nested, binary, decimal, time of day); names them all.
    SchemaError
        If two columns have one name, or a name is empty.
    """
    for name in schema.names:
        _check_name(name)
    if len(set(schema.names)) < len(schema.names):
        twice = [n for n in dict.fromkeys(schema.names) if schema.names.count(n) > 1]
        raise SchemaError(
            "every column must have a name of its own",
            got=f"{names_text(twice)} more than once",
            hint="rename one of them",
        )
    fields, refused = [], []
    for field in schema:
        try:
            fields.append(_normal_field(field))
        except DtypeError:
            refused.append(f"{field.name!r} ({field.type})")
    if refused:
        raise _refused(refused)
    return pa.schema(fields)


def normal(rows: pa.Table | pa.RecordBatch) -> pa.RecordBatch:
    """The rows as a batch holds them: `normal_schema`, one chunk a column, NaN for missing floats.

    A column that is so already is passed on without a copy.

    Raises
    ------
    DtypeError, SchemaError
        As `normal_schema`.

    Examples
    --------
    >>> normal(pa.table({"x": pa.array([1.5, None])}))["x"].to_pylist()
    [1.5, nan]
    """
    schema = normal_schema(rows.schema)
    columns = [_normal_column(column, field.type) for column, field in zip(rows.columns, schema, strict=True)]
    return _batch(columns, schema, rows.num_rows)


def frame_of(rows: pa.RecordBatch | pa.Table) -> pd.DataFrame:
    """The rows as a frame of pandas' default dtypes, whose memory is its own: it may be changed.

    Nullable integers become ``Int64``, nullable bools ``boolean``, dictionaries ordered categories.

    Examples
    --------
    >>> frame_of(pa.record_batch({"n": pa.array([1, None]), "s": pa.array(["a", "b"], pa.large_string())})).dtypes
    n    Int64
    s      str
    dtype: object
    """
    columns = [(column, field.nullable) for column, field in zip(rows.columns, rows.schema, strict=True)]
    if not columns:
        return pd.DataFrame(index=pd.RangeIndex(rows.num_rows), columns=[])
    alike: dict[pa.DataType | None, list[int]] = {}
    for at, (column, nullable) in enumerate(columns):
        alike.setdefault(_block_type(column, nullable), []).append(at)
    blocks = [(_by_itself(*columns[at]), np.array([at])) for at in alike.pop(None, ())]
    blocks += [(_block([columns[at][0] for at in group]), np.array(group)) for group in alike.values()]
    # What `pd.DataFrame` makes of a dict in four times as long, which is a fifth of what an epoch of a row takes.
    # The frame's own index of its columns: somebody may name it.
    index, names = pd.RangeIndex(rows.num_rows), _names_index(tuple(rows.schema.names)).view()
    return cast("pd.DataFrame", create_dataframe_from_blocks(blocks, index=index, columns=names))


def columns_of(frame: pd.DataFrame, schema: pa.Schema | None = None) -> pa.RecordBatch:
    """The columns of a frame; its index is left behind.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of text names.
    schema : pyarrow.Schema, optional
        The columns that are expected, in the order of the result; values are cast where nothing is lost. Without it
        the dtypes decide: integers and bools without a missing value are not nullable.

    Raises
    ------
    ColumnError
        If a column of ``schema`` is not in the frame.
    SchemaError
        If the frame has columns that ``schema`` lacks, or names that are not text or not unique.
    DtypeError
        If a column's values cannot be what ``schema`` says, or mixes Python objects.
    """
    if schema is None:
        return _inferred(frame)
    arrays, bad = cast_columns(frame, schema)
    for field in schema:
        mask = bad.get(field.name)
        if mask is not None:
            row = int(np.argmax(mask))
            raise DtypeError(
                f"column {field.name!r} must be {dtype_name(field)}",
                got=f"{frame[field.name].iloc[row]!r} in row {row}",
                hint="convert it with astype, or declare another dtype",
            )
    return arrays


def cast_columns(frame: pd.DataFrame, schema: pa.Schema) -> tuple[pa.RecordBatch, dict[str, np.ndarray]]:
    """The columns of a frame cast to ``schema``, and per column the rows whose value would not survive the cast.

    Those rows hold some value of the right type; only columns that have such rows are in the second result.

    Raises
    ------
    ColumnError, SchemaError, DtypeError
        If the columns are not those of ``schema``, or one is of a kind that cannot be cast to it.
    """
    names = _names(frame)
    require_columns(pa.schema([(name, pa.null()) for name in names]), schema.names)
    if extra := [name for name in names if name not in schema.names]:
        raise SchemaError(
            "only declared columns may come back", got=names_text(extra), hint="drop them, or declare them in `schema`"
        )
    arrays, bad = [], {}
    for field in schema:
        array, mask = cast_column(_array(field.name, frame[field.name], field.type), field)
        arrays.append(array)
        if mask is not None:
            bad[field.name] = mask
    return _batch(arrays, schema, len(frame)), bad


def cast_column(column: pa.Array | pa.ChunkedArray, field: pa.Field) -> tuple[pa.Array, np.ndarray | None]:
    """A column as ``field`` wants it where nothing is lost, and a mask of the rows where something would be (or None).

    Whole floats become integers, integers that a float holds exactly become floats, wider and narrower numbers each
    other, times change their unit and, where both have one, their zone; a missing value fits a nullable field only.

    Raises
    ------
    DtypeError
        If the column is of another kind altogether: text is no number, a naive time no instant.
    """
    target = field.type
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if array.type != target and not pa.types.is_dictionary(target):
        array = _normal_column(array, _normal_field(pa.field(field.name, array.type)).type)
    if array.type == target:
        missing = None if field.nullable or not array.null_count else array.is_null().to_numpy(zero_copy_only=False)
        array = _normal_column(array, target) if pa.types.is_floating(target) else array
        return (array, None) if missing is None else (_filled(array), missing)
    missing = _missing(array)
    if missing.all():
        empty = _normal_column(pa.nulls(len(array), target), target)
        return (empty, None) if field.nullable or not len(array) else (_filled(empty), missing)
    cast = _cast(array, field)
    lost = ~_same(array, cast) & ~missing
    if not field.nullable:
        lost |= missing
        cast = _filled(cast)
    return _normal_column(cast, target), lost if lost.any() else None


def array_of(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Values as an array of whatever type they are, to be cast to ``kind``; None and NaN are missing.

    Raises
    ------
    pyarrow.ArrowException, TypeError, ValueError, OverflowError
        If they are of several kinds.
    """
    if not len(values):
        return pa.nulls(0)
    if pa.types.is_temporal(kind):
        # Arrow takes a Timestamp for one of microseconds; pandas knows better.
        column = pd.Series(list(values))
        if column.dtype.kind in "mM":
            return pa.Array.from_pandas(column)
    return pa.array(values, from_pandas=True)


def _kind(t: pa.DataType) -> str:
    """The kinds between which values may be cast."""
    if pa.types.is_integer(t) or pa.types.is_floating(t):
        return "number"
    if pa.types.is_timestamp(t):
        return "naive time" if t.tz is None else "time"
    return "duration" if pa.types.is_duration(t) else str(t)


def _cast(array: pa.Array, field: pa.Field) -> pa.Array:
    target = field.type
    if pa.types.is_dictionary(target):
        if not pa.types.is_dictionary(array.type):
            array = array.dictionary_encode()
        codes, values = array.indices.cast(target.index_type), array.dictionary.cast(target.value_type)
        # A function gives back timings in the order in which it came to them: they keep that of time.
        timings = pa.array(TIMINGS, target.value_type)
        places = pc.index_in(values, value_set=timings)
        if not places.null_count:
            codes, values = places.cast(target.index_type).take(codes), timings
        return pa.DictionaryArray.from_arrays(codes, values, ordered=target.ordered)
    if _kind(array.type) != _kind(target):
        raise DtypeError(
            f"column {field.name!r} must be {dtype_name(field)}",
            got=dtype_name(pa.field("", array.type, nullable=bool(array.null_count))),
            hint="convert it, or declare another dtype",
        )
    if pa.types.is_floating(array.type) and pa.types.is_integer(target):
        # a float past the range would wrap around and could look the same when it comes back
        values = array.to_numpy(zero_copy_only=False)
        info = np.iinfo(target.to_pandas_dtype())
        with np.errstate(invalid="ignore"):
            fits = (values >= float(info.min)) & (values < float(info.max) + (1 if info.bits < 64 else 0))
            return pa.array(np.where(fits, values, 0).astype(info.dtype), mask=np.isnan(values))
    return array.cast(target, safe=False)


def _same(array: pa.Array, cast: pa.Array) -> np.ndarray:
    """Where a cast value still is the value it came from."""
    if pa.types.is_dictionary(cast.type):
        return np.ones(len(array), bool)
    back = cast.cast(array.type, safe=False)
    same = pc.equal(array, back).fill_null(False).to_numpy(zero_copy_only=False)
    source, target = array.type, cast.type
    if pa.types.is_integer(source) and pa.types.is_integer(target):  # a change of sign survives the way back
        same = same & (_negative(array) == _negative(cast))
    elif pa.types.is_integer(source) and pa.types.is_floating(target):
        # 2**63 - 1 becomes 2**63, which comes back as whatever the processor makes of it
        limit = 2.0**63 if source == pa.int64() else 2.0**64
        same = same & (cast.to_numpy(zero_copy_only=False) < limit)
    return same  # type: ignore[no-any-return]


def _negative(array: pa.Array) -> np.ndarray:
    return pc.less(array, pa.scalar(0, array.type)).fill_null(False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _missing(array: pa.Array) -> np.ndarray:
    return array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _filled(array: pa.Array) -> pa.Array:
    """Some value in place of the missing ones, which are errors anyway."""
    if not array.null_count:
        return array
    t = array.type
    value: object = "" if pa.types.is_large_string(t) else False if pa.types.is_boolean(t) else 0
    if pa.types.is_dictionary(t) or pa.types.is_nested(t):
        return array
    return array.fill_null(
        pa.scalar(value, pa.int64()).cast(t) if isinstance(value, int) and t != pa.bool_() else value
    )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise SchemaError(
            "names of columns must be text", got=repr(name), hint="rename it, as in frame.rename(columns=str)"
        )


def _normal_field(field: pa.Field) -> pa.Field:
    t = field.type
    if pa.types.is_dictionary(t):
        return _normal_field(pa.field(field.name, t.value_type))
    if t in _NAMES and not pa.types.is_floating(t):
        return pa.field(field.name, t, nullable=field.nullable)
    if t in _NAMES or pa.types.is_timestamp(t) or pa.types.is_duration(t):
        return pa.field(field.name, t)
    if pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t):
        return pa.field(field.name, pa.large_string())
    if pa.types.is_date(t):
        return pa.field(field.name, pa.timestamp("s"))
    if pa.types.is_float16(t):
        return pa.field(field.name, pa.float32())
    if pa.types.is_null(t):
        return pa.field(field.name, pa.float64())
    raise _refused([f"{field.name!r} ({t})"])


def _refused(columns: Sequence[str]) -> DtypeError:
    return DtypeError(
        "columns must be numbers, text, bools, times or durations",
        got=", ".join(columns[:20]),
        hint="convert or leave out what is nested, binary, decimal, a time of day or of mixed Python objects",
    )


def _normal_column(column: pa.Array | pa.ChunkedArray, target: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # still several: text of more than 2 GiB with small offsets
        column = column.cast(target).combine_chunks()
    if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(target):
        column = column.dictionary_decode()
    if column.type != target:
        column = (
            column.cast(pa.timestamp("ms")).cast(target) if pa.types.is_date64(column.type) else column.cast(target)
        )
    if column.null_count and pa.types.is_floating(target):
        column = column.fill_null(float("nan"))
    return column


def _batch(columns: Sequence[pa.Array], schema: pa.Schema, length: int) -> pa.RecordBatch:
    if columns:
        return pa.RecordBatch.from_arrays(list(columns), schema=schema)
    # a batch without columns must still know how many rows it has
    return pa.RecordBatch.from_struct_array(pa.array([{}] * length, pa.struct([])))


def _block_type(column: pa.Array | pa.ChunkedArray, nullable: bool) -> pa.DataType | None:
    """The type of a column that pandas can hold in one block with others of it; None: it cannot."""
    t = column.type
    if not isinstance(column, pa.Array) or (nullable and t in _NULLABLE_DTYPES) or shared(column) is None:
        return None
    return t if not pa.types.is_temporal(t) or (pa.types.is_timestamp(t) and t.tz == "UTC") else None


def _block(columns: Sequence[pa.Array]) -> Any:
    """Columns of one `_block_type` together, in memory of their own."""
    t = columns[0].type
    values: Any = np.concatenate([numbers(column) for column in columns])
    if pa.types.is_timestamp(t):
        values = pd.array(values.view(f"M8[{t.unit}]"), dtype=pd.DatetimeTZDtype(t.unit, t.tz), copy=False)
    return values.reshape(len(columns), -1)


@lru_cache(64)
def _names_index(names: tuple[str, ...]) -> pd.Index[str]:
    return pd.Index(list(names))


@lru_cache(64)
def _categories(values: tuple[str, ...]) -> pd.CategoricalDtype:
    """The dtype of a column of ordered categories: to make one takes longer than an epoch of a few rows should."""
    return pd.CategoricalDtype(list(values), ordered=True)


def _by_itself(column: pa.Array | pa.ChunkedArray, nullable: bool) -> Any:
    """A block of one column, in memory of its own."""
    values = _values(column, nullable)
    return values.reshape(1, -1) if isinstance(values, np.ndarray) else values


def _values(column: pa.Array | pa.ChunkedArray, nullable: bool) -> Any:
    """What pandas makes a column of, in memory of its own."""
    t = column.type
    if pa.types.is_large_string(t) or pa.types.is_string(t):
        return _STR.__from_arrow__(column)  # type: ignore[attr-defined]
    if pa.types.is_timestamp(t) and t.tz is not None:
        values = pd.DatetimeTZDtype(t.unit, t.tz).__from_arrow__(column)
        several = isinstance(column, pa.ChunkedArray) and column.num_chunks > 1
        return values if column.null_count or several else values.copy()
    if pa.types.is_dictionary(t):
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        indices = column.indices.fill_null(-1) if column.null_count else column.indices
        dtype = _categories(tuple(column.dictionary.to_pylist()))
        return pd.Categorical.from_codes(numbers(indices).copy(), dtype=dtype)
    if nullable and t in _NULLABLE_DTYPES:
        return _NULLABLE_DTYPES[t].__from_arrow__(column)
    if pa.types.is_boolean(t) and isinstance(column, pa.Array) and not column.null_count:
        return numbers(column)
    values = column.to_numpy(zero_copy_only=False)
    return values if values.flags.writeable else values.copy()


def _names(frame: pd.DataFrame) -> list[str]:
    names = list(frame.columns)
    for name in names:
        _check_name(name)
    if len(set(names)) < len(names):
        normal_schema(pa.schema([(name, pa.float64()) for name in names]))
    return names


def _inferred(frame: pd.DataFrame) -> pa.RecordBatch:
    fields, arrays, refused = [], [], []
    for name in _names(frame):
        series = frame[name]
        try:
            array = _array(name, series)
            field = _normal_field(pa.field(name, array.type))
        except DtypeError as error:
            refused.append(error.got or repr(name))
            continue
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iub":
            field = field.with_nullable(False)
        fields.append(field)
        arrays.append(_normal_column(array, field.type))
    if refused:
        raise _refused(refused)
    return _batch(arrays, pa.schema(fields), len(frame))


def _array(name: str, series: pd.Series, target: pa.DataType | None = None) -> pa.Array:
    """A frame's column as Arrow has it, before it is made normal."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iufbmM":
        if dtype == np.float16:
            return pa.array(series.to_numpy().astype(np.float32))
        return pa.array(series.to_numpy())
    if isinstance(dtype, pd.DatetimeTZDtype):
        zone = pa.lib.tzinfo_to_string(dtype.tz)
        return pa.array(np.asarray(series, dtype=f"M8[{dtype.unit}]"), type=pa.timestamp(dtype.unit, zone))
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype, pd.SparseDtype)) or getattr(dtype, "kind", "") == "c":
        raise _refused([f"{name!r} ({dtype})"])
    try:
        wanted = target if target is not None and pa.types.is_nested(target) else None
        array = pa.array(series.array, type=wanted, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise _refused([f"{name!r} (mixed Python objects)"]) from None
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
