"""Bytewax: rows of Python through its operators, in one worker. What is left of each window is taken from its sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = 1_000


def _rows(path: str) -> Iterator[tuple[str, tuple[datetime, int]]]:
    """The rows by key as text, which is what it groups by."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(100_000):
        keys = batch.column("key").cast("string").to_pylist()
        # It takes no time zone but `datetime.timezone.utc`.
        times = [time.replace(tzinfo=UTC) for time in batch.column("time").cast(pa.timestamp("us")).to_pylist()]
        yield from zip(keys, zip(times, batch.column("value").to_pylist(), strict=True), strict=True)


def _us(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def _run(given: Given, build: Callable[[Any, Callable[[str], Any], Any], Any], seconds: int = 5) -> list[Any]:
    """Run what is built of a dataflow, its sources and its clock; the rows that reach the sink."""
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.operators.windowing import EventClock
    from bytewax.testing import TestingSink, TestingSource, run_main

    found: list[Any] = []
    flow = Dataflow("work")
    # Its watermark also moves with the system's time, by which rows would be late on a busy machine: that stands still.
    wait = timedelta(seconds=seconds)
    clock = EventClock(lambda value: value[0], wait_for_system_duration=wait, now_getter=lambda: EPOCH)

    def source(name: str) -> Any:
        return op.input(name, flow, TestingSource(_rows(given.path(name)), batch_size=BATCH))

    op.output("out", build(op, source, clock), TestingSink(found))
    with given.measure():
        run_main(flow)
    return found


def _folded(given: Given, data: str, windower: Any) -> list[Any]:
    from bytewax.operators.windowing import fold_window

    def build(op: Any, source: Callable[[str], Any], clock: Any) -> Any:
        def add(held: list[int], value: tuple[datetime, int]) -> list[int]:
            held[0] += value[1]
            held[1] += 1
            return held

        def merge(held: list[int], other: list[int]) -> list[int]:
            return [held[0] + other[0], held[1] + other[1]]

        windows = fold_window("sums", source(data), clock, windower, lambda: [0, 0], add, merge)
        return windows.down

    return _run(given, build)


def w1(given: Given) -> Columns:
    """A fold of each key's windows."""
    from bytewax.operators.windowing import TumblingWindower

    rows = _folded(given, "w1", TumblingWindower(length=timedelta(seconds=10), align_to=EPOCH))
    return {
        "key": [int(key) for key, _ in rows],
        "start": [number * 10_000_000 for _, (number, _) in rows],
        "total": [total for _, (_, (total, _)) in rows],
        "rows": [count for _, (_, (_, count)) in rows],
    }


def w2(given: Given) -> Columns:
    """A fold of each key's sliding windows; the largest of each is looked for afterwards and does not count."""
    from bytewax.operators.windowing import SlidingWindower

    windower = SlidingWindower(length=timedelta(seconds=60), offset=timedelta(seconds=10), align_to=EPOCH)
    best: dict[int, int] = {}
    for key, (number, (total, _)) in _folded(given, "w1", windower):
        best[number] = max(best.get(number, 0), total * 1000 + int(key))
    return {"end": [number * 10_000_000 + 60_000_000 for number in best], "score": list(best.values())}


def w3(given: Given) -> Columns:
    """A fold of each key's sessions. Rows as far apart as the gap are in one, so it is a millisecond less."""
    from bytewax.operators.windowing import SessionWindower, fold_window

    def build(op: Any, source: Callable[[str], Any], clock: Any) -> Any:
        def add(held: list[Any], value: tuple[datetime, int]) -> list[Any]:
            return [min(held[0], value[0]), held[1] + value[1], held[2] + 1]

        def merge(held: list[Any], other: list[Any]) -> list[Any]:
            return [min(held[0], other[0]), held[1] + other[1], held[2] + other[2]]

        first = [datetime.max.replace(tzinfo=UTC), 0, 0]
        windower = SessionWindower(gap=timedelta(seconds=9.999))
        return fold_window("sums", source("sessions"), clock, windower, lambda: first, add, merge).down

    rows = _run(given, build)
    return {
        "key": [int(key) for key, _ in rows],
        "start": [_us(first) for _, (_, (first, _, _)) in rows],
        "total": [total for _, (_, (_, total, _)) in rows],
        "rows": [count for _, (_, (_, _, count)) in rows],
    }


def w4(given: Given) -> Columns:
    """A filter and a map."""

    def build(op: Any, source: Callable[[str], Any], clock: Any) -> Any:
        kept = op.filter("kept", source("w1"), lambda row: row[1][1] >= 500)
        return op.map("score", kept, lambda row: (int(row[0]), row[1][0], row[1][1] * 3 + int(row[0])))

    rows = _run(given, build)
    return {
        "key": [key for key, _, _ in rows],
        "time": [_us(time) for _, time, _ in rows],
        "score": [score for _, _, score in rows],
    }


def w5(given: Given) -> Columns:
    """A join in windows; its pairs are summed afterwards, which does not count."""
    from bytewax.operators.windowing import TumblingWindower, join_window

    def build(op: Any, source: Callable[[str], Any], clock: Any) -> Any:
        windower = TumblingWindower(length=timedelta(seconds=10), align_to=EPOCH)
        sides = (source("left"), source("right"))
        return join_window("pairs", clock, windower, *sides, insert_mode="product", emit_mode="final").down

    sums: dict[tuple[int, int], list[int]] = {}
    # A key's watermark is that of its newest row of either side, and a batch of one is read before one of the other.
    for key, (number, (left, right)) in _run(given, build, seconds=8):
        if left is not None and right is not None:
            held = sums.setdefault((int(key), number * 10_000_000), [0, 0])
            held[0] += left[1] + right[1]
            held[1] += 1
    return {
        "key": [key for key, _ in sums],
        "start": [start for _, start in sums],
        "total": [total for total, _ in sums.values()],
        "rows": [count for _, count in sums.values()],
    }
