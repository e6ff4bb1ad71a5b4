"""The unit that flows between steps: named Arrow columns, with what the engine knows about each row beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.model.time import I64, MIN_TIME


def constant(value: int, length: int) -> I64:
    """``length`` times ``value`` without the memory: a read-only array of stride zero."""
    repeated: I64 = np.broadcast_to(np.int64(value), length)
    return repeated


def _select(array: I64, indices: I64, length: int) -> I64:
    if array.strides == (0,) and len(array):
        return np.broadcast_to(array[0], length)
    return array[indices]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way through a pipeline; immutable.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
        The columns that a person sees.
    time : ndarray of int64
        Event time of each row, in microseconds UTC.
    met : ndarray of int64
        The watermark that each row meets: what the rows before it in its partition had made of it.
    partition, position : ndarray of int64
        Where each row came from.
    """

    rows: pa.RecordBatch
    time: I64
    met: I64
    partition: I64
    position: I64

    def __len__(self) -> int:
        return len(self.time)

    def with_rows(self, rows: pa.RecordBatch) -> Batch:
        """The same rows with other columns."""
        return Batch(rows, self.time, self.met, self.partition, self.position)

    def filter(self, mask: np.ndarray) -> Batch:
        """The rows where ``mask`` (bool, one a row) holds."""
        if mask.all():
            return self
        return self.take(np.flatnonzero(mask))

    def take(self, indices: np.ndarray) -> Batch:
        """The rows at ``indices``, in that order; a row may be taken several times."""
        n = len(indices)
        return Batch(
            self.rows.take(pa.array(indices)),
            _select(self.time, indices, n),
            _select(self.met, indices, n),
            _select(self.partition, indices, n),
            _select(self.position, indices, n),
        )

    @staticmethod
    def empty(schema: pa.Schema) -> Batch:
        """No rows of ``schema``."""
        none = constant(MIN_TIME, 0)
        return Batch(pa.RecordBatch.from_pylist([], schema=schema), none, none, none, none)

    @staticmethod
    def concat(batches: Sequence[Batch]) -> Batch:
        """All rows of ``batches`` (at least one, all of one schema), in order."""
        if len(batches) == 1:
            return batches[0]
        return Batch(
            pa.concat_batches([b.rows for b in batches]),
            np.concatenate([b.time for b in batches]),
            np.concatenate([b.met for b in batches]),
            np.concatenate([b.partition for b in batches]),
            np.concatenate([b.position for b in batches]),
        )
