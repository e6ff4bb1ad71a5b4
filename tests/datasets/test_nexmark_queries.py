"""Each query of Nexmark gives the answer that plain pandas gives, however its rows come."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nexmark_answers
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recovery_faults import Death, Faults
from scripted import examples

import flower as fl
from flower.datasets import nexmark
from flower.engine import dask_driver, recovery
from flower.engine.embedded import Driver, Options, driver_of
from flower.testing import ManualClock

OPTIONS: dict[str, Any] = {"events": 3000, "rate": 100, "in_flight_auctions": 20, "seed": 3}
"""Thirty seconds, with auctions of a few."""
DISORDER = "3s"
START = pd.Timestamp("2020-01-01T00:00:04Z")
TICK = pd.Timedelta("1500ms")

by_event_time = pytest.mark.parametrize("number", [n for n in nexmark.QUERIES if n != 12])
every = pytest.mark.parametrize("number", list(nexmark.QUERIES))


@cache
def frames_of(coarse: bool = False) -> nexmark.Frames:
    """The events; coarse: with prices of which many are the same."""
    frames = nexmark.frames(**OPTIONS)
    if coarse:
        price = 10 ** np.log10(frames.bids["price"]).astype("int64")
        frames = frames._replace(bids=frames.bids.assign(price=price))
    return frames


@cache
def answer(number: int, coarse: bool = False) -> pd.DataFrame:
    rows: pd.DataFrame = getattr(nexmark_answers, f"answer_{number}")(frames_of(coarse))
    return rows


def sorted_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(list(frame.columns), ignore_index=True)


def same(got: pd.DataFrame, wanted: pd.DataFrame) -> None:
    assert list(got.columns) == list(wanted.columns)
    assert len(wanted), "an answer without rows shows nothing"
    pd.testing.assert_frame_equal(sorted_rows(got), sorted_rows(wanted), check_dtype=False, rtol=1e-12)


def shuffled(frames: nexmark.Frames, seed: int) -> nexmark.Frames:
    """The rows in an order in which none is further behind than `DISORDER`."""
    random = np.random.default_rng(seed)

    def late(frame: pd.DataFrame) -> pd.DataFrame:
        delay = pd.to_timedelta(random.uniform(0, pd.Timedelta(DISORDER).value, len(frame)))
        return frame.iloc[np.argsort(frame["date_time"] + delay)].reset_index(drop=True)

    return nexmark.Frames(*map(late, frames))


def streams_of(frames: nexmark.Frames) -> nexmark.Streams:
    policy = fl.BoundedDisorder(DISORDER)
    return nexmark.Streams(*(fl.read.frame(each, event_time="date_time", watermark=policy) for each in frames))


def played(stream: Any, executor: Any = "embedded", **options: Any) -> Driver:
    """Run it epoch by epoch, the clock going on by `TICK`."""
    clock = ManualClock(START)
    driver = driver_of([stream.node], Options.make(clock=clock, **options), executor)
    try:
        driver.open()
        driver.read_tables()
        while not driver.finished:
            clock.set(START + driver.state.epoch * TICK)
            epoch = driver.next_epoch()
            assert epoch is not None
            driver.run(epoch)
            if driver.over():
                driver.settle()
                driver.save(finished=True)
                break
    finally:
        with contextlib.suppress(Death):
            driver.close()
    return driver


def came_in_epochs(frames: nexmark.Frames, rows: int) -> pd.DataFrame:
    """The answer to query 12, if so many bids come in every epoch of `played`."""
    came = pd.Series(START + np.arange(len(frames.bids)) // rows * TICK)
    return nexmark_answers.answer_12(frames, came)


def rows_of(driver: Driver) -> pd.DataFrame:
    (results,) = driver.results.values()
    rows: pd.DataFrame = results.view()
    return rows


@by_event_time
def test_a_query_of_all_rows_is_the_plain_answer(number):
    same(nexmark.QUERIES[number](nexmark.streams(**OPTIONS)).collect(), answer(number))


@by_event_time
@examples(5)
@given(order=st.integers(0, 2**32), epoch_rows=st.sampled_from([50, 64, 500, 5000]), coarse=st.booleans())
def test_the_answer_is_that_of_any_order_of_arrival_in_epochs_of_any_size(number, order, epoch_rows, coarse):
    stream = nexmark.QUERIES[number](streams_of(shuffled(frames_of(coarse), order)))
    same(rows_of(played(stream, epoch_rows=epoch_rows)), answer(number, coarse))


@examples(5)
@given(order=st.integers(0, 2**32), epoch_rows=st.sampled_from([64, 100, 500]))
def test_bids_are_in_the_window_of_the_clock_when_they_came(order, epoch_rows):
    mixed = shuffled(frames_of(), order)
    stream = nexmark.query_12(streams_of(mixed))
    same(rows_of(played(stream, epoch_rows=epoch_rows)), came_in_epochs(mixed, epoch_rows))


@pytest.mark.slow
def test_bids_are_in_the_window_of_the_clock_on_a_cluster_too(client):
    clock = ManualClock(START)
    run = nexmark.query_12(streams_of(frames_of())).run(client, clock=clock, epoch_rows=300).pause()
    while run.state == "paused":
        clock.set(START + run.metrics.epochs * TICK)
        run.step()
    same(run.wait().results, came_in_epochs(frames_of(), 300))


@pytest.mark.parametrize("number", [n for n in nexmark.QUERIES if n not in (12, 13)])
def test_a_query_leaves_as_a_script(number, tmp_path):
    stream = nexmark.QUERIES[number](nexmark.streams(**OPTIONS))
    stream.to_script(tmp_path / "script.py")
    names: dict[str, Any] = {"__name__": "script"}
    exec(compile((tmp_path / "script.py").read_text(), "script.py", "exec"), names)
    pd.testing.assert_frame_equal(names["pipeline"]().collect(), stream.collect())


@pytest.mark.slow
@by_event_time
def test_the_answer_on_a_cluster_is_the_same(number, client):
    stream = nexmark.QUERIES[number](nexmark.streams(**OPTIONS, partitions=2, out_of_order_group_size=150))
    same(stream.collect(executor=client), answer(number))
    mixed = nexmark.QUERIES[number](streams_of(shuffled(frames_of(coarse=True), number)))
    same(mixed.run(client, epoch_rows=400, latency="1ms").wait(timeout=120).results, answer(number, coarse=True))


@every
def test_a_query_can_be_asked_of_events_without_an_end(number):
    stream = nexmark.QUERIES[number](nexmark.streams(events=None, rate=100, out_of_order_group_size=50))
    clock = ManualClock(START)
    driver = Driver([stream.node], Options.make(clock=clock, epoch_rows=460))
    try:
        driver.read_tables()
        driver.open()
        for _ in range(10):
            clock.set(START + driver.state.epoch * TICK)
            driver.run(driver.next_epoch())
        assert not driver.over()
        assert len(rows_of(driver))
    finally:
        driver.close()


@pytest.fixture
def often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "EPOCHS", 2)
        patch.setattr(recovery, "SECONDS", float("inf"))
        patch.setattr(recovery, "SHARE", 1e9)
        yield


@pytest.mark.slow
@every
def test_a_query_that_is_killed_and_goes_on_gives_every_row_once(number, tmp_path, often):
    streams = nexmark.streams(**OPTIONS, out_of_order_group_size=150)

    def run(name: str, faults: Faults) -> Path:
        out = tmp_path / name
        with faults.at_work():
            played(nexmark.QUERIES[number](streams).write.parquet(out / "rows"), epoch_rows=300, checkpoint=out / "c")
        return out

    def written(out: Path) -> pd.DataFrame:
        parts = [pq.read_table(each) for each in sorted((out / "rows").glob("[!._]*.parquet"))]
        return pd.concat([part.to_pandas() for part in parts], ignore_index=True)

    steps = Faults()
    whole = written(run("whole", steps))
    wanted = (
        came_in_epochs(nexmark.frames(**OPTIONS, out_of_order_group_size=150), 276) if number == 12 else answer(number)
    )
    same(whole[list(wanted.columns)], wanted)
    for at in range(5, steps.count, steps.count // 4):
        for kind in ("die before", "die after"):
            faults = Faults(at, kind)
            with pytest.raises(Death):
                run(f"{kind} {at}", faults)
            assert faults.fired
            pd.testing.assert_frame_equal(written(run(f"{kind} {at}", Faults())), whole)


@pytest.mark.slow
@every
def test_a_query_on_a_cluster_that_is_killed_goes_on_there_or_in_this_process(number, tmp_path, client, monkeypatch):
    """The driver is dead before it has committed an epoch, with a checkpoint some epochs before."""
    monkeypatch.setattr(dask_driver, "SAVE_EPOCHS", 2)
    streams = nexmark.streams(**OPTIONS, out_of_order_group_size=150)
    real = recovery.Recovery.commit

    def commit(self: Any, job: Any, epoch: Any, staged: Any) -> None:
        if epoch.epoch == 6:
            raise Death
        real(self, job, epoch, staged)

    def run(name: str, executor: Any) -> pd.DataFrame:
        query, out = nexmark.QUERIES[number](streams), tmp_path / name
        played(query.write.parquet(out / "rows"), executor, epoch_rows=300, checkpoint=out / "c")
        parts = [pq.read_table(each) for each in sorted((out / "rows").rglob("[!._]*.parquet")) if each.is_file()]
        return pd.concat([part.to_pandas() for part in parts], ignore_index=True)

    wanted = (
        came_in_epochs(nexmark.frames(**OPTIONS, out_of_order_group_size=150), 276) if number == 12 else answer(number)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery.Recovery, "commit", commit)
        with pytest.raises(Death):
            run("out", client)
    whole = run("out", client if number % 2 else "embedded")
    same(whole[list(wanted.columns)], wanted)
