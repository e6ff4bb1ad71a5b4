"""The oracle's step of a person's own code: a key at a time, state and timers in plain dicts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flower.model.reference.aggregates import missing
from flower.model.reference.rows import Row, plus, shown
from flower.model.time import MAX_TIME, MIN_TIME

Key = tuple[Any, ...]
Given = list[dict[str, Any]]
OnRows = Callable[[Key, Sequence[Row], dict[str, Any], dict[str, int], int, int], Given]
"""Key, rows, state, times of the timers (both may be changed), the event time of the call, and the clock."""
OnTimer = Callable[[str, Key, int, dict[str, Any], dict[str, int], int, int], Given]
"""The timer's name, key, the time it was set for, and then as above."""


@dataclass
class Remembered:
    """What there is of a key; a timer that is not set is in neither mapping."""

    state: dict[str, Any]
    times: dict[str, int] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)


@dataclass
class Failure:
    """A call that failed: of rows, or of a timer that was set for a time."""

    key: Key
    error: Exception | None
    rows: Sequence[Row] = ()
    timer: str = ""
    time: int = MIN_TIME


class ProcessOracle:
    """Code that is called for the rows and timers of each key.

    Parameters
    ----------
    keys : sequence of str
        Key columns; missing values are equal.
    timers : mapping of str to {"event", "processing"}
        What each timer waits for.
    lateness : int or None
        How far behind the watermark a row may be; None: rows have no event time.
    state : callable
        Gives what is remembered of a key at first.
    on_rows, on_timer : callable
        The code. What it raises, or makes of what it is given when it raises, is not seen again.
    most : int
        How many timers of one key fire in an epoch at most.
    at_end : bool
        Whether rows wait for the end of the stream.
    """

    def __init__(
        self,
        keys: Sequence[str],
        timers: Mapping[str, str],
        lateness: int | None,
        state: Callable[[], dict[str, Any]],
        on_rows: OnRows,
        on_timer: OnTimer,
        most: int,
        *,
        at_end: bool = False,
    ) -> None:
        self.keys, self.timers, self.lateness, self.most = tuple(keys), dict(timers), lateness, most
        self.state, self.on_rows, self.on_timer = state, on_rows, on_timer
        self.at_end = at_end
        self._waiting: list[Row] = []
        self.watermark = MIN_TIME
        """Of the output, after the last epoch."""
        self.failed: list[Failure] = []
        """Of the last epoch."""
        self._known: dict[Key, Remembered] = {}

    def epoch(self, rows: Sequence[Row], w1: int, now: int) -> tuple[Given, Given, dict[str, int]]:
        """What is given, what is dropped, and how many rows were on time, late and dropped."""
        self.failed = []
        given: Given = []
        admitted, dropped, counts = self._admitted(rows)
        if self.at_end:
            self._waiting += admitted
            if w1 < MAX_TIME:
                self.watermark = max(self.watermark, w1)
                return [], dropped, counts
            admitted, self._waiting = self._waiting, []
        for key in dict.fromkeys(map(self._key, admitted)):
            mine = [row for row in admitted if self._key(row) == key]
            mine.sort(key=lambda row: (row.time, row.partition, row.position))
            known = self._known.setdefault(key, Remembered(self.state()))
            event = mine[-1].time
            given += self._call(key, known, event, Failure(key, None, mine), self.on_rows, key, mine, now=now)
        for key, known in self._known.items():
            given += self._fired(key, known, w1, now)
        holds = [hold for known in self._known.values() for hold in known.holds.values()]
        self.watermark = max(self.watermark, min([w1, *holds]))
        return given, dropped, counts

    def _key(self, row: Row) -> Key:
        return tuple(None if missing(row.values[name]) else row.values[name] for name in self.keys)

    def _admitted(self, rows: Sequence[Row]) -> tuple[list[Row], Given, dict[str, int]]:
        admitted, dropped, counts = [], [], {"on_time": 0, "late": 0, "dropped": 0}
        for row in rows:
            if self.lateness is None or row.met <= row.time:
                what = "on_time"
            else:
                what = "late" if row.met <= plus(row.time, self.lateness) else "dropped"
            counts[what] += 1
            if what == "dropped":
                why = {"reason": "the row came after the watermark", "watermark": shown(row.met)}
                taken = {f"input_{name}" if name in why else name: value for name, value in row.values.items()}
                dropped.append({**taken, **why})
            else:
                admitted.append(row)
        return admitted, dropped, counts

    def _fired(self, key: Key, known: Remembered, w1: int, now: int) -> Given:
        given: Given = []
        fired = 0
        over = w1 == MAX_TIME
        until = {name: w1 if over or domain == "event" else now for name, domain in self.timers.items()}
        while True:
            due = [(time, name) for name, time in known.times.items() if time <= until[name]]
            if not due:
                return given
            time, name = min(due)
            event = time if self.timers[name] == "event" else known.holds.get(name, MIN_TIME)
            known.times.pop(name)
            known.holds.pop(name, None)
            fired += 1
            failure = Failure(key, None, timer=name, time=time)
            if fired > self.most:
                self.failed.append(failure)
                continue
            given += self._call(key, known, event, failure, self.on_timer, name, key, time, now=now)

    def _call(
        self,
        key: Key,
        known: Remembered,
        event: int,
        failure: Failure,
        code: Callable[..., Given],
        *what: Any,
        now: int,
    ) -> Given:
        """One call: if it fails, nothing of it has been."""
        if self.lateness is None:
            event = MIN_TIME
        state, times = copy.deepcopy(known.state), dict(known.times)
        try:
            rows = code(*what, state, times, event, now)
        except Exception as error:  # a person's code may raise anything
            failure.error = error
            self.failed.append(failure)
            return []
        for name in self.timers:
            if times.get(name) == known.times.get(name):
                continue
            known.holds.pop(name, None)
            if name in times and self.lateness is not None:
                known.holds[name] = times[name] if self.timers[name] == "event" else event
        known.state, known.times = state, times
        names = dict(zip(self.keys, key, strict=True))
        told = {"event_time": shown(event)} if self.lateness is not None else {}
        return [{**names, **told, **row} for row in rows]
