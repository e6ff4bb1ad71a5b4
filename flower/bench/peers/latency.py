"""Bytewax's latency: the rows of `flower.bench.own.latency`, as it is meant to be used for them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

SECONDS, RATE = 6, 1_000
WINDOW_US = 100_000
BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


def _run(build: Any) -> list[tuple[float, Any]]:
    """What reaches the sink, and when, in microseconds after the first row was due."""
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.inputs import DynamicSource, StatelessSourcePartition
    from bytewax.outputs import DynamicSink, StatelessSinkPartition
    from bytewax.testing import run_main

    found: list[tuple[float, Any]] = []
    began: list[float] = []

    class Rows(StatelessSourcePartition):  # type: ignore[misc]
        def __init__(self) -> None:
            self.next = 0

        def next_batch(self) -> list[Any]:
            if not began:
                began.append(time.time())
            there = min(int((time.time() - began[0]) * RATE), RATE * SECONDS)
            rows = range(self.next, there)
            self.next = there
            if there >= RATE * SECONDS and not rows:
                raise StopIteration
            return [(str(row % 1_000), (BEGIN + timedelta(microseconds=row * 1_000_000 // RATE), row)) for row in rows]

        def next_awake(self) -> datetime | None:
            return datetime.fromtimestamp(began[0] + (self.next + 1) / RATE, UTC) if began else None

    class Source(DynamicSource):  # type: ignore[misc]
        def build(self, step_id: str, worker_index: int, worker_count: int) -> Any:
            return Rows()

    class Found(StatelessSinkPartition):  # type: ignore[misc]
        def write_batch(self, items: list[Any]) -> None:
            there = (time.time() - began[0]) * 1_000_000
            found.extend((there, item) for item in items)

    class Sink(DynamicSink):  # type: ignore[misc]
        def build(self, step_id: str, worker_index: int, worker_count: int) -> Any:
            return Found()

    flow = Dataflow("latency")
    op.output("out", build(op, op.input("rows", flow, Source())), Sink())
    run_main(flow)
    return found


def _clock() -> Any:
    """The watermark is the newest row's time, as Flower's is. By itself it would also move with the system's time, and
    as these rows are of long ago every window would be asked all the time whether it is due.
    """
    from bytewax.operators.windowing import EventClock

    return EventClock(
        lambda value: value[0],
        wait_for_system_duration=timedelta(0),
        now_getter=lambda: BEGIN,
        to_system_utc=lambda time: None,
    )


def _record(given: Given, late_us: list[float]) -> None:
    import numpy as np

    half, most = np.percentile(late_us, [50, 99]) / 1000
    given.record(seconds=half / 1000, p50_ms=half, p99_ms=most)


def counted(given: Given) -> Columns:
    """Windows of each key that give what is new with each row, and once more when they are closed."""
    from bytewax.operators.windowing import TumblingWindower, WindowLogic, window

    class Each(WindowLogic):  # type: ignore[misc]
        def __init__(self) -> None:
            self.last = -1

        def on_value(self, value: tuple[datetime, int]) -> list[tuple[int, int]]:
            self.last = value[1]
            return [(value[1], 1)]

        def on_merge(self, original: Any) -> list[tuple[int, int]]:
            return []

        def on_close(self) -> list[tuple[int, int]]:
            return [(self.last, 0)]

        def snapshot(self) -> int:
            return self.last

    def build(op: Any, rows: Any) -> Any:
        windower = TumblingWindower(length=timedelta(microseconds=WINDOW_US), align_to=BEGIN)
        return window("panes", rows, _clock(), windower, lambda _: Each()).down

    found = [(there, first) for there, (_, (_, (first, rows))) in _run(build) if rows]
    due = [(row + 1) * 1_000_000 / RATE for _, row in found]
    _record(given, [there - at for (there, _), at in zip(found, due, strict=True) if at >= 1_000_000])
    return {"missing": [RATE * SECONDS - len(found)]}


def closed(given: Given) -> Columns:
    """A fold of all keys' windows, which are closed by the first row after them, then each key's by itself: what it
    keeps a key it also keeps a watermark for, and a key's own next row comes a second later.
    """
    from bytewax.operators.windowing import TumblingWindower, fold_window

    def add(held: dict[str, list[int]], value: tuple[datetime, int, str]) -> dict[str, list[int]]:
        one = held.setdefault(value[2], [value[1], 0])
        one[0] = min(one[0], value[1])
        one[1] += 1
        return held

    def merge(held: dict[str, list[int]], other: dict[str, list[int]]) -> dict[str, list[int]]:
        raise AssertionError("windows that do not merge")

    def each(item: tuple[str, tuple[int, dict[str, list[int]]]]) -> list[tuple[str, tuple[int, list[int]]]]:
        _, (window, held) = item
        return [(key, (window, one)) for key, one in held.items()]

    def build(op: Any, rows: Any) -> Any:
        windower = TumblingWindower(length=timedelta(microseconds=WINDOW_US), align_to=BEGIN)
        together = op.map("together", rows, lambda row: ("", (*row[1], row[0])))
        return op.flat_map("each", fold_window("sums", together, _clock(), windower, dict, add, merge).down, each)

    found = _run(build)
    late = []
    for there, (_, (window, _)) in found:
        due = (math.ceil((window + 1) * WINDOW_US * RATE / 1_000_000) + 1) * 1_000_000 / RATE
        if 1_000_000 <= due < SECONDS * 1_000_000:
            late.append(there - due)
    _record(given, late)
    return {"missing": [RATE * SECONDS - sum(count for _, (_, (_, (_, count))) in found)]}
