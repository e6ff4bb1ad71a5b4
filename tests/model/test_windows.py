"""Windows: assigned as their definition says, at every edge."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import DurationError, WindowError
from flower.model.canonical import value_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, SlidingWindows

# A coarse grid around 1970, so that rows land on the edges, and the two ends of time.
TIMES = st.lists(
    st.integers(-12, 12) | st.integers(MIN_TIME, MIN_TIME + 20) | st.integers(MAX_TIME - 20, MAX_TIME), max_size=12
)
SIZES = st.integers(1, 8)


def us(n: int) -> str:
    return f"{n}us"


def by_definition(times: list[int], size: int, every: int, offset: int) -> list[tuple[int, int, int]]:
    """All ``[offset + i * every, offset + i * every + size)`` that hold each time, cut off at the ends of time."""
    pairs = []
    for row, time in enumerate(times):
        first = (time - size - offset) // every
        for start in (offset + i * every for i in range(first, first + size // every + 3)):
            if start <= time < start + size:
                pairs.append((row, max(start, MIN_TIME), min(start + size, MAX_TIME)))
    return pairs


def assigned(windows, times: list[int]) -> list[tuple[int, int, int]]:
    row, start, end = windows.assign(np.array(times, np.int64))
    rows = range(len(times)) if row is None else row.tolist()
    return list(zip(rows, start.tolist(), end.tolist(), strict=True))


@given(TIMES, SIZES, st.integers(-20, 20))
def test_fixed_windows_are_those_of_the_definition(times, size, offset):
    assert assigned(FixedWindows(us(size), offset=us(offset)), times) == by_definition(times, size, size, offset)


@given(TIMES, SIZES, SIZES, st.integers(-20, 20))
def test_sliding_windows_are_those_of_the_definition(times, one, other, offset):
    size, every = max(one, other), min(one, other)
    windows = SlidingWindows(us(size), every=us(every), offset=us(offset))
    assert assigned(windows, times) == by_definition(times, size, every, offset)


@given(TIMES, SIZES)
def test_sessions_start_as_the_gap_after_each_row(times, gap):
    # The very first instant is no event time: there, null is stored.
    times = [time for time in times if time > MIN_TIME]
    expected = [(row, time, min(time + gap, MAX_TIME)) for row, time in enumerate(times)]
    assert assigned(Sessions(us(gap)), times) == expected


@given(TIMES)
def test_the_global_window_covers_all_of_time(times):
    assert assigned(GlobalWindows(), times) == [(row, MIN_TIME, MAX_TIME) for row in range(len(times))]


@pytest.mark.parametrize("windows", [FixedWindows("2D"), FixedWindows("99999D"), SlidingWindows("999D", every="1D")])
def test_long_windows_do_not_wrap_around_at_the_ends_of_time(windows):
    _, start, end = windows.assign(np.array([MIN_TIME, MIN_TIME + 1, MAX_TIME - 1, MAX_TIME]))
    assert (start < end).all()


def test_no_rows_have_no_windows():
    none = np.empty(0, np.int64)
    for windows in (FixedWindows("1s"), SlidingWindows("1s", every="1s"), Sessions("1s"), GlobalWindows()):
        _, start, end = windows.assign(none)
        assert len(start) == len(end) == 0


def test_only_sessions_merge():
    others = (FixedWindows("1s"), SlidingWindows("1s", every="1s"), GlobalWindows())
    assert Sessions("1s").merging
    assert not any(windows.merging for windows in others)


def test_every_longer_than_size_is_refused_and_fixed_windows_are_named():
    with pytest.raises(WindowError) as caught:
        SlidingWindows("1h", every="2h")
    assert str(caught.value) == (
        "`every` must be in (0, size]; got every=2h, size=1h; use FixedWindows('1h') for windows that do not overlap"
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedWindows("0s"),
        lambda: FixedWindows(10),
        lambda: FixedWindows("-1s"),
        lambda: FixedWindows("1s", offset=3),
        lambda: SlidingWindows("1s", every="0s"),
        lambda: Sessions("0s"),
    ],
)
def test_what_is_no_positive_duration_is_refused(make):
    with pytest.raises(DurationError):
        make()


def test_windows_are_values_whose_repr_is_their_source():
    for text in (
        "FixedWindows('1h')",
        "FixedWindows('1h', offset='15min')",
        "SlidingWindows('1h', every='10min')",
        "SlidingWindows('1h', every='10min', offset='1min 30s')",
        "Sessions('30min')",
        "GlobalWindows()",
    ):
        windows = value_of(text)
        assert repr(windows) == text
        assert pickle.loads(pickle.dumps(windows)) == windows
        assert hash(windows) == hash(value_of(text))


def test_offsets_a_whole_size_apart_give_equal_windows():
    assert FixedWindows("1h", offset="-15min") == FixedWindows("60min", offset="105min")
    assert SlidingWindows("1h", every="10min", offset="25min") == SlidingWindows("1h", every="10min", offset="5min")
