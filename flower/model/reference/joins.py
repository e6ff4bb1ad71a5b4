"""The oracle's joins: every row that was ever admitted is kept and compared with every other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flower.model.reference.aggregates import missing
from flower.model.reference.retractions import same
from flower.model.reference.rows import Row, Window, plus, shown
from flower.model.reference.windows import windows_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windowing import Windowing
from flower.model.windows import Windows

Told = tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]
"""Joined rows; dropped ones; how many were on time, late and dropped."""

Key = tuple[Any, ...]
SIDES = ("left", "right")


class JoinOracle:
    """What the joins have in common.

    Parameters
    ----------
    keys : sequence of str
        Key columns; missing values are equal.
    names : pair of mappings of str to str
        What the columns of each side are called in the result.
    keeps : {"inner", "left", "right", "outer"}
        Which rows are given though nothing joins them.
    """

    def __init__(self, keys: Sequence[str], names: tuple[Mapping[str, str], Mapping[str, str]], keeps: str) -> None:
        self.keys, self.names = tuple(keys), names
        self.kept = [keeps in ("left", "outer"), keeps in ("right", "outer")]
        self.watermark = MIN_TIME
        """Of the output, after the last epoch."""
        self.same: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None)
        """Per side, the columns that a row and what takes it back have alike; None: no row is taken back."""
        self.retracts = False
        """Whether joined rows may be taken back."""
        self.never: list[tuple[int, Row]] = []
        """By side, what in the last epoch was found to take back rows that never came."""

    def _standing(self, side: int, rows: Sequence[Row]) -> list[Row]:
        """The rows that none of the others takes back; what takes back a row that is not there does nothing."""
        standing = [row for row in rows if not row.retraction]
        for row in rows:
            if row.retraction:
                taken = self._taken(side, row, standing)
                standing = [other for other in standing if other is not taken]
        return standing

    def _unmatched(self, side: int, rows: Sequence[Row]) -> list[Row]:
        """What takes back none of the other rows."""
        standing, unmatched = [row for row in rows if not row.retraction], []
        for row in rows if self.same[side] is not None else ():
            if row.retraction:
                taken = self._taken(side, row, standing)
                if taken is None:
                    unmatched.append(row)
                standing = [other for other in standing if other is not taken]
        return unmatched

    def _taken(self, side: int, back: Row, rows: Sequence[Row]) -> Row | None:
        """The row that a retraction takes back."""
        columns = self.same[side]
        assert columns is not None
        return next((row for row in rows if same(row, back, columns)), None)

    def _signed(self, rows: Iterable[dict[str, Any]], *, back: bool = False) -> list[dict[str, Any]]:
        """Joined rows, which say whether they take back others."""
        return [row | {"pane_retraction": back} if self.retracts else row for row in rows]

    def _key(self, row: Row) -> Key:
        return tuple(None if missing(row.values[name]) else row.values[name] for name in self.keys)

    def _joined(self, left: Row | None, right: Row | None, **more: Any) -> dict[str, Any]:
        result: dict[str, Any] = {name: None for names in self.names for name in names.values()}
        for names, row in ((self.names[1], right), (self.names[0], left)):
            if row is not None:
                result |= {names[name]: value for name, value in row.values.items() if name in names}
        return result | more

    def _alone(self, side: int, row: Row, **more: Any) -> dict[str, Any]:
        return self._joined(row, None, **more) if side == 0 else self._joined(None, row, **more)

    def _gone(self, side: int, row: Row, reason: str, **more: Any) -> dict[str, Any]:
        return self._alone(side, row, **more, reason=reason, watermark=shown(row.met)) | {"side": SIDES[side]}

    def _admitted(self, rows: Sequence[Sequence[Row]]) -> tuple[list[list[Row]], Told]:
        """Rows that do not come after the watermark, and what is told of the others."""
        admitted: list[list[Row]] = [[], []]
        told: Told = ([], [], {"on_time": 0, "late": 0, "dropped": 0})
        for side, some in enumerate(rows):
            for row in some:
                if row.met > row.time:
                    told[1].append(self._gone(side, row, "the row came after the watermark"))
                    told[2]["dropped"] += 1
                else:
                    admitted[side].append(row)
                    told[2]["on_time"] += 1
        return admitted, told


@dataclass
class Meeting:
    """A window of one key."""

    rows: tuple[list[Row], list[Row]] = field(default_factory=lambda: ([], []))
    new: list[Row] = field(default_factory=list)
    panes: int = 0
    standing: list[dict[str, Any]] = field(default_factory=list)


class WindowJoinOracle(JoinOracle):
    """Rows that have the same keys and lie in one window."""

    def __init__(self, windowing: Windowing, *args: Any) -> None:
        super().__init__(*args)
        self.windowing = windowing
        self._live: dict[tuple[Key, Window], Meeting] = {}

    def epoch(self, rows: Sequence[Sequence[Row]], w0: int, w1: int) -> Told:
        """Rows of both sides, each with the watermark it meets; and the step's watermark before and after."""
        told: Told = ([], [], {"on_time": 0, "late": 0, "dropped": 0})
        self.never = []
        for side, some in enumerate(rows):
            for row in some:
                for window in windows_of(self.windowing.windows, row.time):
                    self._admit(side, row, window, told)
        for (key, window), meeting in list(self._live.items()):
            passing = w0 < window[1] <= w1
            if passing or (window[1] <= w0 and meeting.new):
                pane = list(self._pane(meeting, window, "on_time" if passing else "late", w1))
                if self.retracts:
                    told[0].extend(self._signed(meeting.standing, back=True))
                    meeting.standing = pane
                told[0].extend(self._signed(pane))
            if self._expiry(window) <= w1:
                for side, some in enumerate(meeting.rows):
                    self.never += [(side, row) for row in self._unmatched(side, some)]
                del self._live[key, window]
        self.watermark = max(self.watermark, w1)
        return told

    def _expiry(self, window: Window) -> int:
        return plus(window[1], self.windowing.allowed_lateness_us)

    def _admit(self, side: int, row: Row, window: Window, told: Told) -> None:
        if row.met >= self._expiry(window):
            ends = {"window_start": shown(window[0]), "window_end": shown(window[1])}
            told[1].append(self._gone(side, row, "the window had expired", **ends))
            told[2]["dropped"] += 1
            return
        told[2]["late" if row.met >= window[1] else "on_time"] += 1
        meeting = self._live.setdefault((self._key(row), window), Meeting())
        meeting.rows[side].append(row)
        meeting.new.append(row)

    def _pane(self, meeting: Meeting, window: Window, timing: str, w1: int) -> Iterator[dict[str, Any]]:
        pane = {
            "window_start": shown(window[0]),
            "window_end": shown(window[1]),
            "pane_timing": timing,
            "pane_index": meeting.panes,
            "pane_final": self._expiry(window) <= w1,
            "event_time": shown(plus(window[1], -1)),
        }
        left, right = (self._standing(side, rows) for side, rows in enumerate(meeting.rows))
        new = [id(row) for row in meeting.new]
        discarding = self.windowing.accumulation == "discarding"
        for one in left:
            for other in right:
                if not discarding or id(one) in new or id(other) in new:
                    yield self._joined(one, other, **pane)
        for side, (some, others) in enumerate(((left, right), (right, left))):
            if self.kept[side] and not others:
                for row in some:
                    if not discarding or id(row) in new:
                        yield self._alone(side, row, **pane)
        meeting.panes, meeting.new = meeting.panes + 1, []


