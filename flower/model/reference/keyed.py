"""The oracle's windowed aggregation: admission, windows, panes and expiry, a row and a window at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flower.model.combiners import Combiner
from flower.model.reference.aggregates import Custom, aggregate, missing
from flower.model.reference.rows import Row, Window, plus, shown
from flower.model.reference.triggers import ready
from flower.model.reference.windows import windows_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windowing import Windowing
from flower.model.windows import Sessions


@dataclass
class Live:
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
    aggregates : mapping of str to (str or None, str, Combiner or callable)
        Column and aggregate of each result; column None counts rows; a function gets the rows.
    """

    def __init__(
        self,
        windowing: Windowing,
        keys: Sequence[str],
        aggregates: Mapping[str, tuple[str | None, str | Combiner | Custom]],
    ) -> None:
        self.windowing = windowing
        self.keys = tuple(keys)
        self.aggregates = dict(aggregates)
        self._live: dict[Key, list[Live]] = {}
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

    def _expires(self, live: Live) -> int:
        return self._expiry(live.window)

    def _expiry(self, window: Window) -> int:
        return plus(window[1], self.windowing.allowed_lateness_us)

    def _admit(self, rows: Sequence[Row], now: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Put each row into its windows, unless the watermark that it meets says that they are gone."""
        dropped, counts = [], {"on_time": 0, "late": 0, "dropped": 0}
        for row in rows:
            for window in windows_of(self.windowing.windows, row.time):
                if row.met >= self._expiry(window):
                    counts["dropped"] += 1
                    ends = {"window_start": shown(window[0]), "window_end": shown(window[1])}
                    dropped.append(
                        {**row.values, **ends, "reason": "the window had expired", "watermark": shown(row.met)}
                    )
                    continue
                counts["late" if row.met >= window[1] else "on_time"] += 1
                key = tuple(None if missing(row.values[name]) else row.values[name] for name in self.keys)
                live = self._window(self._live.setdefault(key, []), window)
                live.pairs.append(row)
                live.new.append(row)
                live.since = min(live.since, now)
        return dropped, counts

    def _window(self, of_key: list[Live], window: Window) -> Live:
        """The live window that a pair goes into; merges those that overlap, if windows merge."""
        if not isinstance(self.windowing.windows, Sessions):
            for live in of_key:
                if live.window == window:
                    return live
            of_key.append(Live(window))
            return of_key[-1]
        parts = [live for live in of_key if live.window[0] < window[1] and window[0] < live.window[1]]
        starts = [live.window[0] for live in parts] + [window[0]]
        ends = [live.window[1] for live in parts] + [window[1]]
        merged = Live((min(starts), max(ends)))
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

    def _timing(self, live: Live, w0: int, w1: int, now: int) -> str | None:
        """The timing of the one pane that a window fires in this epoch, if it does."""
        end = live.window[1]
        how = self.windowing
        closing = self._expires(live) <= w1 and (bool(live.new) or how.closing_behavior == "fire_always")
        if end > w1:
            return "early" if how.trigger.early is not None and ready(how.trigger.early, live, now) else None
        if end > w0:
            return "on_time" if live.new or how.on_time_behavior == "fire_always" or closing else None
        late = bool(live.new) if how.trigger.late is None else ready(how.trigger.late, live, now)
        return "late" if late or closing else None

    def _fire(self, key: Key, live: Live, timing: str, final: bool) -> dict[str, Any]:
        content = live.pairs if self.windowing.accumulation == "accumulating" else live.new
        content = sorted(content, key=lambda row: (row.time, row.partition, row.position))
        start, end = live.window
        pane = dict(zip(self.keys, key, strict=True))
        pane |= {"window_start": shown(start), "window_end": shown(end)}
        for name, (column, how) in self.aggregates.items():
            pane[name] = aggregate(how, column, content, live.window)
        pane |= {"pane_timing": timing, "pane_index": live.panes, "pane_final": final}
        if self.windowing.windows.merging:
            pane["pane_absorbs"] = [{"start": start, "end": end} for start, end in sorted(live.absorbed)]
        pane["event_time"] = shown(self._event_time(live.window, content))
        live.new, live.since, live.panes, live.absorbed = [], MAX_TIME, live.panes + 1, set()
        return pane

    def _event_time(self, window: Window, content: Sequence[Row]) -> int:
        """That of a pane; an empty one has that of the end of its window."""
        how = self.windowing.timestamp_combiner
        if how == "end_of_window" or not content:
            return plus(window[1], -1)
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
