"""Early and late parts of triggers, for many windows at once."""

import numpy as np
import pytest

from flower.errors import DurationError, TriggerError
from flower.model.canonical import value_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.triggers import (
    AfterAll,
    AfterAny,
    AfterCount,
    AfterEach,
    AfterProcessingTime,
    AfterWatermark,
    Always,
    Asked,
    Never,
    OrFinally,
    Repeatedly,
    machine_of,
)


def asked(rows, since, now, end=None, before=MIN_TIME, watermark=MIN_TIME):
    n = len(rows)
    ends = np.full(n, MAX_TIME) if end is None else np.array(end)
    return Asked(np.array(rows), np.array(since), ends, before, watermark, now, lambda _: np.zeros(n, bool))


def fires(trigger, rows, since, now):
    at = asked(rows, since, now)
    machine = trigger.machine()
    return (machine.due(machine.create(len(rows)), at) <= now).tolist()


def test_a_delay_is_over_at_its_very_instant():
    assert fires(AfterProcessingTime("10us"), [1, 1, 1], [89, 90, 91], 100) == [True, True, False]


def test_a_delay_of_zero_fires_at_once():
    assert fires(AfterProcessingTime(), [1, 5], [100, 90], 100) == [True, True]


def test_without_rows_nothing_fires():
    assert fires(AfterProcessingTime(), [0, 0], [MAX_TIME, MAX_TIME], 100) == [False, False]
    assert fires(AfterCount(1), [0], [MAX_TIME], 100) == [False]
    assert fires(Always(), [0], [MAX_TIME], 100) == [False]


def test_a_count_is_reached_or_passed():
    assert fires(AfterCount(3), [2, 3, 4], [0, 0, 0], 100) == [False, True, True]


def test_a_deadline_is_the_first_row_and_the_delay_and_none_without_rows():
    since = np.array([5, MAX_TIME, MAX_TIME - 3])
    assert AfterProcessingTime("10us").deadline(since).tolist() == [15, MAX_TIME, MAX_TIME]


def test_an_aligned_deadline_is_the_next_multiple():
    trigger = AfterProcessingTime("5us", align="10us", align_offset="3us")
    assert trigger.deadline(np.array([7, 8, 9, -20, MAX_TIME])).tolist() == [13, 13, 23, -7, MAX_TIME]


def due(trigger, steps, now=100, **where):
    """The time from which one window fires after rows came as told: pairs of (how many, when)."""
    machine = trigger.machine()
    marks, rows, since = machine.create(1), 0, MAX_TIME
    for n, when in steps:
        marks = machine.on_rows(marks, np.array([n]), when)
        rows, since = rows + n, min(since, when)
    return machine.due(marks, asked([rows], [since], now, **where)).tolist()[0]


def test_all_fires_when_the_last_of_its_triggers_would_and_any_when_the_first_would():
    parts = AfterCount(2), AfterProcessingTime("10us")
    assert due(AfterAll(*parts), [(1, 5)]) == MAX_TIME
    assert due(AfterAll(*parts), [(1, 5), (1, 9)]) == 15
    assert due(AfterAny(*parts), [(1, 5)]) == 15
    assert due(AfterAny(*parts), [(2, 5)]) == MIN_TIME


def test_the_next_of_each_begins_with_the_rows_after_the_one_before():
    machine = AfterEach(AfterCount(1), AfterCount(2)).machine()
    marks = machine.on_rows(machine.create(1), np.array([5]), 0)
    at = asked([5], [0], 0)
    marks, finished = machine.on_fire(marks, np.array([True]), at)
    assert not finished[0]
    assert machine.due(marks, at)[0] == MAX_TIME
    marks = machine.on_rows(marks, np.array([2]), 1)
    assert machine.due(marks, at)[0] == MIN_TIME
    marks, finished = machine.on_fire(marks, np.array([True]), at)
    assert finished[0]


def test_until_hears_of_rows_that_panes_have_had():
    machine = OrFinally(Repeatedly(AfterCount(1)), AfterCount(3)).machine()
    marks, at, over = machine.create(1), asked([1], [0], 0), []
    for _ in range(3):
        marks = machine.on_rows(marks, np.array([1]), 0)
        assert machine.due(marks, at)[0] == MIN_TIME
        marks, finished = machine.on_fire(marks, np.array([True]), at)
        over.append(bool(finished[0]))
    assert over == [False, False, True]


def test_of_windows_that_merge_the_one_that_came_furthest_goes_on():
    machine = AfterEach(AfterCount(1), AfterCount(5)).machine()
    marks = (np.array([0, 1, 1]), np.array([7, 0, 0]), np.array([0, 2, 1]))
    assert [column.tolist() for column in machine.on_merge(marks, np.zeros(3, int), 1)] == [[1], [0], [3]]


def test_a_trigger_that_finishes_never_fires_again():
    machine = machine_of(AfterCount(1))
    marks, at = machine.create(2), asked([1, 1], [0, 0], 0)
    marks, _ = machine.on_fire(marks, np.array([True, False]), at)
    assert machine.due(marks, at).tolist() == [MAX_TIME, MIN_TIME]


@pytest.mark.parametrize(
    ("trigger", "finishes"),
    [
        (AfterCount(1), True),
        (Repeatedly(AfterCount(1)), False),
        (AfterEach(AfterCount(1), Always()), False),
        (AfterEach(AfterCount(1), AfterCount(2)), True),
        (OrFinally(Always(), AfterCount(2)), True),
        (OrFinally(Always(), Never()), False),
        (AfterWatermark(early=AfterCount(1)), False),
    ],
)
def test_what_finishes_says_so(trigger, finishes):
    assert trigger.finishes is finishes


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
        "AfterProcessingTime('1s', align='1min', align_offset='30s')",
        "Repeatedly(AfterAny(AfterCount(3), AfterAll(AfterProcessingTime('1s'), When('total > 3'))))",
        "AfterEach(OrFinally(Always(), AfterCount(2)), Never())",
    ):
        assert repr(value_of(text)) == text
        assert value_of(text) == value_of(text)