@dataclass(eq=False)
class Known:
    """A row that was admitted, and whether it has been given alone."""

    row: Row
    given: bool = False
    new: bool = True


class IntervalJoinOracle(JoinOracle):
    """Rows that have the same keys, the right one from ``low`` to ``high`` after the left one."""

    def __init__(self, low: int, high: int, *args: Any) -> None:
        super().__init__(*args)
        self.low, self.high = low, high
        self._known: list[list[Known]] = [[], []]
        self._owed: list[list[Row]] = [[], []]
        self._pairs: list[tuple[Known, Known]] = []

    def epoch(self, rows: Sequence[Sequence[Row]], w0: int, w1: int) -> Told:
        """As of `WindowJoinOracle`."""
        admitted, told = self._admitted(rows)
        self.never = []
        for side, some in enumerate(admitted):
            self._known[side].extend(Known(row) for row in some if not row.retraction)
            self._owed[side] += [row for row in some if row.retraction]
            for back in list(self._owed[side]):
                taken = self._taken(side, back, [one.row for one in self._known[side]])
                if taken is not None:
                    self._known[side] = [one for one in self._known[side] if one.row is not taken]
                    self._owed[side] = [row for row in self._owed[side] if row is not back]
            self.never += [(side, row) for row in self._owed[side] if row.time < w1]
            self._owed[side] = [row for row in self._owed[side] if row.time >= w1]
        there = {id(one) for known in self._known for one in known}
        gone = [pair for pair in self._pairs if not {id(pair[0]), id(pair[1])} <= there]
        new = [
            (one, other)
            for one in self._known[0]
            for other in self._known[1]
            if (one.new or other.new) and self._near(one.row, other.row)
        ]
        told[0].extend(self._signed([self._together(*pair) for pair in gone], back=True))
        told[0].extend(self._signed([self._together(*pair) for pair in new]))
        self._pairs = [pair for pair in self._pairs if pair not in gone] + new
        paired = {id(one) for pair in self._pairs for one in pair}
        holds = [w1]
        for side, known in enumerate(self._known):
            for one in known:
                one.new = False
                if not self.kept[side] or one.given or id(one) in paired:
                    continue
                ahead = self.high if side == 0 else -self.low
                last = one.row.time + (ahead if self.same[side] is None else max(ahead, 0))
                if last < w1 or w1 == MAX_TIME:
                    told[0].extend(self._signed([self._alone(side, one.row, event_time=shown(one.row.time))]))
                    one.given = True
                else:
                    holds.append(one.row.time)
        self.watermark = max(self.watermark, min(holds))
        return told

    def _together(self, left: Known, right: Known) -> dict[str, Any]:
        return self._joined(left.row, right.row, event_time=shown(max(left.row.time, right.row.time)))

    def _near(self, left: Row, right: Row) -> bool:
        return self._key(left) == self._key(right) and self.low <= right.time - left.time <= self.high


