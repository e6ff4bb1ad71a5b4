"""The flights against the raw records that they are made of."""

import os

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flower.datasets import flights
from flower.datasets.make_flights import DAYS, SCHEMA, flights_of, raw_records, with_instants, write


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return raw_records()[0]


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """All flights with the raw columns, in the raw order."""
    return with_instants(*raw_records())


@pytest.fixture(scope="module")
def extract() -> pd.DataFrame:
    return pd.read_parquet(flights)


def minutes(duration: pd.Series) -> pd.Series:
    return duration.dt.total_seconds() / 60


def lateness(times: pd.Series) -> pd.Series:
    """Minutes that each row's event time is behind the newest one before it."""
    times = times.dropna()
    return minutes(times.cummax().shift(fill_value=times.iloc[0]) - times).clip(lower=0)


def test_the_file_is_what_the_maker_makes_of_the_raw_records(tmp_path):
    rebuilt = flights_of(*DAYS)
    shipped = pq.read_table(flights)
    assert shipped.schema.equals(SCHEMA)
    assert shipped.equals(rebuilt)
    write(rebuilt, tmp_path / "again.parquet")
    assert pq.read_table(tmp_path / "again.parquet").equals(shipped)


def test_no_flight_of_the_days_is_lost(extract, raw):
    days = raw[(raw["month"] == 3) & raw["day"].between(6, 10)]
    assert len(extract) == len(days) == 4604
    assert extract["departure"].isna().sum() == days["dep_time"].isna().sum() == 472
    assert extract["delay"].sum() == days["dep_delay"].sum()
    keys = ["carrier", "flight", "origin"]
    assert extract[keys].value_counts().to_dict() == days[keys].value_counts().to_dict()


def test_no_flight_of_the_year_is_lost(raw):
    table = flights_of()
    assert table.num_rows == len(raw) == 336_776
    assert table["departure"].null_count == raw["dep_time"].isna().sum() == 8255
    observed = table["observed"].to_numpy()
    assert (observed[1:] >= observed[:-1]).all()


def test_rows_are_in_the_order_of_observation(extract):
    assert extract["observed"].is_monotonic_increasing
    arrived = extract[extract["arrival"].notna()]
    assert (arrived["observed"] == arrived["arrival"]).all()
    assert (extract["observed"] >= extract["departure"]).where(extract["departure"].notna(), True).all()


def test_no_arrival_is_before_its_departure(extract):
    known = extract["arrival"].notna()
    assert (extract["arrival"] > extract["departure"])[known].all()
    assert extract["departure"].notna()[known].all()


def test_scheduled_departures_fall_in_the_hour_that_the_raw_records_give_in_utc(year):
    assert (year["scheduled_departure"].dt.floor("h") == pd.to_datetime(year["time_hour"])).all()


def test_departures_have_the_recorded_local_time(year):
    flown = year[year["dep_time"].notna()]
    local = flown["departure"].dt.tz_convert("America/New_York")
    assert (local.dt.hour * 100 + local.dt.minute == flown["dep_time"] % 2400).all()


def test_arrivals_have_the_recorded_local_time_but_for_one_that_never_existed(year):
    airports = raw_records()[1].set_index("faa")["tzone"]
    landed = year[year["arrival"].notna() & year["dest"].isin(airports.dropna().index)]
    wrong = 0
    for zone, rows in landed.groupby(landed["dest"].map(airports)):
        local = rows["arrival"].dt.tz_convert(zone)
        wrong += (local.dt.hour * 100 + local.dt.minute != rows["arr_time"] % 2400).sum()
    # 9 to 10 March, 2:03 in Florida, when clocks went from 2:00 to 3:00.
    assert wrong == 1


def test_time_between_gates_exceeds_time_in_the_air_by_5_minutes_to_4_hours(year):
    ground = (minutes(year["arrival"] - year["departure"]) - year["air_time"]).dropna()
    assert len(ground) == 327_346
    assert (ground.min(), ground.max()) == (5, 235)
    assert 25 < ground.median() < 35


def test_diverted_flights_arrive_on_the_day_of_their_recorded_local_time(year):
    diverted = year[year["arrival"].notna() & year["air_time"].isna()]
    assert len(diverted) == 717
    behind = minutes(diverted["arrival"] - diverted["scheduled_arrival"])
    assert behind.between(0, 24 * 60).all()
    # No aeroplane flies faster than ten miles a minute.
    assert (minutes(diverted["arrival"] - diverted["departure"]) > diverted["distance"] / 10).all()


@pytest.mark.parametrize(
    "column, bounds",
    [("departure", (80, 263, 332, 612)), ("scheduled_departure", (96, 270, 389, 665))],
)
def test_rows_are_as_late_as_the_documentation_says(extract, column, bounds):
    late = lateness(extract[column])
    assert tuple(np.ceil(late.quantile([0.5, 0.9, 0.99, 1.0]))) == bounds
    assert (late > 0).mean() > 0.9
    import flower.datasets

    (line,) = [
        line for line in flower.datasets.__doc__.splitlines() if line.startswith(f"`{column}`  ") and "UTC" not in line
    ]
    assert tuple(int(word) for word in line.split()[1:]) == bounds


def test_it_is_a_path_that_says_what_it_is():
    assert os.path.getsize(flights) < 100_000
    assert "4,604" in repr(flights) and "scheduled_departure" in repr(flights) and "public domain" in repr(flights)
