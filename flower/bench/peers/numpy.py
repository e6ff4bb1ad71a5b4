"""A loop over frames as one writes it by hand: NumPy on one core, state in arrays, keys known to be small numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

BATCH, SIZE, KEYS = 1_000_000, 10_000_000, 1_000
"""Rows of a frame, microseconds of a window, keys."""


def w1(given: Given) -> Columns:
    """Sums and counts into one array a frame, added to those of the windows that are open; complete ones leave."""
    import numpy as np
    import pyarrow.parquet as pq

    starts, keys, totals, counts = [], [], [], []

    def fire(bound: int) -> None:
        """Take out the windows that end at the bound or before."""
        for start in [start for start in open_ if start + SIZE <= bound]:
            total, count = open_.pop(start)
            held = np.flatnonzero(count)
            starts.append(np.full(len(held), start))
            keys.append(held)
            totals.append(total[held])
            counts.append(count[held])

    with given.measure():
        open_: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        latest = 0
        for batch in pq.ParquetFile(given.path("w1")).iter_batches(BATCH):
            time = batch.column("time").cast("int64").to_numpy()
            window = time // SIZE
            first = int(window.min())
            code = (window - first) * KEYS + batch.column("key").to_numpy()
            size = (int(window.max()) - first + 1) * KEYS
            count = np.bincount(code, minlength=size)
            total = np.bincount(code, weights=batch.column("value").to_numpy(), minlength=size).astype(np.int64)
            for number in range(size // KEYS):
                part = slice(number * KEYS, (number + 1) * KEYS)
                start = (first + number) * SIZE
                if start in open_:
                    open_[start][0][:] += total[part]
                    open_[start][1][:] += count[part]
                else:
                    open_[start] = total[part], count[part]
            latest = max(latest, int(time.max()))
            fire(latest - 5_000_000)
        fire(2**62)
        columns = {"start": starts, "key": keys, "total": totals, "rows": counts}
        results = {name: np.concatenate(parts) for name, parts in columns.items()}
    return results
