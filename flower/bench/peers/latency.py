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


def _record(given: Given, late_us: list[float]) -> None:
    import numpy as np

    half, most = np.percentile(late_us, [50, 99]) / 1000
    given.record(seconds=half / 1000, p50_ms=half, p99_ms=most)


def counted(given: Given) -> Columns:
    """A running count of each key and window: a result for each row."""

    def build(op: Any, rows: Any) -> Any:
        def count(held: dict[int, int] | None, value: tuple[datetime, int]) -> tuple[dict[int, int], int]:
            held = held or {}
            window = value[1] * (1_000_000 // RATE) // WINDOW_US
            held = {window: held.get(window, 0) + 1}
            return held, value[1]

        return op.stateful_map("counts", rows, count)

    found = _run(build)
    late = [there - (row + 1) * 1_000_000 / RATE for there, (_, row) in found]
    _record(given, [each for each, (_, (_, row)) in zip(late, found, strict=True) if row >= RATE])
    return {"missing": [RATE * SECONDS - len(found)]}


def closed(given: Given) -> Columns:
    """A fold of each key's windows, which are closed by the first row after them."""
    from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window

    def build(op: Any, rows: Any) -> Any:
        clock = EventClock(lambda value: value[0], wait_for_system_duration=timedelta(0))
        windower = TumblingWindower(length=timedelta(microseconds=WINDOW_US), align_to=BEGIN)
        return fold_window(
            "sums", rows, clock, windower, lambda: 0, lambda held, value: held + 1, lambda one, other: one + other
        ).down

    found = _run(build)
    late = []
    for there, (_, (window, _)) in found:
        due = (math.ceil((window + 1) * WINDOW_US * RATE / 1_000_000) + 1) * 1_000_000 / RATE
        if 1_000_000 <= due < SECONDS * 1_000_000:
            late.append(there - due)
    _record(given, late)
    return {"missing": [RATE * SECONDS - sum(count for _, (_, (_, count)) in found)]}
