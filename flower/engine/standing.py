"""Standing panes: those that a group has emitted and not taken back, as columns.

A group has one, or none; a session that has absorbed others has theirs as well until it fires. They are lists, so that
they are taken, cut and joined as any other column of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flower.model import arrays
from flower.model.arrays import Bools
from flower.model.panes import RETRACTION, TIMING, timings
from flower.model.time import I64, MAX_TIME, MIN_TIME


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing panes of groups.

    Parameters
    ----------
    panes : pyarrow.LargeListArray
        A list of panes a group: structs of the columns but the keys, timings as their codes.
    oldest, newest : ndarray of int64
        The earliest and latest event time of all panes that a group has emitted, standing or not; `MAX_TIME` and
        `MIN_TIME` where there was none.
    """

    panes: pa.Array
    oldest: I64
    newest: I64

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return int(self.panes.nbytes) + self.oldest.nbytes + self.newest.nbytes

    @staticmethod
    def none(n: int, schema: pa.Schema, keys: Sequence[str]) -> Standing:
        """Those of ``n`` groups that have emitted nothing, of a step with the columns ``schema``."""
        kind = kept_type(schema, keys)
        offsets = np.broadcast_to(np.int64(0), n + 1)
        panes = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array([], kind))
        return Standing(panes, np.full(n, MAX_TIME), np.full(n, MIN_TIME))

    def take(self, indices: I64) -> Standing:
        """Those of the groups at ``indices``."""
        return Standing(arrays.take(self.panes, indices), self.oldest[indices], self.newest[indices])

    def cut(self, start: int, stop: int) -> Standing:
        """Those of the groups of ``[start, stop)``, not copied."""
        return Standing(arrays.cut(self.panes, start, stop), self.oldest[start:stop], self.newest[start:stop])

    def merged(self, codes: I64, n: int) -> Standing:
        """Those of ``n`` groups, into which group i goes as ``codes[i]``: all that any of them has."""
        oldest, newest = np.full(n, MAX_TIME), np.full(n, MIN_TIME)
        np.minimum.at(oldest, codes, self.oldest)
        np.maximum.at(newest, codes, self.newest)
        flat, counts = self.flat()
        group = np.repeat(codes, counts)
        if len(group) > 1 and (group[1:] < group[:-1]).any():
            order = np.argsort(group, kind="stable")
            flat, group = flat.take(pa.array(order)), group[order]
        return Standing(_lists(np.searchsorted(group, np.arange(n + 1)), flat), oldest, newest)

    def flat(self) -> tuple[pa.Array, I64]:
        """All panes, group after group, and how many each group has."""
        return self.panes.flatten(), np.diff(np.asarray(self.panes.offsets))

    def replaced(self, which: Bools, emitted: Bools, panes: pa.RecordBatch, time: I64, keys: Sequence[str]) -> Standing:
        """What stands after groups have taken back all theirs (``which``), and some have emitted ``panes`` instead."""
        flat, counts = self.flat()
        kept = np.flatnonzero(np.repeat(~which, counts))
        n, place = len(which), np.flatnonzero(emitted)
        oldest, newest = self.oldest.copy(), self.newest.copy()
        oldest[place] = np.minimum(oldest[place], time)
        newest[place] = np.maximum(newest[place], time)
        new = _kept(panes, keys)
        if not len(kept):
            return Standing(_lists(np.concatenate(([0], np.cumsum(emitted))), new), oldest, newest)
        group = np.concatenate((np.repeat(np.arange(n), counts)[kept], place))
        order = np.argsort(group, kind="stable")
        every = pa.concat_arrays([flat.take(pa.array(kept)), new]).take(pa.array(order))
        return Standing(_lists(np.searchsorted(group[order], np.arange(n + 1)), every), oldest, newest)

    def together(self) -> I64:
        """For each group, the time by which all its panes are admitted together; `MAX_TIME`: each by its own."""
        return np.where(self.oldest < self.newest, self.oldest, MAX_TIME)


def kept_type(schema: pa.Schema, keys: Sequence[str]) -> pa.DataType:
    """What is kept of a pane."""
    kept = [field for field in schema if field.name not in keys and field.name != RETRACTION]
    return pa.struct([field.with_type(pa.int8()) if field.name == TIMING else field for field in kept])


def _kept(panes: pa.RecordBatch, keys: Sequence[str]) -> pa.Array:
    kind = kept_type(panes.schema, keys)
    columns = [panes.column(field.name) for field in kind]
    columns = [column.indices if field.name == TIMING else column for column, field in zip(columns, kind, strict=True)]
    return pa.StructArray.from_arrays(columns, fields=list(kind))


def retractions(flat: pa.Array, keys: Sequence[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Kept panes with their keys as the rows that take them back: column for column what had been emitted."""
    known = dict(zip(schema.names, keys, strict=False))
    known |= {field.name: column for field, column in zip(flat.type, flat.flatten(), strict=True)}
    known[TIMING] = timings(known[TIMING].to_numpy())
    known[RETRACTION] = pa.repeat(pa.scalar(True), len(flat))
    return pa.RecordBatch.from_arrays([known[name] for name in schema.names], schema=schema)


def times(rows: pa.RecordBatch, column: str) -> I64:
    """The event times of panes; that of the global window is the end of time."""
    return np.asarray(pc.fill_null(rows.column(column).cast(pa.int64()), MAX_TIME), np.int64)


def joined(parts: Sequence[Standing]) -> Standing:
    """Those of several tables of groups one after another."""
    if len(parts) == 1:
        return parts[0]
    return Standing(
        pa.concat_arrays([each.panes for each in parts]),
        np.concatenate([each.oldest for each in parts]),
        np.concatenate([each.newest for each in parts]),
    )


def _lists(offsets: I64, values: pa.Array) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(offsets.astype(np.int64)), values)
