"""Bloom filters of keys and times, for rows that are told apart by sketch: a row that was put in is always found.

What is put in is a 64-bit hash of a key and of the slice of time that a row is in. Filters come in generations: one
takes elements until it is as full as its error allows, then the next begins, which is larger (the scalable Bloom
filters of Almeida et al., 2007). Each knows the first and last slice in it, and goes as a whole when the watermark
is past the last. Where ``r`` generations are there already, the next one's error is ``2 ** -(r + 1)`` of what is
allowed: so however many are there at a time, all of them together err no more often than allowed. Bloom (1970); probes
by double hashing (Kirsch and Mitzenmacher, 2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from flower.model.arrays import Bools
from flower.model.time import I64

U64 = npt.NDArray[np.uint64]

LEAST, MOST = 2**13, 2**26
"""Elements of the first generation, and of any."""
GROWS = 2
"""A generation is so many times as large as all before it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A filter.

    Parameters
    ----------
    words : ndarray of uint64
        Its bits.
    probes : int
        How many bits there are for an element.
    capacity, count : int
        How many elements it is for, and how many are in it.
    first, last : int
        Between which slices of time these are.
    """

    words: U64
    probes: int
    capacity: int
    count: int
    first: int
    last: int

    @property
    def nbytes(self) -> int:
        """Bytes of its bits."""
        return int(self.words.nbytes)


def holding(generations: Sequence[Generation], key: I64, slices: I64, reach: int) -> Bools:
    """Of which keys something was put in of a slice at most ``reach`` away; of few others too."""
    found = np.zeros(len(key), np.bool_)
    if not generations:
        return found
    left = np.arange(len(key))
    mixed = _mixed(key.view(np.uint64))
    for away in sorted(range(-reach, reach + 1), key=abs):
        there = slices[left] + away
        hash_ = _hashes(mixed[left], there)
        held = np.zeros(len(left), np.bool_)
        for each in generations:
            at = np.flatnonzero(~held & (there >= each.first) & (there <= each.last))
            held[at] = _held(each, hash_[at])
        found[left[held]] = True
        left = left[~held]
    return found


def with_more(generations: Sequence[Generation], key: I64, slices: I64, error: float) -> tuple[Generation, ...]:
    """Generations in which these are too; ``error`` is how often one that was not put in may be found.

    The last one is copied; those before it stay what they are.
    """
    grown = list(generations)
    begin, n = 0, len(key)
    while begin < n:
        if not grown or grown[-1].count >= grown[-1].capacity:
            grown.append(_anew(grown, error))
        last = grown[-1]
        end = min(n, begin + last.capacity - last.count)
        grown[-1] = _filled(last, key[begin:end], slices[begin:end])
        begin = end
    return tuple(grown)


def living(generations: Sequence[Generation], least: int) -> tuple[Generation, ...]:
    """The generations in which there is anything of the slice ``least``, or of later ones."""
    return tuple(each for each in generations if each.last >= least)


def _anew(before: Sequence[Generation], error: float) -> Generation:
    capacity = min(max(LEAST, GROWS * sum(each.count for each in before)), MOST)
    probes = math.ceil(-math.log2(error)) + len(before) + 1
    bits = math.ceil(capacity * probes / math.log(2))
    return Generation(np.zeros(-(-bits // 64), np.uint64), probes, capacity, 0, 2**62, -(2**62))


def _filled(last: Generation, key: I64, slices: I64) -> Generation:
    words = last.words.copy()
    hash_ = _hashes(_mixed(key.view(np.uint64)), slices)
    for probe in range(last.probes):
        word, bit = _place(hash_, probe, len(words))
        np.bitwise_or.at(words, word, bit)
    first, end = min(last.first, int(slices.min())), max(last.last, int(slices.max()))
    return replace(last, words=words, count=last.count + len(key), first=first, last=end)


def _held(each: Generation, hash_: U64) -> Bools:
    """Of which elements all bits are set; half of those that are not there go with every probe."""
    n = len(hash_)
    left = np.arange(n)
    for probe in range(each.probes):
        word, bit = _place(hash_, probe, len(each.words))
        set_ = (each.words[word] & bit) != 0
        left, hash_ = left[set_], hash_[set_]
        if not len(left):
            break
    held = np.zeros(n, np.bool_)
    held[left] = True
    return held


_HALF = np.uint64(32)


def _place(hash_: U64, probe: int, words: int) -> tuple[npt.NDArray[np.int64], U64]:
    """The word and the bit in it of each element for a probe: its halves are its two hashes, the second made odd."""
    at = hash_ + np.uint64(probe) * ((hash_ << _HALF) | (np.uint64(1) << _HALF))
    at = ((at >> _HALF) * np.uint64(words * 64)) >> _HALF  # of the range of all bits
    return (at >> np.uint64(6)).view(np.int64), np.uint64(1) << (at & np.uint64(63))


def _hashes(mixed: U64, slices: I64) -> U64:
    """A hash of each element, of the mixed hash of its key and its slice."""
    # Not the same of both: the key 3 in slice 7 is no key 7 in slice 3.
    return _mixed(mixed + slices.view(np.uint64) * np.uint64(0xD1342543DE82EF95))


def _mixed(value: U64) -> U64:
    """The finalizer of SplitMix64 (Steele et al., 2014), one to one."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
