"""Numbers are found among ascending ones, wherever they are."""

from __future__ import annotations

import numpy as np
import pytest

from flower.engine import directory as module
from flower.engine.directory import Sought, directory

MOST = 2**63 - 1


def expected(numbers, wanted):
    place = numbers.searchsorted(wanted)
    there = numbers[np.minimum(place, len(numbers) - 1)] == wanted
    return np.where(there, place, -1).tolist()


def spread(random):
    return random.integers(-(2**63), MOST, 6_000)


def whole(random):
    return np.append(spread(random), [-(2**63), MOST])


def dense(random):
    return random.integers(-3_000, 6_000, 6_000)


def in_heaps(random):
    """Nine or more stand where one would."""
    return np.concatenate([at + random.integers(0, 64, 9) for at in random.integers(-(2**40), 2**40, 600)])


@pytest.mark.parametrize("made", [spread, whole, dense, in_heaps])
@pytest.mark.parametrize("steps", [0, 1, module.STEPS])
def test_every_number_is_found_where_a_binary_search_finds_it(made, steps, monkeypatch):
    monkeypatch.setattr(module, "STEPS", steps)
    random = np.random.default_rng(3)
    numbers = np.sort(made(random))  # some several times
    known = directory(numbers)
    assert known is not None
    ends = [-(2**63), numbers[0] - 1 if numbers[0] > -(2**63) else 0, numbers[-1], MOST]
    for wanted in (numbers, np.sort(random.integers(-(2**63), MOST, 500)), np.array(ends), numbers[:0]):
        assert known.find(wanted).tolist() == expected(numbers, wanted)
    near = np.concatenate((numbers[1:-1] - 1, numbers[1:-1] + 1))
    assert known.find(near).tolist() == expected(numbers, near)


def test_few_numbers_and_those_that_high_bits_do_not_tell_apart_have_none():
    assert directory(np.arange(100)) is None
    assert directory(np.append(np.arange(10_000), MOST)) is None, "all but one in one place"


def test_numbers_that_are_asked_little_get_no_directory_and_those_that_are_asked_enough_do():
    numbers = np.sort(spread(np.random.default_rng(4)))
    sought = Sought(numbers)
    for times in range(1, 6):
        assert sought.find(numbers[:100]).tolist() == list(range(100))
        assert (sought.directory is not None) == (times * 100 * module.WORTH >= len(numbers))


@pytest.mark.parametrize("made", [spread, dense, in_heaps])
@pytest.mark.parametrize("steps", [0, 1, module.STEPS])
@pytest.mark.parametrize("worth", [0, 10**9])
def test_equal_numbers_are_told_from_the_first_to_the_last(made, steps, worth, monkeypatch):
    monkeypatch.setattr(module, "STEPS", steps)
    monkeypatch.setattr(module, "WORTH", worth)
    random = np.random.default_rng(5)
    numbers = np.sort(made(random))
    often = numbers[[1_000, 4_000]]
    numbers = np.sort(np.append(numbers, np.repeat(often, 15)))
    sought = Sought(numbers)
    wanted = np.sort(np.concatenate((random.choice(numbers, 500), often, random.integers(-(2**41), 2**41, 500))))
    first = sought.find(wanted)
    assert (sought.directory is None) == (worth == 0)
    assert first.tolist() == expected(numbers, wanted)
    there = first[first >= 0]
    assert sought.after(there).tolist() == numbers.searchsorted(numbers[there], side="right").tolist()
    assert (sought.after(there) - there).max() >= 16
