"""Columns of state: NumPy arrays for numbers, Arrow arrays for everything else, and the few operations both share.

Reductions by group scatter with ``ufunc.at``: NumPy 2's indexed loops take 1.7-1.9 ns a row for int64 (one million
rows, 100,000 groups), where sorting the codes takes 60 ns a row and Arrow's hash aggregation 11; ``bincount`` is no
faster and rounds large integers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flower.model.time import I64

Column: TypeAlias = Any
"""One column of state, a value a group: a NumPy or an Arrow array (which has no types of its own)."""

Bools = npt.NDArray[np.bool_]


@lru_cache(64)
def _plain(kind: pa.DataType) -> np.dtype[Any] | None:
    """What NumPy calls the numbers that a type has in memory; None: they are none, or narrower than a byte."""
    if pa.types.is_temporal(kind) and kind.bit_width in (32, 64):
        return np.dtype(np.int32 if kind.bit_width == 32 else np.int64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        plain: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
        return plain
    return None


def shared(column: pa.Array) -> npt.NDArray[Any] | None:
    """The numbers of a column without a null, times as those that they are, read-only and not copied; None: it has
    others.

    ``to_numpy`` gives the same but lets go of the interpreter's lock several times, and each time a cell that computes
    in pure Python may take it: a small epoch cannot pay for that.
    """
    kind = _plain(column.type)
    if kind is None or column.null_count:
        return None
    memory = column.buffers()[1]
    if memory is None or not len(column):
        return np.zeros(0, kind)
    return np.frombuffer(memory, kind, len(column), column.offset * kind.itemsize)


def _bools(column: pa.Array) -> Bools:
    """The bits of a column without a null, a byte each."""
    n, memory = len(column), column.buffers()[1]
    if memory is None or not n:
        return np.zeros(0, np.bool_)
    byte, bit = divmod(column.offset, 8)
    return np.unpackbits(np.frombuffer(memory, np.uint8)[byte:], count=bit + n, bitorder="little")[bit:].view(np.bool_)


def repeats(values: npt.NDArray[Any]) -> bool:
    """Whether an array is one value without the memory of more: a `constant`."""
    return values.strides == (0,) and len(values) > 0


def constant(value: int, length: int) -> I64:
    """``length`` times ``value`` without the memory: a read-only array of stride zero."""
    # What `np.broadcast_to` makes, in a tenth of the time: an epoch of a few rows makes many.
    one = int(value).to_bytes(8, sys.byteorder, signed=True)
    repeated: I64 = np.ndarray((length,), np.int64, one, 0, (0,))
    return repeated


def select(array: I64, indices: I64) -> I64:
    """The values at ``indices``; a `constant` stays one."""
    if repeats(array):
        return constant(int(array[0]), len(indices))
    return array[indices]


def one_after_another(parts: Sequence[I64]) -> I64:
    """Numbers of several arrays; of `constant` ones of one value, another."""
    if all(map(repeats, parts)) and len({int(part[0]) for part in parts}) == 1:
        return constant(int(parts[0][0]), sum(map(len, parts)))
    return np.concatenate(parts)


def take(column: Column, indices: I64) -> Column:
    """The values at ``indices``."""
    if isinstance(column, np.ndarray):
        return column[indices]
    values = shared(column)
    return column.take(pa.array(indices)) if values is None else arrow(values[indices], column.type)


def cut(column: Column, start: int, stop: int) -> Column:
    """The values of ``[start, stop)``, not copied."""
    if isinstance(column, np.ndarray):
        return column[start:stop]
    return column.slice(start, stop - start)


def joined(columns: Sequence[Column]) -> Column:
    """The columns one after another."""
    if len(columns) == 1:
        return columns[0]
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    values = [each for column in columns if (each := shared(column)) is not None]
    return pa.concat_arrays(columns) if len(values) < len(columns) else arrow(np.concatenate(values), columns[0].type)


def size_of(column: Column) -> int:
    """Bytes that the values take."""
    if isinstance(column, np.ndarray):
        return column.itemsize if repeats(column) else column.nbytes
    kind = _plain(column.type)
    return int(column.nbytes) if kind is None or column.null_count else len(column) * kind.itemsize


def order(values: I64, major: I64 | None = None) -> I64:
    """The stable order by ``major``, then ``values``.

    Each value and its place are packed into one number, and those sorted: NumPy sorts numbers by vector instructions,
    ten times as fast as ``argsort`` and ``lexsort`` (a million rows). Of values too wide for that the highest bits are
    sorted, and the few places where these do not tell are put right.
    """
    n = len(values)
    if n < 2:
        return np.arange(n)
    width, place, low = 0, (n - 1).bit_length(), 0
    if major is not None:
        low = int(major.min())
        width = (int(major.max()) - low).bit_length()
        major = major if width else None
    if major is None and bool((values[1:] >= values[:-1]).all()):
        return np.arange(n)
    if width + place > 48:
        return np.argsort(values, kind="stable") if major is None else np.lexsort((values, major))
    least = int(values.min())
    excess = max((int(values.max()) - least).bit_length() + width + place - 64, 0)
    # Differences may wrap around: as numbers without a sign they come out right.
    packed = (values.view(np.uint64) - np.uint64(least % 2**64)) >> np.uint64(excess)
    if major is not None:
        packed |= (major - low).view(np.uint64) << np.uint64(64 - place - width)
    packed = (packed << np.uint64(place)) | np.arange(n, dtype=np.uint64)
    packed.sort()
    found = (packed & np.uint64(2**place - 1)).view(np.int64)
    return _put_right(found, values, packed >> np.uint64(place)) if excess else found


def _put_right(found: I64, values: I64, sorted_by: npt.NDArray[np.uint64]) -> I64:
    """An order by ``sorted_by``, made one by ``values`` where that is equal."""
    new = sorted_by[1:] != sorted_by[:-1]
    wrong = ~new & (values[found[1:]] < values[found[:-1]])
    if wrong.any():
        group = np.concatenate(([0], np.cumsum(new)))
        asked = np.zeros(group[-1] + 1, np.bool_)
        asked[group[1:][wrong]] = True
        at = np.flatnonzero(asked[group])
        found[at] = found[at[np.lexsort((values[found[at]], group[at]))]]
    return found


def rising(values: I64, least: int) -> I64:
    """The greatest value up to each place, at least ``least``.

    Where most places only repeat the greatest value before them, those that do not are found by vector instructions,
    in a third of the time that ``maximum.accumulate`` takes (a million rows, up to five seconds out of order).

    Examples
    --------
    >>> rising(np.array([3, 1, 4, 1, 5]), 2).tolist()
    [3, 3, 4, 4, 5]
    """
    n = len(values)
    if n < 4 * _SPAN:
        return np.maximum.accumulate(np.maximum(values, least))
    if (values[1:] >= values[:-1]).all():
        return np.maximum(values, least)
    whole = n // _SPAN * _SPAN
    spans = values[:whole].reshape(-1, _SPAN)
    before = np.maximum.accumulate(
        np.concatenate(([least], np.maximum.reduceat(values[:whole], np.arange(0, whole, _SPAN))))
    )
    above = np.concatenate(((spans > before[:-1, np.newaxis]).ravel(), values[whole:] > before[-1]))
    places = np.flatnonzero(above)
    if len(places) > n // 4:
        return np.maximum.accumulate(np.maximum(values, least))
    greatest = np.concatenate(([least], np.maximum.accumulate(np.maximum(values[places], least))))
    return np.repeat(greatest, np.diff(places, prepend=0, append=n))


_SPAN = 64
"""Places of which the greatest value is looked up at once."""


def distinct(values: I64) -> I64:
    """Each value once, ascending. ``np.unique`` goes through a hash table, and takes twenty times as long and more."""
    ascending = np.sort(values)
    return ascending[group_starts(ascending)]


def group_starts(codes: I64) -> I64:
    """Where each run of equal values begins in the sorted ``codes``."""
    if not len(codes):
        return np.zeros(0, np.int64)
    return np.concatenate((np.zeros(1, np.int64), np.flatnonzero(codes[1:] != codes[:-1]) + 1))


def group_ends(starts: I64, length: int) -> I64:
    """The last place of each run that begins at ``starts``."""
    return np.concatenate((starts[1:], np.full(min(len(starts), 1), length))) - 1


def missing(column: pa.Array) -> Bools | None:
    """Which values are missing (null or NaN), None if none is."""
    if pa.types.is_floating(column.type):
        nan = np.isnan(numbers(column))
        return nan if nan.any() else None
    if column.null_count == 0:
        return None
    return np.asarray(pc.is_null(column))


def numbers(column: pa.Array) -> npt.NDArray[Any]:
    """The values of a column of plain numbers, bools or times as a NumPy array; nulls become NaN, 0 or False: mask
    them.
    """
    values = shared(column)
    if values is not None:
        return values
    kind = column.type
    if pa.types.is_boolean(kind):
        filled = column.fill_null(False) if column.null_count else column
        return _bools(filled)
    if pa.types.is_temporal(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        column = column.view(width)
    if column.null_count:
        column = column.fill_null(float("nan") if pa.types.is_floating(kind) else 0)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def arrow(values: npt.NDArray[Any], kind: pa.DataType, missing: Bools | None = None) -> pa.Array:
    """An Arrow column of NumPy numbers; ``missing`` ones are null, or NaN in a float column."""
    if missing is not None and not missing.any():
        missing = None
    if missing is None and values.dtype == _plain(kind):
        # What `pa.array` makes of them, which lets go of the interpreter's lock (see `shared`).
        values = np.ascontiguousarray(values)
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)], 0)
    if pa.types.is_floating(kind):
        if missing is not None:
            values = np.where(missing, np.nan, values)
        return pa.array(values.astype(kind.to_pandas_dtype(), copy=False))
    if pa.types.is_temporal(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values.astype(width.to_pandas_dtype(), copy=False), mask=missing).view(kind)
    return pa.array(values, kind, mask=missing)
