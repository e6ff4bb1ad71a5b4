"""How long a pane takes: from the earliest moment that the watermark and the trigger allow to a function of the user's.

Rows come at a rate, each at a moment known before. With ``AfterCount(1)`` a pane may fire when its first row has come,
with the default trigger when the first row at or after the window's end has. The first second does not count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from flower.engine.clock import SystemClock

if TYPE_CHECKING:
    import pandas as pd

    from flower.bench.child import Columns, Given

SECONDS, RATE = 6, 1_000
WINDOW_US = 100_000
START = "2000-01-01T00:00:00Z"


class Started(SystemClock):
    """A clock that knows when it was first asked: a run's start."""

    first = 0

    def now_us(self) -> int:
        """The system's time."""
        now = super().now_us()
        self.first = self.first or now
        return now


@contextmanager
def _cell(busy: bool) -> Iterator[None]:
    """A notebook's cell that computes in pure Python meanwhile, or none."""
    over = threading.Event()

    def compute() -> None:
        number = 1
        while not over.is_set():
            for _ in range(10_000):
                number = number * 48_271 % 2_147_483_647

    thread = threading.Thread(target=compute, daemon=True)
    if busy:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if busy:
            thread.join()


def _panes(rate: int, trigger: Any, busy: bool, **window: Any) -> pd.DataFrame:
    """All panes and when each was there, in microseconds after the run's start; ``end`` is in those since 1970."""
    import pandas as pd

    import flower as fl

    found: list[tuple[int, Any, Any, Any]] = []
    clock = Started()

    def take(frame: pd.DataFrame) -> None:
        # As arrays: thousands of frames would keep Python's garbage collector busy, which is not what is measured.
        there = time.time_ns() // 1000 - clock.first
        end = frame["window_end"].to_numpy("datetime64[us]").view(np.int64)
        found.append((there, frame["first"].to_numpy(), frame["rows"].to_numpy(), end))

    rows = fl.read.rate(rate, start=START, keys=min(rate, 1_000), rows=rate * SECONDS)
    panes = (
        rows.window(fl.FixedWindows("100ms"), trigger=trigger, **window)
        .groupby("key")
        .agg(first=("value", "min"), rows=("value", "count"))
    )
    with _cell(busy):
        panes.write.foreach(take).run(clock=clock).wait(progress=False)
    there = np.repeat([at for at, *_ in found], [len(end) for *_, end in found])
    columns = (np.concatenate(parts) for parts in list(zip(*found, strict=True))[1:])
    return pd.DataFrame(dict(zip(("there", "first", "rows", "end"), (there, *columns), strict=True)))


def _record(given: Given, late_us: Any) -> None:
    half, most = np.percentile(late_us, [50, 99]) / 1000
    given.record(seconds=half / 1000, p50_ms=half, p99_ms=most)


def _counted(given: Given, rate: int, *, busy: bool = False) -> Columns:
    import flower as fl

    trigger = fl.AfterWatermark(early=fl.AfterCount(1))
    panes = _panes(rate, trigger, busy, accumulation="discarding")
    panes = panes[panes["rows"] > 0]
    due = (panes["first"] + 1) * (1_000_000 / rate)  # a row is there when its share of a second is over
    _record(given, (panes["there"] - due)[due >= 1_000_000])
    return {"missing": [rate * SECONDS - panes["rows"].sum()]}


def _closed(given: Given, rate: int, *, busy: bool = False) -> Columns:
    import pandas as pd

    import flower as fl

    panes = _panes(rate, fl.AfterWatermark(), busy)
    end = panes["end"] - pd.Timestamp(START).value // 1000
    due = (np.ceil(end * rate / 1_000_000) + 1) * (1_000_000 / rate)
    # The last windows close because the input has ended, before a row comes that would close them.
    counts = (due >= 1_000_000) & (due < SECONDS * 1_000_000)
    _record(given, (panes["there"] - due)[counts])
    return {"missing": [rate * SECONDS - panes["rows"].sum()]}


def counted(given: Given) -> Columns:
    """A pane for each row, ``variant`` rows a second."""
    return _counted(given, int(given.variant or RATE))


def counted_busy(given: Given) -> Columns:
    """The same while a cell computes."""
    return _counted(given, int(given.variant or RATE), busy=True)


def closed(given: Given) -> Columns:
    """A pane a key and window."""
    return _closed(given, int(given.variant or RATE))


def closed_busy(given: Given) -> Columns:
    """The same while a cell computes."""
    return _closed(given, int(given.variant or RATE), busy=True)
