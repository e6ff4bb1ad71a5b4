"""A job for tests of recovery, and how it is run epoch by epoch, with everything fixed that time could change."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from recovery_faults import Death, Faults

import flower as fl
from flower.engine.embedded import Driver, Options, driver_of
from flower.io import disk
from flower.testing import ManualClock

START = pd.Timestamp("2000-01-01T12:00:00Z")
ROWS = 72
EPOCH_ROWS = 12


class Append:
    """The naive control: a file to which every epoch's rows are appended when they are committed."""

    driver_local = True

    def __init__(self, path: Path) -> None:
        self.label, self._path = "naive", path
        self._rows: dict[int, list[dict[str, Any]]] = {}

    def open(self, schema: pa.Schema) -> None:
        self._rows.clear()

    def stage(self, epoch: int, attempt: int, partition: int, rows: pa.RecordBatch) -> object:
        self._rows[epoch] = rows.to_pylist()
        return epoch

    def commit(self, epoch: int, tokens: Sequence[object]) -> None:
        with open(self._path, "ab") as file:
            for row in self._rows.pop(epoch, []):
                disk.append(file, (json.dumps(row, default=str) + "\n").encode())

    def abort(self, tokens: Sequence[object]) -> None:
        self._rows.clear()

    def close(self) -> None:
        pass


class Remembers:
    """Tells of what it remembers when a key has been quiet, and every few seconds by the clock."""

    def on_rows(self, key: str, rows: pd.DataFrame, state: Any, timers: Any) -> None:
        state.n += len(rows)
        state.last = [*state.last, *rows["v"]][-3:]
        timers.quiet.set(rows["t"].max() + pd.Timedelta("4s"))
        if timers.due.time is None:
            timers.due.after("3s")

    def on_timer(self, name: str, key: str, time: pd.Timestamp, state: Any, timers: Any) -> Iterator[dict[str, Any]]:
        yield {"n": state.n, "last": f"{name} {state.last}"}
        if name == "quiet":
            del state.last


def rows_of(number: int) -> dict[str, Any]:
    """Row ``number`` of any source: disordered by up to 13 seconds, some far behind."""
    late = 40 if number % 17 == 3 else number * 7 % 13
    return {"t": START + pd.Timedelta(number - late, unit="s"), "k": "abc"[number % 3], "v": number, "x": number / 4}


def ticks(after: int) -> Iterator[list[dict[str, Any]]]:
    """The same rows at every call, behind the first ``after``, in uneven batches."""
    number = after
    while number < ROWS:
        size = 1 + number * 5 % 4
        yield [rows_of(1000 + each) for each in range(number, min(ROWS, number + size))]
        number += size


def prepare(directory: Path) -> None:
    """The files that the job reads: two partitions."""
    os.makedirs(directory, exist_ok=True)
    for part in range(2):
        table = pa.Table.from_pylist([rows_of(each) for each in range(part * ROWS, part * ROWS + ROWS - 20 * part)])
        pq.write_table(table, directory / f"{part}.parquet")


