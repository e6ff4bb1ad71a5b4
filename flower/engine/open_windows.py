"""Which windows of a keyed step are open: for a person who asks what they wait for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.aligned import AlignedState
from flower.engine.counted import CountedState
from flower.engine.groups import GONE, Groups
from flower.engine.lookup import tables_of
from flower.engine.sessions import SessionState
from flower.engine.state import KeyedState
from flower.model import arrays
from flower.model.time import I64, MIN_TIME

Table = tuple[Groups, I64, I64, bool]
"""Groups, their windows, and whether those of one (key, window) add up; see `tables_of`."""


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """A window that is open.

    Parameters
    ----------
    start, end : int
        The window.
    keys, rows : int
        Keys that it is open for, and their pairs since their last panes.
    key : tuple or None
        The values of the key with the most of them; None: the step has no keys.
    most : int
        Its pairs.
    """

    start: int
    end: int
    keys: int
    rows: int
    key: tuple[object, ...] | None
    most: int


def open_windows_of(state: KeyedState, n: int) -> list[OpenWindow]:
    """The ``n`` open windows that end first; each is looked at whole, the others only for their ends."""
    if not isinstance(state, AlignedState | SessionState | CountedState):
        return []
    tables = [table for table in tables_of(state) if len(table[0])]
    passed = state.watermark
    if isinstance(state, CountedState):
        # No watermark passes a window of rows; a key has one at a time.
        tables, passed = _filling(tables), MIN_TIME
    found: list[OpenWindow] = []
    while len(found) < n:
        ends = [int(later.min()) for _, _, end, _ in tables if len(later := end[end > passed])]
        if not ends:
            break
        passed = min(ends)
        found += _ending_at(tables, passed)
    return found[:n]


def together(several: Iterable[list[OpenWindow]], n: int) -> list[OpenWindow]:
    """What several shards have open, as one."""
    found: dict[tuple[int, int], OpenWindow] = {}
    for one in (each for shard in several for each in shard):
        other = found.get((one.start, one.end))
        if other is not None:
            larger = one if one.most > other.most else other
            one = replace(larger, keys=one.keys + other.keys, rows=one.rows + other.rows)
        found[one.start, one.end] = one
    return sorted(found.values(), key=lambda one: (one.end, one.start))[:n]


def _filling(tables: list[Table]) -> list[Table]:
    """The newest record of each key, where its window has rows."""
    lengths = [len(groups) for groups, _, _, _ in tables]
    hashes = np.concatenate([groups.hash for groups, _, _, _ in tables] or [np.zeros(0, np.int64)])[::-1]
    newest = np.zeros(len(hashes), np.bool_)
    newest[len(hashes) - 1 - np.unique(hashes, return_index=True)[1]] = True
    made = []
    for (groups, start, end, adds), mine in zip(tables, np.split(newest, np.cumsum(lengths)[:-1]), strict=False):
        at = np.flatnonzero(mine & (groups.rows > 0))
        if len(at):
            made.append((groups.take(at), start[at], end[at], adds))
    return made


def _ending_at(tables: list[Table], end: int) -> list[OpenWindow]:
    """The windows with that end."""
    there = [(groups, start, np.flatnonzero(ends == end), adds) for groups, start, ends, adds in tables]
    there = [each for each in there if len(each[2])]
    table = np.repeat(np.arange(len(there)), [len(at) for _, _, at, _ in there])
    place = np.concatenate([at for _, _, at, _ in there])
    hash_, start, rows = (
        np.concatenate(parts) for parts in zip(*((g.hash[at], s[at], g.rows[at]) for g, s, at, _ in there), strict=True)
    )
    gone = np.concatenate(
        [np.zeros(len(at), np.bool_) if g.last is None else g.last[at] == GONE for g, _, at, _ in there]
    )
    # Oldest first: a later record of one (key, window) adds to those before it, or takes their place.
    order = np.lexsort((np.arange(len(hash_)), hash_, start))
    first = np.r_[True, (np.diff(start[order]) != 0) | (np.diff(hash_[order]) != 0)]
    heads, newest = np.flatnonzero(first), order[np.r_[first[1:], True]]
    adds = np.array([each[3] for each in there])[table[newest]]
    counted = np.where(adds, np.add.reduceat(rows[order], heads), rows[newest])
    kept = ~gone[newest]
    newest, counted = newest[kept], counted[kept]
    made = []
    for begin in arrays.distinct(start[newest]).tolist():
        mine = np.flatnonzero(start[newest] == begin)
        best = int(mine[counted[mine].argmax()])
        groups = there[table[newest[best]]][0]
        key = _key(groups, int(place[newest[best]]))
        made.append(OpenWindow(begin, end, len(mine), int(counted[mine].sum()), key, int(counted[best])))
    return made


def _key(groups: Groups, at: int) -> tuple[object, ...] | None:
    if not groups.keys:
        return None
    return tuple(_value(arrays.take(key, np.array([at]))) for key in groups.keys)


def _value(column: pa.Array) -> object:
    return column[0].as_py()
