"""The rows that are measured: the same ones every time; fewer are a shorter stream of as many rows a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = 946_684_800_000_000
"""2000-01-01, in microseconds."""
DISORDER = 5_000_000
GROUP = 1_000_000
"""Rows of a row group."""


def _times(random: np.random.Generator, rows: int, rate: int, step: int) -> pa.Array:
    """Observed evenly, happened up to five seconds before, at multiples of ``step`` microseconds."""
    observed = np.arange(rows) * (1_000_000 / rate) + DISORDER
    time = START + (observed - random.uniform(0, DISORDER, rows)).astype(np.int64)
    return pa.array(time // step * step).cast(pa.timestamp("us", "UTC"))


def events(
    rows: int, *, keys: int = 1_000, rate: int = 10_000, seed: int = 1, text: bool = False, step: int = 1
) -> pa.Table:
    """Rows of a key, a time and a value: ``rate`` a second of event time, up to five seconds out of order."""
    random = np.random.default_rng(seed)
    time = _times(random, rows, rate, step)
    key = pa.array(random.integers(0, keys, rows))
    if text:
        names = pa.array([f"customer-{number:06d}" for number in range(keys)], pa.large_string())
        key = names.take(key)
    columns = {"key": key, "time": time, "value": pa.array(random.integers(0, 1_000, rows))}
    schema = pa.schema([pa.field(name, column.type, nullable=False) for name, column in columns.items()])
    return pa.table(columns, schema=schema)


NEXMARK = {"out_of_order_group_size": 1_000}
"""The events come in groups of a thousand, a tenth of a second, each in an order of its own."""


def nexmark(kind: str, events: int) -> pa.Table:
    """The rows of a kind among so many of Nexmark's events."""
    from flower.datasets.nexmark import Config, NexmarkSource
    from flower.datasets.nexmark.generator import Kind

    config = Config(events=events, **NEXMARK)
    source = NexmarkSource(config, cast("Kind", kind))
    return source.read(0, 0, source.total(0) or 0)


MAKERS: dict[str, Callable[[int], pa.Table]] = {
    "w1": lambda rows: events(rows),
    "strings": lambda rows: events(rows, text=True),
    # A key's rows are ten seconds apart on the average, as long as the gap; in milliseconds, as all systems have them.
    "sessions": lambda rows: events(rows, keys=100_000, step=1_000),
    # A row a key, window and side on the average.
    "left": lambda rows: events(rows, keys=10_000, rate=1_000, seed=2),
    "right": lambda rows: events(rows, keys=10_000, rate=1_000, seed=3),
    **{kind: partial(nexmark, kind) for kind in ("persons", "auctions", "bids")},
}


def written(name: str, rows: int, cache: Path) -> Path:
    """The file of the rows of that name, written if it is not there."""
    path = cache / f"{name}-{rows}.parquet"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".partial")
        pq.write_table(MAKERS[name](rows), unfinished, row_group_size=GROUP)
        unfinished.rename(path)
    return path
