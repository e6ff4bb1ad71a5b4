"""What a step may remember of each key: `Value`, `List`, `Map` and `Set`, each of declared dtypes.

A step declares them by name, ``state={"n": fl.state.Value("int64", default=0)}``, and uses them as attributes of what
it is given: ``state.n += 1``, ``state.seen.add(x)``, ``del state.n``. They are kept as Arrow columns.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flower.errors import DtypeError, FlowerError
from flower.graph.schema import array_of, cast_column, dtype_name, field_of

__all__ = ["Kind", "List", "Map", "Set", "Value"]

Parse = Callable[[Any], Any]


class Kind:
    """One thing that is remembered of each key; see the subclasses.

    Parameters
    ----------
    *dtypes : str, type, numpy.dtype, pandas dtype or pyarrow.DataType
        Of what it holds.
    """

    __slots__ = ("dtypes",)
    noun: ClassVar[str]
    default: Any = None

    def __init__(self, *dtypes: object) -> None:
        fields = [field_of(self.noun, dtype) for dtype in dtypes]
        for field in fields:
            if pa.types.is_dictionary(field.type):
                raise DtypeError(f"a {self.noun} has no categories", got="category", hint="use 'str'")
        self.dtypes = tuple(map(dtype_name, fields))

    @property
    def fields(self) -> tuple[pa.Field, ...]:
        """What its dtypes are to Arrow; anything may be missing."""
        return tuple(field_of(self.noun, dtype).with_nullable(True) for dtype in self.dtypes)

    @property
    def type(self) -> pa.DataType:
        """Of the column in which it is kept; null: nothing is remembered."""
        raise NotImplementedError

    def encoded(self, values: Sequence[Any]) -> pa.Array:
        """Values, one a key, as a column.

        Raises
        ------
        DtypeError
            If one does not fit, or would lose something.
        """
        raise NotImplementedError

    def decoded(self, column: pa.Array) -> list[Any]:
        """The values of a column, which nobody else holds: they may be changed."""
        raise NotImplementedError

    def copied(self, value: Any) -> Any:
        """A value that may be changed without changing the other."""
        raise NotImplementedError

    def normal(self, value: Any) -> Any:
        """A value as it comes back when it has been kept.

        Raises
        ------
        DtypeError
            As `encoded`.
        """
        return self.decoded(self.encoded([value]))[0]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.dtypes))})"


class Value(Kind):
    """One value a key: ``state.n`` is it, ``state.n = 3`` sets it, ``del state.n`` makes it the default again.

    Parameters
    ----------
    dtype : str, type, numpy.dtype, pandas dtype or pyarrow.DataType
        Its dtype, as in a schema.
    default : optional
        What it is before it is set; a time or a duration may be text. A key whose state is all default, and that has
        no timer, takes no room.

    Raises
    ------
    DtypeError
        If the dtype is none that Flower knows, or the default does not fit it.

    Examples
    --------
    >>> import flower as fl
    >>> fl.state.Value("int64", default=0)
    Value('int64', default=0)
    """

    __slots__ = ("_plain", "_type", "default")
    noun = "value"

    def __init__(self, dtype: object, default: object = None) -> None:
        super().__init__(dtype)
        self.default = None
        self._type = self.fields[0].type
        self._plain = plain(self._type)
        if isinstance(default, str):
            parse = _parser(self._type)
            default = default if parse is _same else parse(default)
        self.default = self.normal(default)

    @property
    def type(self) -> pa.DataType:
        """Its dtype's."""
        return self._type

    def encoded(self, values: Sequence[Any]) -> pa.Array:
        """As of `Kind`; what is missing or the default is null."""
        return self.kept(_cast(values, self.fields[0]))

    def kept(self, column: pa.Array) -> pa.Array:
        """A column of its dtype with nulls where the value is missing or the default."""
        nothing = np.asarray(column.is_null(nan_is_null=True))
        if self.default is not None:
            same = pc.equal(column, pa.scalar(self.default, self._type)).fill_null(False)
            nothing = nothing | np.asarray(same)
        return pc.if_else(pa.array(nothing), pa.scalar(None, self._type), column) if nothing.any() else column

    def shown(self, name: str, column: pa.Array) -> pa.RecordBatch:
        """A column as frames show it: with the default, or missing where there is none."""
        if self.default is not None:
            column = column.fill_null(pa.scalar(self.default, self._type))
        elif pa.types.is_floating(self._type):
            column = column.fill_null(float("nan"))
        return pa.RecordBatch.from_arrays(
            [column], schema=pa.schema([pa.field(name, self._type, self.default is None)])
        )

    def decoded(self, column: pa.Array) -> list[Any]:
        """As of `Kind`."""
        values = _listed(column)
        return values if not column.null_count else [self.default if each is None else each for each in values]

    def copied(self, value: Any) -> Any:
        """It is none that could be changed."""
        return value

    def normal(self, value: Any) -> Any:
        """As of `Kind`."""
        if value is None:
            return self.default
        return value if self._plain(value) else super().normal(value)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (*self.dtypes, self.default)

    def __repr__(self) -> str:
        told = "" if self.default is None else f", default={_source(self.default)}"
        return f"Value({self.dtypes[0]!r}{told})"


