"""``make soak``: W1 without end at full speed for minutes, and whether memory stays flat meanwhile."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import flower as fl
from flower.api.sourced import stream_of
from flower.bench.command import cache_directory
from flower.bench.data import written
from flower.graph.nodes import Read
from flower.graph.protocols import Source

ROWS, LAP_US = 1_000_000, 100_000_000
"""Rows of W1 that are read again and again, and the event time that they take."""
WARM = 0.25
"""The part of the minutes in which memory may settle."""
FLAT = 0.05
"""What memory may change from then on, of what it is."""


class Endless:
    """The rows of a file over and over, each time later.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"time": pd.to_datetime([0, 1], unit="s", utc=True), "v": [1, 2]})
    >>> source = Endless(fl.read.frame(frame, event_time="time").node.source, 2, 10_000_000)
    >>> source.latest(0, 0, 100, 0), source.latest(0, 2, 100, 0)
    (2, 4)
    >>> source.read(0, 2, 4).to_pandas()["time"].dt.second.tolist()
    [10, 11]
    """

    bounded = False
    label = "W1 without end"

    def __init__(self, source: Source, rows: int, lap_us: int) -> None:
        self._source, self._rows, self._lap_us = source, rows, lap_us
        self.schema = source.schema

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """As many as are asked for, up to the end of a lap."""
        return min(position + limit_rows, position - position % self._rows + self._rows)

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """Rows of one lap."""
        lap, low = divmod(start, self._rows)
        table = self._source.read(0, low, low + end - start, columns)
        at = table.schema.get_field_index("time")
        field = table.schema.field(at)
        time = np.asarray(table.column(at).cast(pa.int64())) + lap * self._lap_us
        return table.set_column(at, field, pa.array(time).cast(field.type))

    def ended(self, partition: int, position: int) -> bool:
        """Never."""
        return False


def resident_mb() -> float:
    """Memory of this process that is in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes of all pairs (Theil, 1950; Sen, 1968): a quarter of the values may be anything.

    Examples
    --------
    >>> slope([0, 1, 2, 3, 4, 5], [5, 6, 7, 100, 9, 10])
    1.0
    """
    x, y = np.asarray(times, float), np.asarray(values, float)
    i, j = np.triu_indices(len(x), 1)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i])))


def flat(what: str, times: Sequence[float], megabytes: Sequence[float]) -> tuple[bool, str]:
    """Whether memory stayed what it was, and a sentence that says so.

    Examples
    --------
    >>> flat("kernel", [0, 60, 120], [100, 103, 101])
    (True, 'kernel: 101 MB; in 2.0 minutes it changed by +1.0 MB: flat (limit 5%)')
    """
    typical = float(np.median(megabytes))
    drift = slope(times, megabytes) * (times[-1] - times[0])
    kept = abs(drift) <= FLAT * typical
    said = f"in {(times[-1] - times[0]) / 60:.1f} minutes it changed by {drift:+.1f} MB"
    return kept, f"{what}: {typical:,.0f} MB; {said}: {'flat' if kept else 'NOT flat'} (limit {FLAT:.0%})"


def soak(minutes: float, cache: Path, say: Any = print) -> bool:
    """Run for minutes, print the figures, and tell whether memory was flat."""
    read = fl.read.parquet(str(written("w1", ROWS, cache)), event_time="time").node
    assert isinstance(read, Read)
    rows = stream_of(Endless(read.source, ROWS, LAP_US), "time", "UTC", None, fl.BoundedDisorder("5s"))
    panes = rows.window(fl.FixedWindows("10s")).groupby("key").agg(total=("value", "sum"), rows=("value", "count"))
    began, warm = time.monotonic(), WARM * 60 * minutes
    # A few hundred points: their pairs are what the slope is made of.
    every = max(0.05, 60 * minutes / 400)
    times, values = [], []
    run = panes.run()
    try:
        while (now := time.monotonic() - began) < 60 * minutes and run.state == "running":
            if now >= warm:
                times.append(now)
                values.append(resident_mb())
            time.sleep(every)
    finally:
        run.stop()
    if run.error is not None:
        raise run.error
    rate = run.metrics.rows_in / (time.monotonic() - began)
    kept, said = flat(f"W1 for {minutes:g} minutes, {run.metrics.rows_in:,} rows ({rate:,.0f} rows/s)", times, values)
    say(said)
    return kept


def main() -> int:
    """Soak; 1 if memory was not flat."""
    parser = argparse.ArgumentParser(prog="python -m flower.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cache", type=Path, default=cache_directory())
    options = parser.parse_args()
    return 0 if soak(options.minutes, options.cache) else 1


if __name__ == "__main__":
    sys.exit(main())
