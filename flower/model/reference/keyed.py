"""The oracle's windowed aggregation: admission, windows, panes and expiry, a row and a window at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flower.model.combiners import Combiner
from flower.model.custom import WindowFn
from flower.model.reference.aggregates import Custom, aggregate, missing
from flower.model.reference.retractions import left
from flower.model.reference.rows import Row, Window, plus, shown
from flower.model.reference.triggers import Situation, asks, watch
from flower.model.reference.windows import windows_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windowing import Windowing
from flower.model.windows import CountWindows, Sessions, by_clock


@dataclass
class Live:
    """A window of one key that has rows, and has not expired."""

    window: Window
    pairs: list[Row] = field(default_factory=list)
    back: list[Row] = field(default_factory=list)
    """Pairs that take back others."""
    new: list[Row] = field(default_factory=list)
    """The pairs since the last pane."""
    fresh: int = 0
    """How many pairs this epoch brought."""
    watch: Any = None
    panes: int = 0
    absorbed: set[Window] = field(default_factory=set)
    """Windows that were emitted, are part of this one, and no pane has said so yet."""
    last: int = MIN_TIME
    """The event time of the newest pair."""
    standing: list[dict[str, Any]] = field(default_factory=list)
    """The panes that have been emitted and not taken back; kept only if the step may take them back."""
    times: list[int] = field(default_factory=list)
    """Event times of all panes that it, or what it absorbed, has emitted."""


Key = tuple[Any, ...]
FINISHED = "the trigger had finished"
TOGETHER = "the window of a pane that it replaces, or that replaces it, had expired"


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
    holds : callable
        Whether what `When` was given holds for keys and aggregates.
    gap_of : callable
        The gap of a row in microseconds, where sessions have one for each; None: it is missing.
    placed : callable
        The windows of a row, where these are a person's own.
    net : bool
        Whether rows may take back others.
    retraction : bool
        Whether panes have the column ``pane_retraction``.
    """

    def __init__(
        self,
        windowing: Windowing,
        keys: Sequence[str],
        aggregates: Mapping[str, tuple[str | None, str | Combiner | Custom]],
        holds: Callable[[object, dict[str, Any]], bool] = lambda predicate, pane: False,
        gap_of: Callable[[Row], int | None] = lambda row: None,
        placed: Callable[[Row], list[Window]] = lambda row: [],
        *,
        net: bool = False,
        retraction: bool | None = None,
    ) -> None:
        self.retracting = windowing.accumulation == "retracting"
        self.net = net
        self._tells = self.retracting or net if retraction is None else retraction
        self.windowing = windowing
        self._holds_for = holds
        self._gap_of, self._placed = gap_of, placed
        self.failed: list[Row] = []
        """The rows of the last epoch that have no gap."""
        self.keys = tuple(keys)
        self.aggregates = dict(aggregates)
        self._live: dict[Key, list[Live]] = {}
        self._clock = MIN_TIME
        self.watermark = MIN_TIME
        """Of the output, after the last epoch: no pane that is not late will have an earlier event time."""
        self.oldest: list[int | None] = []
        """Per pane of the last epoch, the earliest event time of its window's panes so far, if these differ."""

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
        if by_clock(self.windowing.windows):
            rows = [replace(row, time=now, met=MIN_TIME) for row in rows]
            w0, w1 = self._clock, MAX_TIME if w1 == MAX_TIME else now
            self._clock = w1
        if isinstance(self.windowing.windows, CountWindows):
            return (
                self._counted(rows, self.windowing.windows.n, w1),
                [],
                {"on_time": len(rows), "late": 0, "dropped": 0},
            )
        dropped, counts = self._admit(rows)
        panes: list[tuple[Key, Live, dict[str, Any], int | None]] = []
        for key, live in self._live.items():
            for window in live:
                timing, final = self._asked(key, window, w0, w1, now)
                if timing is not None:
                    panes += [(key, window, *fired) for fired in self._fired(key, window, timing, final)]
            self._live[key] = [window for window in live if self._expires(window) > w1 and not self._lapsed(window, w1)]
        self.watermark = max(self.watermark, min([w1, *self._holds(w1)]))
        panes.sort(key=lambda pane: (pane[1].window[1], pane[1].window[0], [(k is None, k) for k in pane[0]]))
        self.oldest = [oldest for *_, oldest in panes]
        return [pane for _, _, pane, _ in panes], dropped, counts

    def _counted(self, rows: Sequence[Row], n: int, w1: int) -> list[dict[str, Any]]:
        """The panes of windows of ``n`` rows."""
        panes = []
        for row in sorted(rows, key=lambda row: (row.partition, row.position)):
            of_key = self._live.setdefault(self._key(row), [])
            if not of_key:
                of_key.append(Live((row.time, plus(row.time, 1))))
            live = of_key[0]
            live.window = min(live.window[0], row.time), max(live.window[1], plus(row.time, 1))
            live.pairs.append(row)
            live.new.append(row)
            if len(live.pairs) == n:
                panes.append(self._fire(self._key(row), of_key.pop(), "on_time", True))
        waiting = [(key, of_key) for key, of_key in self._live.items() if of_key]
        if w1 == MAX_TIME:
            panes += [self._fire(key, of_key.pop(), "on_time", True) for key, of_key in waiting]
        least = w1
        for live in [live for _, of_key in waiting for live in of_key]:
            times = [row.time for row in live.pairs if row.time >= row.met]
            if times:
                earliest = self.windowing.timestamp_combiner == "earliest"
                least = min(least, min(times) if earliest else max(times))
        self.watermark = max(self.watermark, least)
        return panes

    def _key(self, row: Row) -> Key:
        return tuple(None if missing(row.values[name]) else row.values[name] for name in self.keys)

    def _expires(self, live: Live) -> int:
        return self._expiry(live.window)

    def _lapsed(self, live: Live, w1: int) -> bool:
        """Whether a ttl lets it go."""
        ttl = self.windowing.ttl_us
        return ttl is not None and plus(live.last, ttl) <= w1

    def _expiry(self, window: Window) -> int:
        return plus(window[1], self.windowing.allowed_lateness_us)

    def _admit(self, rows: Sequence[Row]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Put each row into its windows, unless the watermark that it meets says that they are gone."""
        dropped, counts = [], {"on_time": 0, "late": 0, "dropped": 0}
        self.failed, windows = [], self.windowing.windows
        for row in rows:
            gap = None
            if isinstance(windows, Sessions) and windows.gap is not None:
                gap = self._gap_of(row)
                if gap is None or gap <= 0:
                    self.failed.append(row)
                    continue
            own = isinstance(windows, WindowFn)
            for window in self._placed(row) if own else windows_of(windows, row.time, gap):
                expired = row.met >= self._expiry(window)
                if expired or self._others_expired(row):
                    counts["dropped"] += 1
                    dropped.append(_told(row, window, "the window had expired" if expired else TOGETHER))
                    continue
                of_key = self._live.setdefault(self._key(row), [])
                if any(live.watch.over and self._same(live.window, window) for live in of_key):
                    counts["dropped"] += 1
                    dropped.append(_told(row, window, FINISHED))
                    continue
                counts["late" if row.met >= window[1] else "on_time"] += 1
                live = self._window(of_key, window)
                if row.retraction and self.net:
                    # Order does not count: what is taken back may come after, so it waits until all is there.
                    live.back.append(row)
                else:
                    live.pairs.append(row)
                live.new.append(row)
                live.fresh += 1
                live.last = max(live.last, row.time)
        return dropped, counts

    def _others_expired(self, row: Row) -> bool:
        """Whether a window of the earliest pane has expired, of those that have to be admitted together."""
        if row.oldest is None or not self.net:
            return False
        return any(row.met >= self._expiry(window) for window in windows_of(self.windowing.windows, row.oldest))

    def _same(self, window: Window, other: Window) -> bool:
        """Whether they are one window, or merge."""
        windows = self.windowing.windows
        if not windows.merging:
            return window == other
        reach = 1 if getattr(windows, "merge_touching", False) else 0
        return window[0] < other[1] + reach and other[0] < window[1] + reach

    def _window(self, of_key: list[Live], window: Window) -> Live:
        """The live window that a pair goes into; merges those that overlap, if windows merge."""
        if not self.windowing.windows.merging:
            for live in of_key:
                if live.window == window:
                    return live
            of_key.append(Live(window, watch=watch(self.windowing.trigger)))
            return of_key[-1]
        parts = [live for live in of_key if self._same(live.window, window)]
        starts = [live.window[0] for live in parts] + [window[0]]
        ends = [live.window[1] for live in parts] + [window[1]]
        merged = Live((min(starts), max(ends)), watch=watch(self.windowing.trigger))
        for live in parts:
            if live.window == merged.window:
                return live
        if parts:
            merged.watch.take([live.watch for live in parts])
        for live in parts:
            of_key.remove(live)
            merged.pairs += live.pairs
            merged.new += live.new
            merged.fresh += live.fresh
            merged.last = max(merged.last, live.last)
            merged.absorbed |= live.absorbed
            merged.standing += live.standing
            merged.times += live.times
            if live.panes:
                merged.absorbed.add(live.window)
        of_key.append(merged)
        return merged

    def _asked(self, key: Key, live: Live, w0: int, w1: int, now: int) -> tuple[str | None, bool]:
        """The timing of the one pane that a window fires in this epoch, if it does, and whether it is the last."""
        end, how = live.window[1], self.windowing
        phase = "early" if end > w1 else "passing" if end > w0 else "late"
        some, expired = bool(live.new), self._expires(live) <= w1
        at = Situation(phase, some, lambda predicate: self._holds_for(predicate, self._so_far(key, live)))
        rows, live.fresh = live.fresh, 0
        if rows:
            live.watch.add(rows, now)
        fires = (expired or asks(live.watch, at, rows, now)) and live.watch.ready(at, now)
        finished = fires and live.watch.fire(at, now)
        pane = fires and (some or (phase == "passing" and how.on_time_behavior == "fire_always"))
        closes = expired or self._lapsed(live, w1)
        pane |= closes and not live.watch.over and (some or how.closing_behavior == "fire_always")
        return ("on_time" if phase == "passing" else phase) if pane else None, expired or finished

    def _so_far(self, key: Key, live: Live) -> dict[str, Any]:
        """The keys and aggregates as a pane would have them."""
        return dict(zip(self.keys, key, strict=True)) | self._results(live)

    def _results(self, live: Live) -> dict[str, Any]:
        results, content = {}, self._content(live)
        for name, (column, how) in self.aggregates.items():
            results[name] = aggregate(how, column, content, live.window)
        return results

    def _content(self, live: Live) -> list[Row]:
        if self.windowing.accumulation == "discarding":
            content = live.new
        else:
            taken = [(column, *getattr(how, "others", ())) for column, how in self.aggregates.values()]
            used = [name for names in taken for name in names if name is not None]
            content = left(live.pairs, live.back, used) if self.net else live.pairs
        return sorted(content, key=lambda row: (row.time, row.partition, row.position))

    def _fired(self, key: Key, live: Live, timing: str, final: bool) -> list[tuple[dict[str, Any], int | None]]:
        """What a window that fires gives: the panes that it takes back, then its pane, unless no row is left."""
        some = not self.net or bool(self._content(live))
        back = []
        if self.retracting or not some:
            back = [{**pane, "pane_retraction": True} for pane in live.standing]
            live.standing = []
        new = []
        if some:
            new = [self._fire(key, live, timing, final)]
            live.times.append(MAX_TIME if new[0]["event_time"] is None else new[0]["event_time"])
            if self.retracting or self.net:
                live.standing = list(new)
        else:
            live.new = []
        oldest = min(live.times) if len(set(live.times)) > 1 else None
        return [(pane, oldest) for pane in back + new]

    def _fire(self, key: Key, live: Live, timing: str, final: bool) -> dict[str, Any]:
        content = self._content(live)
        start, end = live.window
        pane = dict(zip(self.keys, key, strict=True))
        pane |= {"window_start": shown(start), "window_end": shown(end)}
        pane |= self._results(live)
        pane |= {"pane_timing": timing, "pane_index": live.panes, "pane_final": final}
        if self._tells:
            pane["pane_retraction"] = False
        if self.windowing.windows.merging:
            pane["pane_absorbs"] = [{"start": start, "end": end} for start, end in sorted(live.absorbed)]
        pane["event_time"] = shown(self._event_time(live.window, content))
        live.new, live.panes, live.absorbed = [], live.panes + 1, set()
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
            content = live.new if self.windowing.accumulation == "discarding" else live.pairs
            if live.window[1] > w1 and content:
                holds.append(self._event_time(live.window, content))
                if self.retracting and self.windowing.timestamp_combiner != "end_of_window":
                    # A pane that still stands is to be taken back at its own time.
                    holds += live.times
        return holds


def _told(row: Row, window: Window, reason: str) -> dict[str, Any]:
    """A dropped pair; a column of the row that has the name of an added one gets ``input_`` before it."""
    added = {
        "window_start": shown(window[0]),
        "window_end": shown(window[1]),
        "reason": reason,
        "watermark": shown(row.met),
    }
    return {f"input_{name}" if name in added else name: value for name, value in row.values.items()} | added
