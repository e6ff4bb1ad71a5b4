"""Processing time as an argument: whoever runs epochs asks a clock, and nothing else does."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where processing time comes from."""

    def now_us(self) -> int:
        """Processing time in microseconds since 1970 UTC; never goes back."""
        ...


class Pace:
    """The age of a run as its sources are told it: processing time since the start, at a speed that can be changed.

    Examples
    --------
    >>> pace = Pace(1_000)
    >>> pace.elapsed(1_500)
    500
    >>> pace.speed = 10.0
    >>> pace.elapsed(1_600)
    1500
    """

    def __init__(self, started_us: int) -> None:
        self.speed = 1.0
        self._at, self._elapsed = started_us, 0

    def elapsed(self, now_us: int) -> int:
        """The age at a time; it never goes back."""
        self._elapsed += int(max(0, now_us - self._at) * self.speed)
        self._at = max(self._at, now_us)
        return self._elapsed


class SystemClock:
    """The machine's clock, kept from going back."""

    def __init__(self) -> None:
        self._last = 0

    def now_us(self) -> int:
        """Processing time in microseconds since 1970 UTC."""
        self._last = max(self._last, time.time_ns() // 1000)
        return self._last
