"""The oracle: the Dataflow Model row by row, one obvious loop a rule; slow, and shared with nothing.

It defines what panes a stream has, and every executor is tested against it. It knows windows, triggers and policies
only by their parameters, and computes everything else itself with plain Python integers, lists and dicts.

An epoch is asked in this order:

1. `InputOracle.epoch` reads the rows of all sources. A row meets the watermark that the rows before it in its
   partition have made, or less, where other partitions or sources were behind when the epoch started; but never less
   than what the step had been promised by then.
2. `KeyedOracle.epoch` puts rows into windows, each against the watermark that it meets, then moves the watermark and
   the clock, then asks each window once whether it fires, then lets expired windows go.

Sources: Akidau et al., VLDB 2015, sections 2.2, 2.3 and 3.2; where the paper is silent, Beam.

Examples
--------
>>> from flower.model.windowing import Windowing
>>> from flower.model.windows import FixedWindows
>>> oracle = KeyedOracle(Windowing.make(FixedWindows("10us")), (), {"n": ("v", "sum")})
>>> rows = [Row({"v": 3}, time=4, met=MIN_TIME), Row({"v": 5}, time=9, met=4), Row({"v": 7}, time=10, met=9)]
>>> panes, dropped, counts = oracle.epoch(rows, MIN_TIME, 10, now=0)
>>> [(pane["window_end"], pane["n"], pane["pane_timing"]) for pane in panes], counts
([(10, 8, 'on_time')], {'on_time': 3, 'late': 0, 'dropped': 0})
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.triggers import AfterCount, Part
from flower.model.watermarks import BoundedDisorder, ManualWatermark, WatermarkPolicy
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, Sessions, SlidingWindows, Windows

Window = tuple[int, int]
"""Start and end, half-open, in microseconds."""

Marks = Sequence[tuple[Sequence[int], int]]
"""Per partition, the watermark that the source says is in force before each row, and after the last."""


@dataclass
class Row:
    """A row with what is known beside its columns."""

    values: Mapping[str, Any]
    time: int
    met: int = MIN_TIME
    partition: int = 0
    position: int = 0


def _plus(time: int, us: int) -> int:
    """The sum, kept between the two ends of time; the ends themselves do not move."""
    if time in (MIN_TIME, MAX_TIME):
        return time
    return min(max(time + us, MIN_TIME), MAX_TIME)


# Watermarks


@dataclass
class _Partition:
    watermark: int = MIN_TIME
    last_row: int | None = None
    ended: bool = False


class WatermarkOracle:
    """The watermarks of one source.

    Parameters
    ----------
    policy : WatermarkPolicy
        How the source knows its watermark.
    partitions : int
        How many partitions there are at first.
    """

    def __init__(self, policy: WatermarkPolicy, partitions: int = 1) -> None:
        self.policy = policy
        self._partitions = [_Partition() for _ in range(partitions)]
        self._now = MIN_TIME
        self.watermark = MIN_TIME
        """Of the whole source, after the last epoch."""

    @property
    def watermarks(self) -> list[int]:
        """Of each partition, after the last epoch."""
        return [MAX_TIME if p.ended else p.watermark for p in self._partitions]

    def epoch(
        self,
        times: Sequence[Sequence[int]],
        now: int,
        ended: Sequence[bool],
        *,
        marks: Marks | None = None,
        promised: int | None = None,
        beyond: int = MAX_TIME,
    ) -> list[list[int]]:
        """The watermark that each row meets, per partition; then the source's watermark moves.

        Parameters
        ----------
        times : sequence of sequence of int
            Per partition the event times of all rows read, in order.
        now : int
            Processing time.
        ended : sequence of bool
            Whether no row will follow, per partition.
        marks : Marks, optional
            For `ManualWatermark`.
        promised : int, optional
            The watermark of the step at the epoch's start; this source's own, unless there are several sources.
        beyond : int
            The least watermark of the other sources at the epoch's start.
        """
        while len(self._partitions) < len(times):
            self._partitions.append(_Partition())
        promised = self.watermark if promised is None else promised
        others = [
            min([q.watermark for q in self._partitions if q is not p and self._counts(q)], default=MAX_TIME)
            for p in self._partitions
        ]
        met = []
        for number, partition in enumerate(self._partitions):
            own = []
            for i, time in enumerate(times[number]):
                if marks is not None:
                    partition.watermark = max(partition.watermark, marks[number][0][i])
                own.append(partition.watermark)
                if marks is None:
                    partition.watermark = max(partition.watermark, self._made_by(time))
            if marks is not None:
                partition.watermark = max(partition.watermark, marks[number][1])
            if times[number] or partition.last_row is None:
                partition.last_row = now
            partition.ended = ended[number]
            met.append([max(promised, min(w, others[number], beyond)) for w in own])
        self._now = now
        self.watermark = max(self.watermark, self._combined())
        return met

    def _made_by(self, time: int) -> int:
        assert not isinstance(self.policy, ManualWatermark)
        return _plus(time, -self.policy.bound_us) if isinstance(self.policy, BoundedDisorder) else time

    def _idle(self, partition: _Partition) -> bool:
        idle_us = self.policy.idle_us
        return idle_us is not None and partition.last_row is not None and self._now - partition.last_row >= idle_us

    def _counts(self, partition: _Partition) -> bool:
        """Whether it holds the others back, as things stood after the last epoch."""
        return not partition.ended and not self._idle(partition)

    def _combined(self) -> int:
        running = [p for p in self._partitions if not p.ended]
        if not running:
            return MAX_TIME
        counting = [p.watermark for p in running if self._counts(p)]
        # When all are idle, what the furthest of them promised.
        return min(counting) if counting else max(p.watermark for p in running)


class InputOracle:
    """What a step is told by several sources: the minimum of their watermarks."""

    def __init__(self, sources: Sequence[WatermarkOracle]) -> None:
        self.sources = sources

    @property
    def watermark(self) -> int:
        """The minimum over the sources, after the last epoch."""
        return min(source.watermark for source in self.sources)

    def epoch(
        self,
        times: Sequence[Sequence[Sequence[int]]],
        now: int,
        ended: Sequence[Sequence[bool]],
        *,
        marks: Sequence[Marks | None] | None = None,
    ) -> list[list[list[int]]]:
        """The watermark that each row meets, per source and partition; arguments as of `WatermarkOracle`."""
        before = [source.watermark for source in self.sources]
        promised = min(before)
        return [
            source.epoch(
                times[i],
                now,
                ended[i],
                marks=marks[i] if marks is not None else None,
                promised=promised,
                beyond=min(before[:i] + before[i + 1 :], default=MAX_TIME),
            )
            for i, source in enumerate(self.sources)
        ]


# Windows


def windows_of(windows: Windows, time: int) -> list[Window]:
    """All windows of an event time, by start; for sessions the unmerged one."""
    if isinstance(windows, Sessions):
        return [(time, _plus(time, windows.gap_us))]
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


# Aggregates: functions of the values that are not missing, in the order of first and last


def _mean(values: list[Any]) -> float:
    return sum(values) / len(values) if values else math.nan


def _std(values: list[Any]) -> float:
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "mean": _mean,
    "std": _std,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "nunique": lambda values: len(set(values)),
}
"""Each aggregate by its name; None is a missing result."""


def _missing(value: Any) -> bool:
    """None, NaN, NaT or NA: what is not equal to itself, or cannot say so."""
    return value is None or type(value).__name__ == "NAType" or value != value


# Panes


@dataclass
class _Live:
    """A window of one key that has rows, and has not expired."""

    window: Window
    pairs: list[Row] = field(default_factory=list)
    new: list[Row] = field(default_factory=list)
    """The pairs since the last pane."""
    since: int = MAX_TIME
    panes: int = 0
    absorbed: set[Window] = field(default_factory=set)
    """Windows that were emitted, are part of this one, and no pane has said so yet."""


Key = tuple[Any, ...]


class KeyedOracle:
    """A windowed aggregation by keys.

    Parameters
    ----------
    windowing : Windowing
        Where, when and how.
    keys : sequence of str
        The columns grouped by; missing values are a group.
    aggregates : mapping of str to (str or None, str)
        Column and aggregate of each result; column None counts rows.
    """

    def __init__(
        self, windowing: Windowing, keys: Sequence[str], aggregates: Mapping[str, tuple[str | None, str]]
    ) -> None:
        self.windowing = windowing
        self.keys = tuple(keys)
        self.aggregates = dict(aggregates)
        self._live: dict[Key, list[_Live]] = {}
        self.watermark = MIN_TIME
        """Of the output, after the last epoch: no pane that is not late will have an earlier event time."""

    def epoch(
        self, rows: Sequence[Row], w0: int, w1: int, now: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
        """Panes by window end, start and keys; dropped pairs; how many pairs were on time, late and dropped.

        Parameters
        ----------
        rows : sequence of Row
            Those of the epoch, per partition in order.
        w0, w1 : int
            The step's watermark before and after.
        now : int
            Processing time.
        """
        dropped, counts = self._admit(rows, now)
        panes = []
        for key, live in self._live.items():
            for window in live:
                timing = self._timing(window, w0, w1, now)
                if timing is not None:
                    panes.append((key, window, self._fire(key, window, timing, self._expires(window) <= w1)))
            self._live[key] = [window for window in live if self._expires(window) > w1]
        self.watermark = max(self.watermark, min([w1, *self._holds(w1)]))
        panes.sort(key=lambda pane: (pane[1].window[1], pane[1].window[0], [(k is None, k) for k in pane[0]]))
        return [pane for _, _, pane in panes], dropped, counts

    def _expires(self, live: _Live) -> int:
        return self._expiry(live.window)

    def _expiry(self, window: Window) -> int:
        return _plus(window[1], self.windowing.allowed_lateness_us)

    def _admit(self, rows: Sequence[Row], now: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Put each row into its windows, unless the watermark that it meets says that they are gone."""
        dropped, counts = [], {"on_time": 0, "late": 0, "dropped": 0}
        for row in rows:
            for window in windows_of(self.windowing.windows, row.time):
                if row.met >= self._expiry(window):
                    counts["dropped"] += 1
                    ends = {"window_start": _shown(window[0]), "window_end": _shown(window[1])}
                    dropped.append(
                        {**row.values, **ends, "reason": "the window had expired", "watermark": _shown(row.met)}
                    )
                    continue
                counts["late" if row.met >= window[1] else "on_time"] += 1
                key = tuple(None if _missing(row.values[name]) else row.values[name] for name in self.keys)
                live = self._window(self._live.setdefault(key, []), window)
                live.pairs.append(row)
                live.new.append(row)
                live.since = min(live.since, now)
        return dropped, counts

    def _window(self, of_key: list[_Live], window: Window) -> _Live:
        """The live window that a pair goes into; merges those that overlap, if windows merge."""
        if not isinstance(self.windowing.windows, Sessions):
            for live in of_key:
                if live.window == window:
                    return live
            of_key.append(_Live(window))
            return of_key[-1]
        parts = [live for live in of_key if live.window[0] < window[1] and window[0] < live.window[1]]
        starts = [live.window[0] for live in parts] + [window[0]]
        ends = [live.window[1] for live in parts] + [window[1]]
        merged = _Live((min(starts), max(ends)))
        for live in parts:
            if live.window == merged.window:
                return live
        for live in parts:
            of_key.remove(live)
            merged.pairs += live.pairs
            merged.new += live.new
            merged.since = min(merged.since, live.since)
            merged.absorbed |= live.absorbed
            if live.panes:
                merged.absorbed.add(live.window)
        of_key.append(merged)
        return merged

    def _timing(self, live: _Live, w0: int, w1: int, now: int) -> str | None:
        """The timing of the one pane that a window fires in this epoch, if it does."""
        end = live.window[1]
        how = self.windowing
        closing = self._expires(live) <= w1 and (bool(live.new) or how.closing_behavior == "fire_always")
        if end > w1:
            return "early" if how.trigger.early is not None and _ready(how.trigger.early, live, now) else None
        if end > w0:
            return "on_time" if live.new or how.on_time_behavior == "fire_always" or closing else None
        late = bool(live.new) if how.trigger.late is None else _ready(how.trigger.late, live, now)
        return "late" if late or closing else None

    def _fire(self, key: Key, live: _Live, timing: str, final: bool) -> dict[str, Any]:
        content = live.pairs if self.windowing.accumulation == "accumulating" else live.new
        content = sorted(content, key=lambda row: (row.time, row.partition, row.position))
        start, end = live.window
        pane = dict(zip(self.keys, key, strict=True))
        pane |= {"window_start": _shown(start), "window_end": _shown(end)}
        for name, (column, aggregate) in self.aggregates.items():
            values = [1 if column is None else row.values[column] for row in content]
            pane[name] = AGGREGATES[aggregate]([value for value in values if not _missing(value)])
        pane |= {"pane_timing": timing, "pane_index": live.panes, "pane_final": final}
        if self.windowing.windows.merging:
            pane["pane_absorbs"] = [{"start": start, "end": end} for start, end in sorted(live.absorbed)]
        pane["event_time"] = _shown(self._event_time(live.window, content))
        live.new, live.since, live.panes, live.absorbed = [], MAX_TIME, live.panes + 1, set()
        return pane

    def _event_time(self, window: Window, content: Sequence[Row]) -> int:
        """That of a pane; an empty one has that of the end of its window."""
        how = self.windowing.timestamp_combiner
        if how == "end_of_window" or not content:
            return _plus(window[1], -1)
        times = [row.time for row in content]
        return min(times) if how == "earliest" else max(times)

    def _holds(self, w1: int) -> list[int]:
        """Event times that panes still to come before the ends of their windows could carry."""
        holds = []
        for live in [live for of_key in self._live.values() for live in of_key]:
            content = live.pairs if self.windowing.accumulation == "accumulating" else live.new
            if live.window[1] > w1 and content:
                holds.append(self._event_time(live.window, content))
        return holds


def _ready(part: Part, live: _Live, now: int) -> bool:
    """Whether an early or late part fires a window; never without new pairs."""
    if not live.new:
        return False
    if isinstance(part, AfterCount):
        return len(live.new) >= part.n
    return live.since + part.delay_us <= now


def _shown(time: int) -> int | None:
    """The ends of time are nothing that a person could read."""
    return None if time in (MIN_TIME, MAX_TIME) else time