class _Several(Kind):
    """Values of one dtype."""

    __slots__ = ()
    make: ClassVar[Callable[[Iterable[Any]], Any]]

    def __init__(self, dtype: object) -> None:
        super().__init__(dtype)

    @property
    def type(self) -> pa.DataType:
        """A list's."""
        return pa.large_list(self.fields[0].with_name("item"))

    def encoded(self, values: Sequence[Any]) -> pa.Array:
        """As of `Kind`; what is empty is null."""
        parts = [self._parts(each) for each in values]
        items = _cast([item for part in parts for item in part], self.fields[0])
        offsets = np.concatenate(([0], np.cumsum([len(part) for part in parts], dtype=np.int64)))
        whole = pa.LargeListArray.from_arrays(pa.array(offsets), items, type=self.type)
        return _empty_is_null(whole, parts)

    def _parts(self, value: Any) -> Sequence[Any]:
        raise NotImplementedError

    def decoded(self, column: pa.Array) -> list[Any]:
        """As of `Kind`."""
        parse = _parser(column.type.value_type)
        make = type(self).make
        return [make(map(parse, each or ())) for each in column.to_pylist()]

    def copied(self, value: Any) -> Any:
        """A copy of it."""
        return value.copy()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.dtypes


class List(_Several):
    """A list a key, empty at first: ``state.seen`` is a Python list, which may be changed and replaced.

    Examples
    --------
    >>> import flower as fl
    >>> fl.state.List("float64")
    List('float64')
    """

    __slots__ = ()
    noun = "item"
    make = list

    @property
    def default(self) -> list[Any]:
        """No item."""
        return []

    def _parts(self, value: Any) -> Sequence[Any]:
        items: Sequence[Any] = _of(value, (list, tuple), "a list")
        return items


class Set(_Several):
    """A set a key, empty at first: ``state.seen`` is a Python set. It has no order: sort it where that counts.

    Examples
    --------
    >>> import flower as fl
    >>> fl.state.Set("str")
    Set('str')
    """

    __slots__ = ()
    noun = "member"
    make = set

    @property
    def default(self) -> set[Any]:
        """No member."""
        return set()

    def _parts(self, value: Any) -> Sequence[Any]:
        members = _of(value, (set, frozenset), "a set")
        return sorted(members, key=lambda each: (str(type(each)), each))