class AsofJoinOracle(JoinOracle):
    """Each left row with the right row of the same keys that is nearest in event time."""

    def __init__(self, direction: str, tolerance: int | None, *args: Any) -> None:
        super().__init__(*args)
        self.direction, self.tolerance = direction, tolerance
        self._waiting: list[Row] = []
        self._right: list[Row] = []

    def epoch(self, rows: Sequence[Sequence[Row]], w0: int, w1: int) -> Told:
        """As of `WindowJoinOracle`."""
        (left, right), told = self._admitted(rows)
        self._waiting += left
        self._right += right
        wait = 0 if self.direction == "backward" else self.tolerance or 0
        ready = [row for row in self._waiting if row.time + wait < w1 or w1 == MAX_TIME]
        self._waiting = [row for row in self._waiting if row not in ready]
        self.never = [(0, row) for row in self._unmatched(0, ready)]
        lost = [row for row in self._unmatched(1, self._right) if row.time < w1]
        self.never += [(1, row) for row in lost]
        self._right = [row for row in self._right if not any(row is other for other in lost)]
        for row in self._standing(0, ready):
            nearest = self._nearest(row)
            if nearest is not None or self.kept[0]:
                told[0].append(self._joined(row, nearest, event_time=shown(row.time)))
        self.watermark = max(self.watermark, min([w1, *(row.time for row in self._waiting)]))
        return told

    def _nearest(self, left: Row) -> Row | None:
        """Of several of one time the last that came looking back, the first looking ahead; back if both are as near."""
        mine = [row for row in self._standing(1, self._right) if self._key(row) == self._key(left)]
        mine.sort(key=lambda row: (row.time, row.partition, row.position))
        before = [row for row in mine if row.time <= left.time]
        after = [row for row in mine if row.time >= left.time]
        choice = [
            *(before[-1:] if self.direction != "forward" else []),
            *(after[:1] if self.direction != "backward" else []),
        ]
        near = [row for row in choice if self.tolerance is None or abs(row.time - left.time) <= self.tolerance]
        return min(near, key=lambda row: abs(row.time - left.time), default=None)


class InWindowOracle(JoinOracle):
    """Each left row with the newest right row of the same keys, in the window of the right that it looks into."""

    def __init__(self, windowing: Windowing, mapped: Windows | None, waits: bool, *args: Any) -> None:
        super().__init__(*args)
        self.windowing, self.mapped, self.waits = windowing, mapped, waits
        self._waiting: list[tuple[Row, Window]] = []
        self._right: list[tuple[Row, Window, int]] = []
        self._epochs = 0

    def epoch(self, rows: Sequence[Sequence[Row]], w0: int, w1: int) -> Told:
        """As of `WindowJoinOracle`."""
        told: Told = ([], [], {"on_time": 0, "late": 0, "dropped": 0})
        for side, some in enumerate(rows):
            for row in some:
                time = row.time
                if side == 0 and self.mapped is not None:
                    ((_, end),) = windows_of(self.mapped, time)
                    time = end - 1
                (window,) = windows_of(self.windowing.windows, time)
                if row.met >= plus(window[1], self.windowing.allowed_lateness_us):
                    ends = {"window_start": shown(window[0]), "window_end": shown(window[1])}
                    told[1].append(self._gone(side, row, "the window had expired", **ends))
                    told[2]["dropped"] += 1
                    continue
                told[2]["late" if row.met >= window[1] else "on_time"] += 1
                if side == 0:
                    self._waiting.append((row, window))
                else:
                    self._right.append((row, window, self._epochs))
        self._epochs += 1
        still = []
        for row, window in self._waiting:
            newest = self._newest(row, window)
            passed = window[1] <= w1
            if not passed and (newest is None or self.waits):
                still.append((row, window))
            elif newest is not None or self.kept[0]:
                told[0].append(self._joined(row, newest, event_time=shown(row.time)))
        self._waiting = still
        self.watermark = max(self.watermark, min([w1, *(row.time for row, _ in still)]))
        return told

    def _newest(self, left: Row, window: Window) -> Row | None:
        """The last in event time, of one time the last that came."""
        same = [
            (row.time, epoch, row.partition, row.position, row)
            for row, there, epoch in self._right
            if there == window and self._key(row) == self._key(left)
        ]
        return max(same, key=lambda each: each[:4])[-1] if same else None
