"""The oracle's windows: those of one event time."""

from __future__ import annotations

from flower.model.reference.rows import Window, plus
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windows import FixedWindows, Sessions, SlidingWindows, Windows


def windows_of(windows: Windows, time: int) -> list[Window]:
    """All windows of an event time, by start; for sessions the unmerged one."""
    if isinstance(windows, Sessions):
        return [(time, plus(time, windows.gap_us))]
    if isinstance(windows, FixedWindows):
        return _between(time, windows.size_us, windows.size_us, windows.offset_us)
    if isinstance(windows, SlidingWindows):
        return _between(time, windows.size_us, windows.every_us, windows.offset_us)
    return [(MIN_TIME, MAX_TIME)]


def _between(time: int, size: int, every: int, offset: int) -> list[Window]:
    found = []
    start = (time - offset) // every * every + offset
    while start + size > time:
        found.append((max(start, MIN_TIME), min(start + size, MAX_TIME)))
        start -= every
    return found[::-1]
