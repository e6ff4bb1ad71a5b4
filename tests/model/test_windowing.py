"""Windowing: made of what a person gives, refused with a way out, and shown as source."""

import numpy as np
import pytest

from flower.errors import DurationError, GraphError, TriggerError, WindowError
from flower.model.time import MAX_TIME
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, Sessions

HOUR = FixedWindows("1h")


def test_defaults_are_left_out_of_the_source():
    assert Windowing.make(HOUR).source == "FixedWindows('1h')"


def test_the_source_makes_the_same_windowing():
    windowing = Windowing.make(
        Sessions("10min"),
        trigger=AfterWatermark(early=AfterProcessingTime("1s"), late=AfterCount(2)),
        accumulation="discarding",
        allowed_lateness="90min",
        timestamp_combiner="latest",
        on_time_behavior="fire_if_non_empty",
        closing_behavior="fire_always",
    )
    assert windowing.source == (
        "Sessions('10min'), trigger=AfterWatermark(early=AfterProcessingTime('1s'), late=AfterCount(2)), "
        "accumulation='discarding', allowed_lateness='1h 30min', timestamp_combiner='latest', "
        "on_time_behavior='fire_if_non_empty', closing_behavior='fire_always'"
    )
    assert eval(repr(windowing)) == windowing


def test_lateness_may_be_unbounded():
    windowing = Windowing.make(HOUR, allowed_lateness="unbounded")
    assert windowing.allowed_lateness_us == MAX_TIME
    assert windowing.source == "FixedWindows('1h'), allowed_lateness='unbounded'"
    assert windowing.expiry(np.array([0, MAX_TIME])).tolist() == [MAX_TIME, MAX_TIME]


def test_a_window_expires_its_lateness_after_its_end():
    assert Windowing.make(HOUR, allowed_lateness="5us").expiry(np.array([0, MAX_TIME - 2])).tolist() == [5, MAX_TIME]


def test_retracting_with_a_ttl_is_refused_since_what_is_let_go_cannot_be_taken_back():
    with pytest.raises(GraphError, match=r"got accumulation='retracting' with ttl='1h'; leave out the ttl"):
        Windowing.make(HOUR, accumulation="retracting", ttl="1h")


@pytest.mark.parametrize("name", ["accumulation", "timestamp_combiner", "on_time_behavior", "closing_behavior"])
def test_unknown_choices_are_refused_and_the_known_ones_are_named(name):
    with pytest.raises(GraphError, match=rf"`{name}` must be '\w+' or '\w+'.*; got 'soon'"):
        Windowing.make(HOUR, **{name: "soon"})


def test_a_trigger_that_finishes_must_be_allowed_to():
    with pytest.raises(TriggerError, match=r"use Repeatedly\(AfterCount\(3\)\); or allow_finishing=True"):
        Windowing.make(HOUR, trigger=AfterCount(3))


def test_windows_that_are_no_windows_are_refused():
    with pytest.raises(WindowError, match="`windows` must be windows; got '1h'"):
        Windowing.make("1h")


def test_a_lateness_that_is_no_duration_is_refused():
    with pytest.raises(DurationError, match="`allowed_lateness`"):
        Windowing.make(HOUR, allowed_lateness=5)