def outputs(source: Path, out: Path, *, naive: bool = False) -> list[Any]:
    """Early and late panes, sessions, dropped rows, code with timers; files, a live source, five outputs."""
    files = fl.read.parquet(source, event_time="t", watermark=fl.BoundedDisorder("5s"), partitions="files")
    schema = {"t": "datetime64[us, UTC]", "k": "str", "v": "int64", "x": "float64"}
    live = fl.read.generator(
        ticks, event_time="t", watermark=fl.BoundedDisorder("5s"), schema=schema, bounded=True
    ).assign(t=pd.col("t"))
    trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("2s"), late=fl.AfterCount(2))
    panes = (
        files.window(fl.FixedWindows("10s"), trigger=trigger, accumulation="accumulating", allowed_lateness="20s")
        .groupby("k")
        .agg(n=("v", "count"), total=("x", "sum"), last=("v", "last"))
        .named("panes")
    )
    counts = fl.AfterWatermark(early=fl.AfterCount(3), late=fl.AfterCount(1))
    sessions = (
        live.window(fl.Sessions("3s"), trigger=counts, accumulation="discarding", allowed_lateness="10s")
        .groupby("k")
        .agg(n=("v", "count"), kinds=("v", "nunique"))
        .named("sessions")
    )
    state = {"n": fl.state.Value("int64", default=0), "last": fl.state.List("int64")}
    code = (
        files.groupby("k")
        .process(
            Remembers, state=state, timers={"quiet": "event", "due": "processing"}, schema={"n": "int64", "last": "str"}
        )
        .named("code")
    )
    found = [panes.write.parquet(out / "panes"), sessions.write.json_lines(out / "sessions")]
    if naive:
        from flower.api.pipeline import Written
        from flower.graph.nodes import Write

        found.append(Written(Write(panes.node, Append(out / "naive.jsonl"))))
    return [each.node for each in (*found, panes.named("panes"), sessions.dropped.named("dropped"), code)]


def run(
    source: Path,
    out: Path,
    checkpoint: Path | None,
    *,
    naive: bool = False,
    faults: Faults | None = None,
    epoch_rows: int = EPOCH_ROWS,
    executor: Any = "embedded",
) -> Any:
    """One process: to the end, or until it dies. The driver, as it ended."""
    clock = ManualClock(START)
    options = Options.make(clock=clock, epoch_rows=epoch_rows, checkpoint=checkpoint)
    driver = driver_of(outputs(source, out, naive=naive), options, executor)
    try:
        driver.open()
        driver.read_tables()
        while not driver.finished:
            wait_for_rows(driver, faults)
            now = START + pd.Timedelta(driver.state.epoch + 1, unit="s")
            clock.set(max(now, pd.Timestamp(clock.now_us(), unit="us", tz="UTC")))
            epoch = driver.next_epoch()
            assert epoch is not None
            driver.run(epoch)
            if driver.over():
                driver.settle()
                driver.save(finished=True)
                break
    finally:
        with contextlib.suppress(Death, OSError):
            driver.close()
    return driver


def wait_for_rows(driver: Driver, faults: Faults | None) -> None:
    """Have the live source be so far ahead that the next epoch does not depend on its thread."""
    for live in driver._live:
        stage = next(index for index, read in driver.job.reads() if read.source is live)
        known = driver.state.sources[stage].positions
        wanted = (known[0] if known else 0) + driver._limit() + 1

        def there(live: Any = live, wanted: int = wanted) -> bool:
            if faults is not None and faults.dead:
                raise Death("its thread had died")
            live._append()
            if live._error is not None:  # or epochs would be smaller, which is right, and comparable to nothing
                raise live._error
            return live._over or live._writer.end >= wanted

        deadline = time.monotonic() + 30
        with live._changed:
            while not there():
                assert time.monotonic() < deadline, "the live source gives no rows"
                live._changed.wait(0.05)


def rows_in(file: Path) -> list[Any]:
    """The rows of a file."""
    return pq.read_table(file).to_pylist() if file.suffix == ".parquet" else file.read_text().splitlines()


def outcome(driver: Any, out: Path) -> dict[str, Any]:
    """All that the job gives: every visible file, row by row, in order of its epochs, and what a person sees."""
    found: dict[str, Any] = {}
    for name in ("panes", "sessions"):
        folder = out / name
        for each in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not each.name.startswith((".", "_")):
                # On Dask an epoch may have several files.
                files = sorted(each.iterdir()) if each.is_dir() else [each]
                found[f"{name} {each.name.partition('-epoch-')[2].partition('.')[0]}"] = [
                    row for file in files for row in rows_in(file)
                ]
    for port, results in driver.results.items():
        step = driver.job.plan.consumers[port].step
        found[f"panes of {step}"] = results.panes().to_dict("records")
        found[f"view of {step}"] = results.view().to_dict("records")
    return {key: [str(row) for row in rows] for key, rows in found.items()}
