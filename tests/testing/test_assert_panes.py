"""Panes compared, and the table that tells the difference."""

import pandas as pd
import pytest

from flower.errors import TranscriptError
from flower.testing import assert_panes

PANES = pd.DataFrame(
    {
        "k": ["a", None],
        "window_start": pd.to_datetime(["2000-01-01T12:00Z", "2000-01-01T12:00Z"]),
        "window_end": pd.to_datetime(["2000-01-01T12:02Z", "2000-01-01T12:02Z"]),
        "total": [0.1 + 0.2, float("nan")],
        "pane_timing": pd.Categorical(["on_time", "late"], ["early", "on_time", "late"]),
        "pane_index": [0, 1],
        "pane_absorbs": [[], [{"start": pd.Timestamp("2000-01-01T12:00Z"), "end": pd.Timestamp("2000-01-01T12:01Z")}]],
    }
)
DIFFERENCE = """\
panes must be as expected; got 1 different, 1 missing, 1 unexpected:
            k  window_start          total                                 pane_timing                 pane_index
different   a  2000-01-01T12:00:00Z  *0.30000000000000004 (expected 5.0)*  *on_time (expected early)*  0
missing     -  2000-01-01T12:00:00Z  -                                     late                        2
unexpected  -  2000-01-01T12:00:00Z  -                                     late                        1"""
END = "2000-01-01T12:02:00Z"


def test_the_same_panes_in_any_order_pass():
    assert_panes(PANES, PANES[::-1])
    assert_panes(PANES, PANES.to_dict("records"))


def test_only_the_columns_that_are_named_count():
    assert_panes(PANES, [{"k": None}, {"k": "a"}])


def test_floats_are_compared_within_a_tolerance_and_missing_ones_are_equal():
    assert_panes(PANES, [{"total": 0.3}, {"total": None}])
    with pytest.raises(TranscriptError):
        assert_panes(PANES, [{"total": 0.3001}, {"total": None}])
    assert_panes(PANES, [{"total": 0.3001}, {"total": None}], rtol=1e-2)


def test_times_may_be_text_and_absorbed_windows_pairs():
    absorbed = [("2000-01-01T12:00Z", "2000-01-01T12:01Z")]
    assert_panes(PANES, [{"window_end": END, "pane_absorbs": []}, {"window_end": END, "pane_absorbs": absorbed}])


def test_a_pane_that_differs_shows_both_values():
    expected = PANES.to_dict("records")
    expected[0]["total"] = 5.0
    with pytest.raises(TranscriptError) as caught:
        assert_panes(PANES, expected)
    header, line = str(caught.value).splitlines()[1:]
    assert header.split() == list(PANES.columns)
    assert line.startswith(
        "different  a  2000-01-01T12:00:00Z  2000-01-01T12:02:00Z  *0.30000000000000004 (expected 5.0)*"
    )


def test_the_difference_is_an_aligned_table_with_a_line_a_pane():
    expected = PANES.drop(columns=["window_end", "pane_absorbs"]).to_dict("records")
    expected[0] |= {"total": 5.0, "pane_timing": "early"}
    expected[1]["pane_index"] = 2
    with pytest.raises(TranscriptError) as caught:
        assert_panes(PANES, expected)
    assert str(caught.value) == DIFFERENCE


def test_missing_and_unexpected_panes_are_listed():
    expected = PANES.to_dict("records")
    expected[1]["pane_index"] = 2
    with pytest.raises(TranscriptError, match="1 missing, 1 unexpected") as caught:
        assert_panes(PANES, expected)
    lines = str(caught.value).splitlines()
    assert lines[2].startswith("missing     -  2000-01-01T12:00:00Z")
    assert lines[3].endswith("1           [2000-01-01T12:00:00Z, 2000-01-01T12:01:00Z)")


def test_a_pane_that_comes_twice_is_unexpected_once():
    with pytest.raises(TranscriptError, match="got 1 unexpected"):
        assert_panes(pd.concat([PANES, PANES[:1]]), PANES)


def test_no_panes_are_expected_by_an_empty_list():
    assert_panes(PANES[:0], [])
    with pytest.raises(TranscriptError, match="got 2 unexpected"):
        assert_panes(PANES, [])


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(TranscriptError, match="must have the column 'n'"):
        assert_panes(PANES, [{"n": 1}])
