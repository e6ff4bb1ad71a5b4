"""Rows that appear at a steady rate: something to look at without any data."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.errors import SourceError
from flower.model.arrays import arrow
from flower.model.time import instant_us

_COLUMNS = [
    pa.field("time", pa.timestamp("us", "UTC")),
    pa.field("value", pa.int64(), nullable=False),
    pa.field("key", pa.int64(), nullable=False),
]


class RateSource:
    """Row ``i`` has ``time`` = start + i / rate and ``value`` = i; it appears (i + 1) / rate after the run has begun.

    Parameters
    ----------
    rows_per_second : int or float
        Positive.
    start : str, datetime or pandas.Timestamp, optional
        The time of the first row; default: now, in whole seconds.
    keys : int, optional
        Adds a column ``key`` that goes round through ``0 .. keys - 1``.
    rows : int, optional
        How many rows there are; default: no end.

    Raises
    ------
    SourceError
        If a number is not positive.

    Examples
    --------
    >>> source = RateSource(2, start="2000-01-01T00:00:00Z", keys=2)
    >>> source.latest(0, 0, 1000, elapsed_us=1_500_000)
    3
    >>> source.read(0, 1, 3).to_pandas()
                               time  value  key
    0 2000-01-01 00:00:00.500+00:00      1    1
    1 2000-01-01 00:00:01.000+00:00      2    0
    """

    def __init__(
        self, rows_per_second: float, *, start: object = None, keys: int | None = None, rows: int | None = None
    ) -> None:
        numbers = {"rows_per_second": rows_per_second, "keys": keys, "rows": rows}
        for name, number in numbers.items():
            allowed = (int, float) if name == "rows_per_second" else (int,)
            if number is None and name != "rows_per_second":
                continue
            if isinstance(number, bool) or not isinstance(number, allowed) or not 0 < number <= 1e9:
                kind = "a number" if name == "rows_per_second" else "a whole number"
                raise SourceError(f"rate: `{name}` must be {kind} above 0, at most a billion", got=repr(number))
        first = pd.Timestamp.now("UTC").floor("s") if start is None else start
        self._rate, self._keys, self._rows = rows_per_second, keys, rows
        self._start = instant_us(first, "start")
        self.schema: pa.Schema = pa.schema(_COLUMNS if keys is not None else _COLUMNS[:2])
        self.bounded = rows is not None
        self.paced = True
        self.label = f"rate of {rows_per_second:g} rows per second"

    def __repr__(self) -> str:
        return self.label

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """As many rows as the elapsed time is worth."""
        there = int(elapsed_us * self._rate // 1_000_000)
        if self._rows is not None:
            there = min(there, self._rows)
        return max(position, min(there, position + limit_rows))

    def due(self, partition: int, position: int) -> int | None:
        """When the row at ``position`` appears."""
        if self._rows is not None and position >= self._rows:
            return None
        return math.ceil((position + 1) * 1_000_000 / self._rate)

    def waiting(self, partition: int, position: int, elapsed_us: int) -> int:
        """Rows that the time is worth already."""
        return self.latest(partition, position, 2**62, elapsed_us) - position

    def total(self, partition: int) -> int | None:
        """All rows."""
        return self._rows

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range, computed."""
        value = np.arange(start, end)
        if isinstance(self._rate, int):
            # whole seconds and the rest apart, so that nothing overflows or is rounded
            after = value // self._rate * 1_000_000 + value % self._rate * 1_000_000 // self._rate
        else:
            after = np.floor(value * (1_000_000 / self._rate)).astype(np.int64)
        values = [self._start + after, value]
        if self._keys is not None:
            values.append(value % self._keys)
        made = [arrow(column, field.type) for column, field in zip(values, self.schema, strict=True)]
        table = pa.Table.from_arrays(made, schema=self.schema)
        return table if columns is None else table.select(list(columns))

    def ended(self, partition: int, position: int) -> bool:
        """Whether ``rows`` rows are before ``position``."""
        return self._rows is not None and position >= self._rows
