"""Tables that rows are looked up in: read whole before the first row, and asked a batch at a time."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.joint import filled
from flower.engine.keys import Keys, encode, equal, exact
from flower.errors import SchemaError
from flower.graph.batch import Batch
from flower.graph.enriching import Lookup, Table
from flower.model import arrays
from flower.model.time import I64

_indexes: weakref.WeakKeyDictionary[Table, dict[tuple[tuple[str, ...], bool], _Index]] = weakref.WeakKeyDictionary()
"""What is derived from a table in this process, by its keys and whether their hashes are exact."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The keys of a table by hash, and the row of each; -1: none has it."""

    hash: I64
    keys: Keys
    row: I64


def required_unique(rows: pa.RecordBatch, on: Sequence[str]) -> Table:
    """The table of some rows.

    Raises
    ------
    SchemaError
        If two of them have the same keys.
    """
    columns = [rows.column(name) for name in on]
    codes = encode(columns, len(rows), exact=False).codes
    count = np.bincount(codes, minlength=1)
    if count.max() > 1:
        first = rows.take(pa.array([int(np.flatnonzero(codes == count.argmax())[0])])).to_pylist()[0]
        key = ", ".join(f"{name}={first[name]!r}" for name in on)
        more = int(np.count_nonzero(count > 1)) - 1
        raise SchemaError(
            "a table must have one row for each key",
            got=f"{count.max():,} rows of {key}" + (f", and {more:,} other keys more than once" if more else ""),
            hint="aggregate it by its keys before, as with .groupby(...).agg(...) or frame.drop_duplicates(...)",
        )
    return Table(rows)


def looked_up(node: Lookup, batch: Batch) -> Batch:
    """Each row with the columns of the row of the table that has its keys."""
    assert node.rows is not None, "the table is read before the first row"
    found = _found(node, node.rows, batch)
    if node.how == "inner":
        here = found >= 0
        batch, found = batch.filter(here), found[here]
    picks = pa.array(found, mask=found < 0)
    fields = [node.schema.field(name) for name in node.added]
    added = [filled(node.rows.rows.column(field.name).take(picks), field.type) for field in fields]
    return batch.with_rows(pa.RecordBatch.from_arrays([*batch.rows.columns, *added], schema=node.schema))


def _found(node: Lookup, table: Table, batch: Batch) -> I64:
    """Per row, the row of the table; -1: there is none."""
    fields = [(batch.rows.schema.field(key), table.rows.schema.field(key)) for key in node.on]
    alike = exact([here.type for here, _ in fields], [here.nullable or there.nullable for here, there in fields])
    index = _index_of(table, node.on, alike)
    wanted = encode([batch.rows.column(key) for key in node.on], len(batch), exact=alike)
    at, end = (np.searchsorted(index.hash, wanted.hash, side=side) for side in ("left", "right"))
    row = np.full(len(at), -1)
    asked = np.flatnonzero(at < end)
    while len(asked):  # a second time only where different keys have one hash
        there = at[asked]
        same = np.ones(len(asked), np.bool_) if alike else _same(wanted.keys, asked, index.keys, there)
        row[asked[same]] = index.row[there[same]]
        asked = asked[~same]
        at[asked] += 1
        asked = asked[at[asked] < end[asked]]
    return row[wanted.codes]


def _same(left: Keys, at: I64, right: Keys, where: I64) -> np.ndarray:
    return equal(tuple(arrays.take(key, at) for key in left), tuple(arrays.take(key, where) for key in right))


def _index_of(table: Table, on: tuple[str, ...], alike: bool) -> _Index:
    known = _indexes.setdefault(table, {})
    index = known.get((on, alike))
    if index is None:
        encoded = encode([table.rows.column(key) for key in on], len(table.rows), exact=alike)
        row = np.full(len(encoded.hash), -1)
        row[encoded.codes] = np.arange(len(table.rows))
        index = known[on, alike] = _Index(encoded.hash, encoded.keys, row)
    return index
