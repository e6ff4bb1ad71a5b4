"""The flights of the whole year against pandas, and the drops of a watermark that is too tight on purpose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.datasets.make_flights import flights_of, write


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All flights of the year in order of arrival, as Parquet."""
    file = tmp_path_factory.mktemp("year") / "flights.parquet"
    write(flights_of(), file, row_group_size=50_000)
    return file


@pytest.fixture(scope="module")
def year(path: Path) -> pd.DataFrame:
    """The flights that left."""
    return pd.read_parquet(path).dropna(subset=["departure"])


def read(path: Path, bound: str) -> fl.Stream:
    return fl.read.parquet(path, event_time="departure", watermark=fl.BoundedDisorder(bound))


def by_pandas(rows: pd.DataFrame, size: str, every: str) -> pd.DataFrame:
    """Counts, means and extremes a carrier and window: each row is repeated into its windows."""
    step, count = pd.Timedelta(every), pd.Timedelta(size) // pd.Timedelta(every)
    pieces = [rows.assign(window_start=rows["departure"].dt.floor(every) - i * step) for i in range(count)]
    grouped = pd.concat(pieces).groupby(["window_start", "carrier"], dropna=False)
    out = grouped.agg(
        flights=("delay", "count"),
        total=("distance", "sum"),
        mean_delay=("delay", "mean"),
        spread=("delay", "std"),
        best=("delay", "min"),
        worst=("delay", "max"),
        places=("destination", "nunique"),
    ).reset_index()
    out["window_end"] = out["window_start"] + pd.Timedelta(size)
    return out.sort_values(["window_end", "carrier"], ignore_index=True)


def by_flower(stream: fl.Stream) -> fl.Stream:
    return stream.groupby("carrier").agg(
        flights=("delay", "count"),
        total=("distance", "sum"),
        mean_delay=("delay", "mean"),
        spread=("delay", "std"),
        best=("delay", "min"),
        worst=("delay", "max"),
        places=("destination", "nunique"),
    )


@pytest.mark.parametrize("size, every", [("1h", "1h"), ("1h", "10min"), ("1D", "6h")])
@pytest.mark.parametrize("how", ["batch", "stream", "early and late"])
def test_windows_of_the_year_equal_pandas(path: Path, year: pd.DataFrame, size: str, every: str, how: str) -> None:
    trigger = fl.AfterWatermark()
    if how == "early and late":
        trigger = fl.AfterWatermark(early=fl.AfterCount(3), late=fl.AfterCount(1))
    windows = fl.FixedWindows(size) if size == every else fl.SlidingWindows(size, every=every)
    stream = by_flower(read(path, "1D").window(windows, trigger=trigger, allowed_lateness="1D"))
    result = stream.collect() if how == "batch" else stream.run(epoch_rows=20_000).wait().results
    expected = by_pandas(year, size, every)
    pd.testing.assert_frame_equal(
        result[list(expected.columns)], expected, check_dtype=False, check_index_type=False, rtol=1e-9
    )


def test_sessions_of_the_year_equal_pandas(path: Path, year: pd.DataFrame) -> None:
    stream = read(path, "1D").window(fl.Sessions("45min")).groupby("carrier", "origin").agg(flights="count")
    result = stream.run(epoch_rows=7_000).wait().results
    rows = year.sort_values(["carrier", "origin", "departure"], ignore_index=True)
    same = (rows["carrier"] == rows["carrier"].shift()) & (rows["origin"] == rows["origin"].shift())
    session = (~(same & (rows["departure"].diff() < pd.Timedelta("45min")))).cumsum()
    expected = rows.groupby(session).agg(
        carrier=("carrier", "first"),
        origin=("origin", "first"),
        window_start=("departure", "min"),
        window_end=("departure", "max"),
        flights=("carrier", "size"),
    )
    expected["window_end"] += pd.Timedelta("45min")
    expected = expected.sort_values(["window_end", "window_start", "carrier", "origin"], ignore_index=True)
    pd.testing.assert_frame_equal(result[list(expected.columns)], expected, check_dtype=False)


@pytest.fixture(scope="module")
def tight(path: Path) -> dict[int, pd.DataFrame]:
    """The dropped rows of a bound of ten minutes, by epoch size."""
    start = path.with_name("start.parquet")
    write(flights_of("2013-03-06", "2013-03-07"), start)
    panes = by_flower(read(start, "10min").window(fl.FixedWindows("1h")))
    return {n: panes.dropped.run(epoch_rows=n).wait(progress=False).results for n in (1, 100, 10_000)}


def test_drops_do_not_depend_on_how_rows_fall_into_epochs(tight: dict[int, pd.DataFrame]) -> None:
    assert len(tight[1]) > 100
    pd.testing.assert_frame_equal(tight[1], tight[100])
    pd.testing.assert_frame_equal(tight[1], tight[10_000])


def test_the_dropped_rows_are_those_behind_the_running_maximum(tight: dict[int, pd.DataFrame]) -> None:
    rows = flights_of("2013-03-06", "2013-03-07").to_pandas().dropna(subset=["departure"])
    met = rows["departure"].cummax().shift() - pd.Timedelta("10min")
    end = rows["departure"].dt.floor("1h") + pd.Timedelta("1h")
    expected = rows[met >= end]
    np.testing.assert_array_equal(tight[1]["flight"], expected["flight"])
    assert (tight[1]["window_end"] <= tight[1]["watermark"]).all()


def test_the_bound_that_a_run_names_drops_nothing(path: Path) -> None:
    stream = by_flower(read(path, "10min").window(fl.FixedWindows("1h")))
    run = stream.run().wait(progress=False)
    assert run.metrics.dropped > 1000
    assert run.metrics.remedy is not None
    bound = run.metrics.remedy.split("'")[1]
    again = by_flower(read(path, bound).window(fl.FixedWindows("1h"))).run().wait(progress=False)
    assert again.metrics.dropped == 0
    assert again.metrics.on_time + again.metrics.late == run.metrics.on_time + run.metrics.late + run.metrics.dropped
