"""Canonical source, read back without running anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import ExpressionError, WindowError
from flower.model.calendar import CalendarWindows
from flower.model.canonical import value_of
from flower.model.time import duration_text
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark
from flower.model.watermarks import BoundedDisorder, ManualWatermark, Monotonic
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, SlidingWindows

durations = st.integers(1, 10**12).map(duration_text)
parts = st.none() | st.builds(AfterProcessingTime, durations) | st.builds(AfterCount, st.integers(1, 9))
values = st.one_of(
    st.builds(FixedWindows, durations, offset=durations),
    durations.map(lambda d: SlidingWindows(d, every=d)),
    st.builds(Sessions, durations, merge_touching=st.booleans()),
    st.builds(
        CalendarWindows,
        st.sampled_from(["day", "year"]),
        n=st.integers(1, 3),
        tz=st.sampled_from(["UTC", "Asia/Tokyo"]),
    ),
    st.builds(GlobalWindows),
    st.builds(AfterWatermark, early=parts, late=parts),
    st.builds(BoundedDisorder, durations, idle=st.none() | durations),
    st.builds(Monotonic),
    st.builds(ManualWatermark),
)


@given(values)
def test_every_value_comes_back_from_its_repr(value):
    assert value_of(repr(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "'1h'",
        "FixedWindows",
        "FixedWindows('1h').assign",
        "FixedWindows(__import__('os').getcwd())",
        "eval('1')",
        "FixedWindows(str('1h'))",
        "(lambda: FixedWindows('1h'))()",
        "FixedWindows(*['1h'])",
        "FixedWindows(**{'size': '1h'})",
        "FixedWindows(f'{1}h')",
        "FixedWindows('1' 'h' + '')",
        "flower.FixedWindows('1h')",
        "FixedWindows('1h'); GlobalWindows()",
        "[FixedWindows('1h')]",
        "FixedWindows(b'1h')",
        "FixedWindows('1h', size='2h')",
        "FixedWindows('1h', length='2h')",
        "FixedWindows()",
        "(" * 500 + ")" * 500,
        "FixedWindows('1h'",
        "\0",
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(ExpressionError):
        value_of(text)


def test_what_a_constructor_refuses_is_refused_in_its_words():
    with pytest.raises(WindowError, match="`every` must be in"):
        value_of("SlidingWindows('1h', every='2h')")
