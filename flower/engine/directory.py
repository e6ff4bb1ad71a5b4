"""Where numbers stand among many ascending ones that never change, by their highest bits.

A binary search in millions of numbers waits for memory some twenty times, a directory two or three times. It is worth
that it is made where many are looked up, such as the keys of the rows that come in the keys that are held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flower.model.time import I64

LEAST = 4_096
"""Among fewer numbers a binary search is as fast."""
WORTH = 16
"""A directory of so many numbers is worth what it costs when one has been looked up in it."""
STEPS, CROWDED = 3, 32
"""So many numbers that have the same highest bits are looked at one after another; the few that stand beyond are
searched for. Where more than the other number have the same, they are of a kind that these bits do not tell apart.
"""


@dataclass(frozen=True, slots=True)
class Directory:
    """Made by `directory`.

    Parameters
    ----------
    numbers : ndarray of int64
        Ascending.
    shift : int
        How many low bits are left out of a number, less the least.
    starts : ndarray of int
        After how many numbers those begin that have the same high bits, and how many there are.
    """

    numbers: I64
    shift: int
    starts: npt.NDArray[Any]

    def find(self, wanted: I64) -> I64:
        """What `Sought.find` gives.

        Examples
        --------
        >>> import numpy as np
        >>> numbers = np.arange(0, 100_000, 5)
        >>> directory(numbers).find(np.array([-3, 0, 7, 99_995, 200_000])).tolist()
        [-1, 0, -1, 19999, -1]
        """
        least, greatest, last = int(self.numbers[0]), int(self.numbers[-1]), len(self.numbers) - 1
        inside = wanted
        if len(wanted) and (wanted.min() < least or wanted.max() > greatest):
            inside = np.clip(wanted, least, greatest)
        high = _highest(inside, least, self.shift)
        begin = self.starts[high]
        found = np.full(len(wanted), -1)
        asking = np.flatnonzero(begin < self.starts[high + 1])
        place, sought = begin[asking].astype(np.int64), wanted[asking]
        for _ in range(STEPS):
            here = self.numbers[place]
            there = np.flatnonzero(here == sought)
            found[asking[there]] = place[there]
            on = np.flatnonzero((here < sought) & (place < last))
            asking, sought, place = asking[on], sought[on], place[on] + 1
        if len(asking):
            place = self.numbers.searchsorted(sought)
            there = np.flatnonzero(self.numbers[np.minimum(place, last)] == sought)
            found[asking[there]] = place[there]
        return found


def directory(numbers: I64) -> Directory | None:
    """A directory of ascending numbers; None: it would not be faster than a binary search."""
    if len(numbers) < LEAST:
        return None
    least, span = int(numbers[0]), int(numbers[-1]) - int(numbers[0])
    # Twice to four times as many places as numbers: most begin one of their own.
    shift = max(span.bit_length() - len(numbers).bit_length() - 1, 0)
    counts: I64 = np.bincount(_highest(numbers, least, shift), minlength=(span >> shift) + 1)
    if counts.max() > CROWDED:
        return None
    starts: npt.NDArray[Any] = np.zeros(len(counts) + 1, np.int32 if len(numbers) < 2**31 else np.int64)
    np.cumsum(counts, out=starts[1:])
    return Directory(numbers, shift, starts)


def _highest(numbers: I64, least: int, shift: int) -> I64:
    # Differences may wrap around: as numbers without a sign they come out right.
    return ((numbers.view(np.uint64) - np.uint64(least % 2**64)) >> np.uint64(shift)).view(np.int64)


class Sought:
    """Ascending numbers that never change, in which others are looked up. Those that are asked much get a directory.

    Parameters
    ----------
    numbers : ndarray of int64
        Ascending.

    Examples
    --------
    >>> import numpy as np
    >>> sought = Sought(np.array([1, 3, 3, 7]))
    >>> found = sought.find(np.array([0, 3, 7]))
    >>> found.tolist(), sought.after(found[1:]).tolist()
    ([-1, 1, 3], [3, 4])
    """

    __slots__ = ("_asked", "_numbers", "directory")

    def __init__(self, numbers: I64) -> None:
        self._numbers, self._asked = numbers, 0
        self.directory: Directory | None = None

    def find(self, wanted: I64) -> I64:
        """Where each number stands, the first of equal ones; -1: it is not there."""
        if self.directory is not None:
            return self.directory.find(wanted)
        before, self._asked = self._asked, self._asked + len(wanted)
        if WORTH * before < len(self._numbers) <= WORTH * self._asked:
            self.directory = directory(self._numbers)
            if self.directory is not None:
                return self.directory.find(wanted)
        place = self._numbers.searchsorted(wanted)
        there = self._numbers[np.minimum(place, len(self._numbers) - 1)] == wanted
        return np.where(there, place, -1)

    def after(self, places: I64) -> I64:
        """Behind the numbers that are equal to those at some places, the first of them."""
        last, wanted, after = len(self._numbers) - 1, self._numbers[places], places + 1
        asking = np.arange(len(places))
        for _ in range(STEPS):
            at = after[asking]
            asking = asking[(at <= last) & (self._numbers[np.minimum(at, last)] == wanted[asking])]
            after[asking] += 1
        after[asking] = self._numbers.searchsorted(wanted[asking], side="right")
        return after
