"""The rows of a group themselves, for a function that wants them whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.model.arrays import Column, joined, take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.counted import ranks
from flower.model.time import I64

_ORDER = 3
"""The columns before those of the rows: event time, partition, position."""


@dataclass(frozen=True, repr=False)
class Rows(Combiner):
    """All rows, as a list of structs: by event time, then partition and position, and rows of one origin by their
    values, a missing one first.

    State is appended to and sorted only when a pane fires. It cannot take rows back.

    Parameters
    ----------
    others : tuple of str
        The columns besides the aggregated one.
    """

    others: tuple[str, ...] = ()
    name = "rows"
    needs_all = True

    def schema(self, column: pa.Field | None) -> pa.Field:
        return pa.field("", pa.large_list(pa.struct(self._fields(column))), nullable=False)

    def _fields(self, column: pa.Field | None) -> list[pa.Field]:
        assert column is not None
        return list(column.type) if self.others else [column]

    def create(self, n: int, column: pa.Field | None) -> State:
        kinds = [*[pa.int64()] * _ORDER, *(field.type for field in self._fields(column))]
        return _listed(n, np.zeros(0, np.int64), [pa.array([], kind) for kind in kinds])

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        values = column.flatten() if self.others else [column]
        return _appended(state, codes, [*map(pa.array, (order.time, order.partition, order.position)), *values])

    def merge(self, state: State, other: State, codes: I64) -> State:
        group, columns = _flat(other)
        return _appended(state, codes[group], columns)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        group, columns = _flat(state)
        keys: list[Column] = [group, *map(np.asarray, columns[:_ORDER])]
        order = np.lexsort(keys[::-1])
        if not _distinct(keys, order):
            values = (
                each.cast(pa.large_string()) if pa.types.is_dictionary(each.type) else each
                for each in columns[_ORDER:]
                if not pa.types.is_nested(each.type)
            )
            keys += [rank for each in values for rank in ranks(each)]
            order = np.lexsort(keys[::-1])
        rows = pa.StructArray.from_arrays([take(each, order) for each in columns[_ORDER:]], fields=self._fields(column))
        offsets = np.searchsorted(group, np.arange(len(state[0]) + 1))
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), rows)

    def __repr__(self) -> str:
        return "apply()"


def _listed(n: int, group: I64, columns: Sequence[pa.Array]) -> State:
    """Lists of ``n`` groups of rows, sorted by group."""
    offsets = pa.array(np.searchsorted(group, np.arange(n + 1)), pa.int64())
    return tuple(pa.LargeListArray.from_arrays(offsets, each) for each in columns)


def _flat(state: State) -> tuple[I64, list[pa.Array]]:
    """The group of each row, and the columns."""
    sizes = np.diff(np.asarray(state[0].offsets))
    return np.repeat(np.arange(len(sizes)), sizes), [each.flatten() for each in state]


def _appended(state: State, codes: I64, columns: Sequence[pa.Array]) -> State:
    """The rows of ``columns`` behind those that their groups have."""
    group, known = _flat(state)
    group = np.concatenate((group, codes))
    order = np.argsort(group, kind="stable")
    return _listed(
        len(state[0]),
        group[order],
        [take(joined((mine, more)), order) for mine, more in zip(known, columns, strict=True)],
    )


def _distinct(keys: Sequence[I64], order: I64) -> bool:
    """Whether no two rows, in this order, have all keys in common."""
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        ordered = key[order]
        same &= ordered[1:] == ordered[:-1]
    return not same.any()
