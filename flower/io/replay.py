"""A recording read again in order of arrival, as fast as it came, slower or faster."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.errors import SourceError
from flower.graph.protocols import IdentifiedSource, Measured, Source
from flower.model.event_time import event_time_us
from flower.model.time import I64, MAX_TIME, MIN_TIME, instant_text


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """When the rows ``[start, start + len(time))`` of a partition arrived; never going back."""

    start: int
    time: I64

    @property
    def end(self) -> int:
        return self.start + len(self.time)


class ReplaySource:
    """The rows of another source, each when its turn has come.

    Parameters
    ----------
    source : Source
        Its rows must be in order of arrival within each partition.
    arrival : str
        The column of arrival times. A row without one comes with the row before it.
    speed : float or None
        How much faster than they arrived; None: as fast as possible.
    tz : str
        The zone of arrival times that name none.

    Raises
    ------
    SourceError
        If ``speed`` is not positive; while reading, if a row arrived before the one before it.
    """

    def __init__(self, source: Source, arrival: str, speed: float | None = None, *, tz: str = "UTC") -> None:
        check_speed(speed)
        self._source, self._arrival, self._speed, self._tz = source, arrival, speed, tz
        self._known: dict[int, _Arrivals] = {}
        self._began: int | None = None
        self.schema: pa.Schema = source.schema
        self.bounded = source.bounded
        self.paced = speed is not None
        self.driver_local = getattr(source, "driver_local", False)
        self.label = f"replay of {source.label}" + ("" if speed is None else f" at {speed:g} times its speed")

    def __repr__(self) -> str:
        return self.label

    def identity(self) -> dict[str, str]:
        """That of the recording."""
        return dict(self._source.identity()) if isinstance(self._source, IdentifiedSource) else {}

    @property
    def recording(self) -> Source:
        """What is replayed."""
        return self._source

    def partitions(self) -> tuple[str, ...]:
        """Those of the recording."""
        return self._source.partitions()

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return self._source.initial(partition)

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """The rows that had arrived when the recording was as old as the run is now, times ``speed``."""
        arrivals = self._arrivals(partition, position, limit_rows, elapsed_us)
        end = min(position + limit_rows, arrivals.end)
        if self._speed is None:
            return max(position, end)
        due = min(self._start() + elapsed_us * self._speed, MAX_TIME)
        rows = int(np.searchsorted(arrivals.time[position - arrivals.start :], due, side="right"))
        return max(position, min(end, position + rows))

    def due(self, partition: int, position: int) -> int | None:
        """When the row at ``position`` appears, of the rows whose arrivals are known."""
        known = self._known.get(partition)
        if self._speed is None or known is None or not known.start <= position < known.end:
            return None
        return math.ceil((int(known.time[position - known.start]) - self._start()) / self._speed)

    def total(self, partition: int) -> int | None:
        """All rows."""
        return self._source.total(partition) if isinstance(self._source, Measured) else None

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range."""
        return self._source.read(partition, start, end, columns)

    def ended(self, partition: int, position: int) -> bool:
        """Whether the recording ends there."""
        return self._source.ended(partition, position)

    def _arrivals(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> _Arrivals:
        """The arrivals from ``position`` on: those that are known, else of the next rows."""
        known = self._known.get(partition)
        if known is None or not known.start <= position < known.end:
            end = self._source.latest(partition, position, limit_rows, elapsed_us)
            follows = known is not None and known.end == position and len(known.time) > 0
            floor = int(known.time[-1]) if known is not None and follows else MIN_TIME
            known = self._known[partition] = self._read(partition, position, end, floor)
        return known

    def _read(self, partition: int, start: int, end: int, floor: int = MIN_TIME) -> _Arrivals:
        """``floor``: when the row before arrived."""
        table = self._source.read(partition, start, end, (self._arrival,))
        time, bad, _ = event_time_us(table[self._arrival], tz=self._tz)
        newest = np.maximum.accumulate(np.append(floor, time))[1:]  # a row without one has `MIN_TIME`
        back = time < newest if bad is None else (time < newest) & ~bad
        if back.any():
            row = int(np.argmax(back))
            raise SourceError(
                f"{self.label}: rows must be in order of {self._arrival!r}",
                got=f"{instant_text(int(time[row]))} at position {start + row}, after {instant_text(int(newest[row]))}",
                hint=f"sort the recording by {self._arrival!r}, or give it as a frame, which is sorted",
            )
        return _Arrivals(start, newest)

    def _start(self) -> int:
        """When the recording begins: the first arrival of any partition."""
        if self._began is None:
            firsts = []
            for partition in range(len(self.partitions())):
                initial = self.initial(partition)
                time = self._read(partition, initial, self._source.latest(partition, initial, 1024, 0)).time
                firsts += time[time > MIN_TIME][:1].tolist()
            self._began = min(firsts, default=0)
        return self._began


def check_speed(speed: object) -> None:
    """Refuse what is no speed."""
    if speed is not None and (isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0):
        raise SourceError("replay: `speed` must be a number above 0, or None for as fast as possible", got=repr(speed))


def in_order(column: pa.ChunkedArray, tz: str) -> I64:
    """The rows in order of arrival; equal ones stay in order, and a row without one stays behind the row before it.

    Examples
    --------
    >>> import datetime as dt
    >>> in_order(pa.chunked_array([[dt.datetime(2024, 1, 2), None, dt.datetime(2024, 1, 1)]]), "UTC").tolist()
    [2, 0, 1]
    """
    time, bad, _ = event_time_us(column, tz=tz)
    if bad is not None:
        last = np.maximum.accumulate(np.where(bad, -1, np.arange(len(time))))
        time = np.where(last >= 0, time[last], MIN_TIME)
    return np.argsort(time, kind="stable")
