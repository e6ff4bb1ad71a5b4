"""Early and late parts of triggers, for many windows at once."""

import numpy as np
import pytest

from flower.errors import DurationError, TriggerError
from flower.model.canonical import value_of
from flower.model.time import MAX_TIME
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark


def fires(part, rows, since, now):
    return part.should_fire(np.array(rows), np.array(since), now).tolist()


def test_a_delay_is_over_at_its_very_instant():
    assert fires(AfterProcessingTime("10us"), [1, 1, 1], [89, 90, 91], 100) == [True, True, False]


def test_a_delay_of_zero_fires_at_once():
    assert fires(AfterProcessingTime(), [1, 5], [100, 90], 100) == [True, True]


def test_without_rows_nothing_fires():
    assert fires(AfterProcessingTime(), [0, 0], [MAX_TIME, 0], 100) == [False, False]
    assert fires(AfterProcessingTime("1us"), [0], [MAX_TIME], MAX_TIME) == [False]
    assert fires(AfterCount(1), [0], [MAX_TIME], 100) == [False]


def test_a_count_is_reached_or_passed():
    assert fires(AfterCount(3), [2, 3, 4], [0, 0, 0], 100) == [False, True, True]


def test_a_deadline_is_the_first_row_and_the_delay_and_none_without_rows():
    since = np.array([5, MAX_TIME, MAX_TIME - 3])
    assert AfterProcessingTime("10us").deadline(since).tolist() == [15, MAX_TIME, MAX_TIME]
    assert AfterCount(1).deadline(np.array([5])).tolist() == [MAX_TIME]


@pytest.mark.parametrize("n", [0, -1, True, 1.0, "1", None])
def test_a_count_that_is_no_positive_integer_is_refused(n):
    with pytest.raises(TriggerError, match="positive integer"):
        AfterCount(n)


def test_a_delay_that_is_no_duration_is_refused():
    with pytest.raises(DurationError):
        AfterProcessingTime(5)


@pytest.mark.parametrize("part", ["1s", 3, AfterWatermark(), AfterCount])
def test_parts_that_are_no_triggers_are_refused_by_name(part):
    with pytest.raises(TriggerError, match="`late` must be"):
        AfterWatermark(late=part)


def test_triggers_are_values_whose_repr_is_their_source():
    for text in (
        "AfterWatermark()",
        "AfterWatermark(early=AfterProcessingTime('1s'), late=AfterCount(1))",
        "AfterWatermark(late=AfterProcessingTime())",
    ):
        assert repr(value_of(text)) == text
        assert value_of(text) == value_of(text)
