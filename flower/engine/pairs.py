"""Admitted (row, window) pairs with their rows, for steps that groups alone do not tell enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.counts import Counts
from flower.engine.groups import Groups
from flower.engine.keys import Keys
from flower.engine.runs import Run
from flower.graph.batch import Batch
from flower.model import arrays
from flower.model.arrays import Bools
from flower.model.panes import instants
from flower.model.time import I64, MIN_TIME

FINISHED = "the trigger had finished"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of a row and a window, one an entry.

    Parameters
    ----------
    batch : Batch
        The rows; ``met`` is the watermark that each met at this step.
    start, end : ndarray of int64
        The windows.
    hash, keys
        Which key (see `flower.engine.keys`).
    """

    batch: Batch
    start: I64
    end: I64
    hash: I64
    keys: Keys

    def __len__(self) -> int:
        return len(self.hash)

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return int(self.batch.rows.nbytes)

    def where(self, mask: Bools) -> Pairs:
        """The pairs where ``mask`` holds."""
        return self.at(np.flatnonzero(mask))

    def at(self, at: I64) -> Pairs:
        """The pairs at some places, in that order."""
        keys = tuple(arrays.take(key, at) for key in self.keys)
        return Pairs(self.batch.take(at), self.start[at], self.end[at], self.hash[at], keys)

    def numbered(self, groups: Groups) -> I64:
        """A number a key: of the pairs, then of the groups."""
        number = pd.factorize(np.concatenate((self.hash, groups.hash)))[0]
        for left, right in zip(self.keys, groups.keys, strict=True):
            codes = arrays.joined((left, right)).dictionary_encode(null_encoding="encode").indices
            number = _paired(number, np.asarray(codes, np.int64))
        return number

    def of(self, run: Run) -> Bools:
        """Which pairs belong to one of the groups of ``run``."""
        n = len(self)
        number = self.numbered(run.groups)
        for left, right in ((self.start, run.spread(run.start)), (self.end, run.spread(run.end))):
            number = _paired(number, pd.factorize(np.concatenate((left, right)))[0])
        return np.isin(number[:n], number[n:])

    def within(self, start: I64, end: I64, groups: Groups, reach: int = 0) -> Bools:
        """Which pairs, made ``reach`` longer, overlap a window of their key; those of a key are apart."""
        n, m = len(self), len(groups)
        key = self.numbered(groups)
        window = np.repeat([False, True], [n, m])
        # By key and start; a window that begins where a pair ends comes after it.
        order = np.lexsort((window, np.concatenate((self.end + reach, start)), key))
        place = np.maximum.accumulate(np.where(window[order], np.arange(n + m), -1))
        before = order[np.maximum(place, 0)]
        ends = np.concatenate((np.full(n, MIN_TIME), end))[before]
        found = np.empty(n + m, np.bool_)
        found[order] = (place >= 0) & (key[before] == key[order]) & (ends > np.concatenate((self.start, end))[order])
        return found[:n]


def _paired(left: I64, right: I64) -> I64:
    """One dense number for each pair."""
    width = int(right.max()) + 1 if len(right) else 1
    return np.asarray(pd.factorize(left * width + right)[0], np.int64)


def joined(pairs: Sequence[Pairs]) -> Pairs:
    """Several pairs, at least one, one after another."""
    if len(pairs) == 1:
        return pairs[0]
    return Pairs(
        Batch.concat([each.batch for each in pairs]),
        np.concatenate([each.start for each in pairs]),
        np.concatenate([each.end for each in pairs]),
        np.concatenate([each.hash for each in pairs]),
        tuple(arrays.joined(keys) for keys in zip(*(each.keys for each in pairs), strict=True)),
    )


def dropped(rows: Batch, start: I64, end: I64, reason: str, schema: pa.Schema) -> Batch:
    """Rows of pairs that are not admitted, as they go to ``stream.dropped``; ``met`` is what they met."""
    added = [
        instants(start),
        instants(end),
        pa.array([reason] * len(rows), pa.large_string()),
        pa.array(rows.met).view(pa.timestamp("us", "UTC")),
    ]
    return rows.with_rows(pa.RecordBatch.from_arrays([*rows.rows.columns, *added], schema=schema))


def refused(pairs: Pairs, schema: pa.Schema) -> tuple[Batch, Counts]:
    """Admitted pairs whose triggers had finished, as they go to ``stream.dropped``, and how that changes the counts."""
    late = int((pairs.batch.met >= pairs.end).sum())
    rows = dropped(pairs.batch, pairs.start, pairs.end, FINISHED, schema)
    return rows, Counts(late - len(pairs), -late, len(pairs))


def with_met(batch: Batch, met: I64) -> Batch:
    """The same rows, having met other watermarks."""
    return replace(batch, met=met)
