"""The oracle's deduplication: every row is compared with every row that was ever given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flower.model.reference.aggregates import missing
from flower.model.reference.rows import Row, shown
from flower.model.time import MAX_TIME, MIN_TIME


class DeduplicationOracle:
    """The rows that repeat none given before.

    Parameters
    ----------
    keys : sequence of str
        Key columns; missing values are equal.
    within : int
        How many slices of event time rows of a key are apart that are still one.
    size : int
        Microseconds of a slice.
    at_end : bool
        Whether all rows come before any is given.
    """

    def __init__(self, keys: Sequence[str], within: int, size: int = 1, *, at_end: bool) -> None:
        self.keys, self.within, self.size, self.at_end = tuple(keys), within, size, at_end
        self.watermark = MIN_TIME
        """Of the output, after the last epoch."""
        self._given: list[Row] = []
        self._waiting: list[Row] = []

    def epoch(self, rows: Sequence[Row], w1: int) -> tuple[list[Row], list[dict[str, Any]]]:
        """Rows, each with the watermark it meets, and the step's watermark after them: what is given, and dropped."""
        dropped = []
        for row in rows:
            if row.met > row.time:
                why = {"reason": "the row came after the watermark", "watermark": shown(row.met)}
                taken = {f"input_{name}" if name in why else name: value for name, value in row.values.items()}
                dropped.append(taken | why)
            else:
                self._waiting.append(row)
        first = []
        if not self.at_end or w1 == MAX_TIME:
            for row in sorted(self._waiting, key=lambda row: (row.time, row.partition, row.position)):
                if not any(self._repeats(row, other) for other in self._given):
                    self._given.append(row)
                    first.append(row)
            self._waiting = []
        self.watermark = max(self.watermark, w1)
        return first, dropped

    def _repeats(self, row: Row, other: Row) -> bool:
        return abs(row.time // self.size - other.time // self.size) <= self.within and all(
            (missing(row.values[key]) and missing(other.values[key])) or row.values[key] == other.values[key]
            for key in self.keys
        )