class Map(Kind):
    """A mapping a key, empty at first: ``state.counts`` is a Python dict, which keeps the order of its keys.

    Parameters
    ----------
    key, value : str, type, numpy.dtype, pandas dtype or pyarrow.DataType
        The dtypes of its keys, none of which is missing, and of its values.

    Examples
    --------
    >>> import flower as fl
    >>> fl.state.Map("str", "int64")
    Map('str', 'int64')
    """

    __slots__ = ()
    noun = "entry"

    def __init__(self, key: object, value: object) -> None:
        super().__init__(key, value)

    @property
    def default(self) -> dict[Any, Any]:
        """No entry."""
        return {}

    @property
    def type(self) -> pa.DataType:
        """A map's."""
        key, value = self.fields
        return pa.map_(key.type, value.type)

    def encoded(self, values: Sequence[Any]) -> pa.Array:
        """As of `Kind`; what is empty is null."""
        parts = [_of(each, (Mapping,), "a dict") for each in values]
        key, value = self.fields
        keys = _cast([name for part in parts for name in part], key.with_nullable(False))
        items = _cast([item for part in parts for item in part.values()], value)
        offsets = np.concatenate(([0], np.cumsum([len(part) for part in parts], dtype=np.int64)))
        whole = pa.MapArray.from_arrays(pa.array(offsets.astype(np.int32)), keys, items)
        return _empty_is_null(whole, parts)

    def decoded(self, column: pa.Array) -> list[Any]:
        """As of `Kind`."""
        key, value = _parser(column.type.key_type), _parser(column.type.item_type)
        return [{key(name): value(item) for name, item in each or ()} for each in column.to_pylist()]

    def copied(self, value: Any) -> Any:
        """A copy of it."""
        return dict(value)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.dtypes


def _of(value: Any, kinds: tuple[type, ...], what: str) -> Any:
    if isinstance(value, kinds):
        return value
    if value is None:
        return ()
    raise DtypeError(f"it must be {what}", got=f"{value!r}"[:80], hint="change it, or replace it by one")


def _empty_is_null(column: pa.Array, parts: Sequence[Any]) -> pa.Array:
    if all(parts):
        return column
    return pa.concat_arrays([column, pa.nulls(1, column.type)]).take(
        pa.array([at if part else len(parts) for at, part in enumerate(parts)], pa.int64())
    )


def _cast(values: Sequence[Any], field: pa.Field) -> pa.Array:
    """Values as a column of which none has lost anything."""
    try:
        given = array_of(values, field.type)
        column, lost = cast_column(given, field)
    except FlowerError:
        raise
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        got = repr(values[0] if len(values) == 1 else list(values))[:80]
        raise DtypeError(f"it must be of {dtype_name(field)}", got=got, hint=str(error)[:200]) from None
    if lost is not None:
        got = repr(values[int(np.argmax(lost))])[:80]
        raise DtypeError(f"it must be of {dtype_name(field)}", got=got, hint="convert it before it is kept")
    return column


def _listed(column: pa.Array) -> list[Any]:
    parse = _parser(column.type)
    return column.to_pylist() if parse is _same else [parse(each) for each in column.to_pylist()]


def _same(value: Any) -> Any:
    return value


def _parser(kind: pa.DataType) -> Parse:
    """How a person sees an Arrow value: times as pandas has them."""
    if pa.types.is_timestamp(kind):
        return lambda each: None if each is None else pd.Timestamp(each)
    if pa.types.is_duration(kind):
        return lambda each: None if each is None else pd.Timedelta(each)
    return _same


def plain(kind: pa.DataType) -> Callable[[Any], bool]:
    """Whether a value is one that is kept as it is, told without a look at Arrow."""
    if kind == pa.int64():
        return lambda value: type(value) is int and -(2**63) <= value < 2**63
    if kind == pa.float64():
        return lambda value: type(value) is float and value == value
    if kind == pa.bool_():
        return lambda value: type(value) is bool
    if pa.types.is_large_string(kind):
        return lambda value: type(value) is str and value.isascii()
    return lambda value: False


def _source(value: Any) -> str:
    if isinstance(value, (pd.Timestamp, pd.Timedelta, dt.datetime, dt.timedelta)):
        return repr(str(value))
    return repr(value)
