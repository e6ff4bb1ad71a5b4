"""A loop over frames as one writes it by hand: NumPy on one core, state in arrays, keys known to be small numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

BATCH, SIZE, KEYS = 1_000_000, 10_000_000, 1_000
"""Rows of a frame, microseconds of a window, keys."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def _frames(path: str) -> Iterator[dict[str, Numbers]]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH):
        time = batch.column("time").cast("int64").to_numpy()
        yield {"time": time, "key": batch.column("key").to_numpy(), "value": batch.column("value").to_numpy()}


def _windows(path: str) -> Iterator[tuple[int, Numbers, Numbers]]:
    """Each window of ten seconds when it is complete, in order: its start, sums and counts by key."""
    open_: dict[int, tuple[Numbers, Numbers]] = {}
    latest = 0

    def complete(bound: int) -> Iterator[tuple[int, Numbers, Numbers]]:
        for start in sorted(start for start in open_ if start + SIZE <= bound):
            yield start, *open_.pop(start)

    for frame in _frames(path):
        window = frame["time"] // SIZE
        first = int(window.min())
        code = (window - first) * KEYS + frame["key"]
        size = (int(window.max()) - first + 1) * KEYS
        count = np.bincount(code, minlength=size)
        total = np.bincount(code, weights=frame["value"], minlength=size).astype(np.int64)
        for number in range(size // KEYS):
            part = slice(number * KEYS, (number + 1) * KEYS)
            start = (first + number) * SIZE
            if start in open_:
                open_[start][0][:] += total[part]
                open_[start][1][:] += count[part]
            else:
                open_[start] = total[part], count[part]
        latest = max(latest, int(frame["time"].max()))
        yield from complete(latest - 5_000_000)
    yield from complete(2**62)


def w1(given: Given) -> Columns:
    """Sums and counts into one array a frame, added to those of the windows that are open; complete ones leave."""
    parts: dict[str, list[Numbers]] = {"start": [], "key": [], "total": [], "rows": []}
    with given.measure():
        for start, total, count in _windows(given.path("w1")):
            held = np.flatnonzero(count)
            for name, part in zip(parts, (np.full(len(held), start), held, total[held], count[held]), strict=True):
                parts[name].append(part)
        results = {name: np.concatenate(each) for name, each in parts.items()}
    return results


def w2(given: Given) -> Columns:
    """The last six of W1's windows, added, and the largest score of their keys."""
    ends: list[int] = []
    scores: list[int] = []
    with given.measure():
        nothing = np.zeros(KEYS, np.int64)
        last = [(nothing, nothing)] * 6
        start = 0

        def slide(start: int, total: Numbers, count: Numbers) -> None:
            last[:] = [*last[1:], (total, count)]
            totals, counts = np.sum([each for each, _ in last], axis=0), np.sum([each for _, each in last], axis=0)
            held = np.flatnonzero(counts)
            if len(held):
                ends.append(start + SIZE)
                scores.append(int((totals[held] * 1000 + held).max()))

        for new, total, count in _windows(given.path("w1")):
            while start and start + SIZE < new:  # windows without a row
                start += SIZE
                slide(start, nothing, nothing)
            start = new
            slide(start, total, count)
        for number in range(1, 6):
            slide(start + number * SIZE, nothing, nothing)
    return {"end": ends, "score": scores}


def w3(given: Given) -> Columns:
    """All rows sorted by key and time, cut where ten seconds are between two."""
    with given.measure():
        frames = list(_frames(given.path("sessions")))
        key, time, value = (np.concatenate([frame[name] for frame in frames]) for name in ("key", "time", "value"))
        order = np.argsort((key << 40) + (time - time.min()))
        key, time, value = key[order], time[order], value[order]
        first = np.flatnonzero(np.concatenate([[True], (np.diff(time) >= SIZE) | (np.diff(key) != 0)]))
        total = np.add.reduceat(value, first)
        rows = np.diff(np.append(first, len(key)))
    return {"key": key[first], "start": time[first], "total": total, "rows": rows}


def w4(given: Given) -> Columns:
    """A mask and an expression a frame."""
    parts: list[list[Numbers]] = []
    with given.measure():
        for frame in _frames(given.path("w1")):
            kept = frame["value"] >= 500
            key = frame["key"][kept]
            parts.append([key, frame["time"][kept], frame["value"][kept] * 3 + key])
        results = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return dict(zip(("key", "time", "score"), results, strict=True))
