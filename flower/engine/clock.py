"""Processing time as an argument: whoever runs epochs asks a clock, and nothing else does."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where processing time comes from."""

    def now_us(self) -> int:
        """Processing time in microseconds since 1970 UTC; never goes back."""
        ...


class SystemClock:
    """The machine's clock, kept from going back."""

    def __init__(self) -> None:
        self._last = 0

    def now_us(self) -> int:
        """Processing time in microseconds since 1970 UTC."""
        self._last = max(self._last, time.time_ns() // 1000)
        return self._last
