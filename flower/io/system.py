"""The machine as a live source: its processors, memory, network and disks, by psutil."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from flower.errors import SourceError
from flower.model.time import Duration, duration_text, duration_us

SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("cpu", pa.float64()),
        pa.field("memory", pa.float64()),
        pa.field("load", pa.float64()),
        pa.field("received", pa.float64()),
        pa.field("sent", pa.float64()),
        pa.field("disk_read", pa.float64()),
        pa.field("disk_written", pa.float64()),
    ]
)
COUNTED = ("received", "sent", "disk_read", "disk_written")
"""What the machine counts since it was started; a row has the bytes a second since the row before."""

Sample = dict[str, Any]


class SystemSource:
    """A row of measurements every so often.

    Parameters
    ----------
    every : str or pandas.Timedelta
        Time between two rows.
    sample : callable, optional
        What measures: a dict with the columns but ``time``, those of `COUNTED` as counted so far.
    now_us : callable, optional
        What tells the time.

    Raises
    ------
    SourceError
        If psutil is not installed.
    """

    name = "system"
    bounded = False
    schema = SCHEMA

    def __init__(
        self,
        every: Duration,
        sample: Callable[[], Sample] | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._every_us = duration_us(every, "every", minimum=10_000)
        self._sample = measurer() if sample is None else sample
        self._now_us = now_us
        self.label = f"this machine every {duration_text(self._every_us)}"

    def __repr__(self) -> str:
        return self.label

    def open(self, after: int = 0) -> Measurements:
        """Begin to measure; what was measured before comes from its journal."""
        return Measurements(self._every_us, self._sample, self._now_us)

    def table(self, batches: Sequence[list[Sample]], arrivals_us: Sequence[int]) -> pa.Table:
        """The rows."""
        return pa.Table.from_pylist([row for batch in batches for row in batch], schema=SCHEMA)

    def failed(self, error: Exception) -> Exception:
        """The error as it is."""
        return error


class Measurements:
    """Rows as they are measured, at whole multiples of the time between them after the first."""

    def __init__(self, every_us: int, sample: Callable[[], Sample], now_us: Callable[[], int]) -> None:
        self._every_us, self._sample, self._now_us = every_us, sample, now_us
        self._stopped = threading.Event()
        self._before = sample()
        self._at = self._began = now_us()

    def __iter__(self) -> Iterator[list[Sample]]:
        return self

    def __next__(self) -> list[Sample]:
        """Wait for the next turn, and measure; a turn that was missed is left out."""
        turns = (self._now_us() - self._began) // self._every_us + 1
        while (left := self._began + turns * self._every_us - self._now_us()) > 0:
            if self._stopped.wait(left / 1e6):
                raise StopIteration
        now, measured = self._now_us(), self._sample()
        row = rates(self._before, measured, (now - self._at) / 1e6)
        self._before, self._at = measured, now
        return [{"time": now, **row}]

    def cancel(self) -> None:
        """End a wait."""
        self._stopped.set()

    def close(self) -> None:
        """Nothing is held."""


def rates(before: Sample, after: Sample, seconds: float) -> Sample:
    """A row: what is counted as bytes a second; missing where a counter is, or began anew.

    Examples
    --------
    >>> rates({"cpu": 1.0, "sent": 100}, {"cpu": 2.0, "sent": 300}, 2.0)
    {'cpu': 2.0, 'sent': 100.0}
    """
    row = dict(after)
    for name in COUNTED:
        if name in row:
            old, new = before.get(name), row[name]
            known = old is not None and new is not None and new >= old and seconds > 0
            row[name] = (new - old) / seconds if known else None
    return row


def measurer() -> Callable[[], Sample]:
    """What measures this machine."""
    try:
        import psutil
    except ImportError as error:
        raise SourceError(
            "read.system() needs psutil", got=str(error), hint="pip install 'flower-streams[system]'"
        ) from error
    psutil.cpu_percent()  # the next call measures since this one

    def measure() -> Sample:
        network, disk = psutil.net_io_counters(), psutil.disk_io_counters()
        return {
            "cpu": psutil.cpu_percent(),
            "memory": psutil.virtual_memory().percent,
            "load": psutil.getloadavg()[0],
            "received": None if network is None else network.bytes_recv,
            "sent": None if network is None else network.bytes_sent,
            "disk_read": None if disk is None else disk.read_bytes,
            "disk_written": None if disk is None else disk.write_bytes,
        }

    return measure
