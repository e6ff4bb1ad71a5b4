"""Which rows of two sides belong together: of one key and window, or of one key and near in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keys import encode, equal, ranked
from flower.engine.lift import window_codes
from flower.engine.waiting import Held, spread
from flower.model.arrays import Bools, group_starts, order
from flower.model.time import I64, MAX_TIME, MIN_TIME


def key_numbers(left: Held, right: Held, keys: Sequence[str], *, exact: bool) -> tuple[I64, I64]:
    """One dense number for each key, for the rows of both sides."""
    number, _ = _numbers(left, right, keys, exact=exact)
    return number[: len(left)], number[len(left) :]


def _numbers(left: Held, right: Held, keys: Sequence[str], *, exact: bool) -> tuple[I64, int]:
    """A number for the key of each row of the one and the other, and below what these are."""
    if exact:
        number, known = ranked(np.concatenate((left.hash, right.hash)))
        return number, len(known)
    columns = [pa.concat_arrays([left.rows.column(key), right.rows.column(key)]) for key in keys]
    encoded = encode(columns, len(left) + len(right), exact=False)
    return encoded.codes, len(encoded.hash)


def numbered(left: Held, right: Held, step: Joint) -> tuple[I64, I64, int]:
    """One number for each window and key, for the rows of both sides, ascending by the end of the window; and below
    what all are.
    """
    assert step.windowing is not None
    n = len(left)
    number, width = _numbers(left, right, step.keys, exact=step.exact)
    at, until = (np.concatenate((getattr(left, name), getattr(right, name))) for name in ("at", "until"))
    if len(at) and ((at != at[0]).any() or (until != until[0]).any()):
        window, _, ends = window_codes(step.windowing.windows, at, until)
        number, width = window * width + number, len(ends) * width
        if width > 4 * len(number) + 65_536:
            number, known = ranked(number)
            width = len(known)
    return number[:n], number[n:], width


def alike(left: I64, right: I64, count: int) -> tuple[I64, I64]:
    """The pairs of rows that have the same number, as indices; by that number, then by the left row, then the right."""
    by_left, by_right = order(left), order(right)
    per = np.bincount(right, minlength=count)
    first = np.cumsum(per) - per
    number = left[by_left]
    mine, theirs = spread(first[number], per[number])
    return by_left[mine], by_right[theirs]


def near(left: Held, right: Held, low: int, high: int, keys: Sequence[str], *, exact: bool) -> tuple[I64, I64]:
    """The pairs of rows, as indices, in which the right one is of a time from the left one's ``at + low`` to ``at +
    high``. The larger table is `by_key`; rows of the other are looked up in it, the faster if they are, too.
    """
    if len(left) > len(right):
        mine, theirs = _looked_up(right, left, -high, -low)[::-1]
    else:
        mine, theirs = _looked_up(left, right, low, high)
    if exact or not len(mine):
        return mine, theirs
    same = same_key(left, mine, right, theirs, keys)
    return (mine, theirs) if same.all() else (mine[same], theirs[same])


def _looked_up(rows: Held, table: Held, low: int, high: int) -> tuple[I64, I64]:
    _, _, (first, last) = places(table, rows.hash, (_moved(rows.at, low), False), (_moved(rows.at, high), True))
    return spread(first, last - first)


def places(table: Held, hash_: I64, *wanted: tuple[I64, bool]) -> tuple[I64, I64, list[I64]]:
    """Where the rows of some hashes are in a table that is `by_key`.

    Parameters
    ----------
    hash_ : ndarray of int64
        Of each row that asks; best equal ones together.
    wanted : pair of (ndarray of int64, bool)
        Times that they ask for, best ascending for a hash, and whether rows of that time are before it.

    Returns
    -------
    begin, end : ndarray of int64
        Of each the rows of the same hash; the same number twice: there are none.
    places : list of ndarray of int64
        And the place among these before which all are of a time before the one wanted.
    """
    starts = group_starts(hash_)
    each, rows = hash_[starts], np.diff(np.append(starts, len(hash_)))
    coded = _coded(table) if len(table) <= 4 * len(hash_) else None
    if coded is None:
        first = table.sought.find(each) if len(table) else np.full(len(each), -1)
        there = np.flatnonzero(first >= 0)
        last = first.copy()
        last[there] = table.sought.after(first[there])
        begin, end = np.repeat(first, rows), np.repeat(last, rows)
        return begin, end, [bisected(table.at, begin, end, times, inclusive=inclusive) for times, inclusive in wanted]
    known, firsts, code, bits, before = coded
    group = np.searchsorted(known, each)
    there = known[np.minimum(group, len(known) - 1)] == each
    begin = np.repeat(firsts[group], rows)
    end = np.repeat(firsts[group + there], rows)
    base, most = np.repeat(group << bits, rows), min(before + 2**bits - 1, MAX_TIME)
    found = []
    for times, inclusive in wanted:
        asked = base + (np.clip(times, before, most) - before)
        found.append(np.minimum(np.searchsorted(code, asked, side="right" if inclusive else "left"), end))
    return begin, end, found


def _coded(table: Held) -> tuple[I64, I64, I64, int, int] | None:
    """The hashes of a table, where the rows of each begin, and for each row one number: that of its hash, and in the
    last ``bits`` its time from one before all of them on. None: these are too many.
    """
    if not len(table):
        return None
    firsts = group_starts(table.hash)
    before = int(table.at.min()) - 1
    bits = (int(table.at.max()) - before + 1).bit_length()
    if before < MIN_TIME or bits + len(firsts).bit_length() > 62:
        return None
    known, firsts = table.hash[firsts], np.append(firsts, len(table))
    number = np.repeat(np.arange(len(known)) << bits, np.diff(firsts))
    return known, firsts, number + (table.at - before), bits, before


def same_key(left: Held, at: I64, right: Held, where: I64, keys: Sequence[str]) -> Bools:
    """Pair by pair, whether rows have the same key; missing ones are equal."""
    return equal(
        tuple(_nan_is_null(left.rows.column(key)).take(pa.array(at)) for key in keys),
        tuple(_nan_is_null(right.rows.column(key)).take(pa.array(where)) for key in keys),
    )


def _nan_is_null(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    return pa.array(values, mask=np.isnan(values))


def _moved(time: I64, us: int) -> I64:
    """``time + us`` that stops at the ends of time."""
    moved = time + np.int64(us)
    if us >= 0:
        return np.where(moved < time, np.iinfo(np.int64).max, moved)
    return np.where(moved > time, np.iinfo(np.int64).min, moved)


def bisected(values: I64, low: I64, high: I64, wanted: I64, *, inclusive: bool) -> I64:
    """For each row the place in ``values[low:high]``, ascending there, before which all are less than ``wanted``."""
    low, high = low.copy(), high.copy()
    open_ = np.flatnonzero(low < high)
    while len(open_):
        middle = (low[open_] + high[open_]) >> 1
        probe = values[middle]
        before = probe <= wanted[open_] if inclusive else probe < wanted[open_]
        low[open_[before]] = middle[before] + 1
        high[open_[~before]] = middle[~before]
        open_ = open_[low[open_] < high[open_]]
    return low
