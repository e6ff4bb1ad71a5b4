"""Texts above figures are in lines that there is room for."""

from __future__ import annotations

import pytest

from flower.charts.style import heading, wrapped

LONG = "Early, on-time and late panes, discarding; now trigger AfterWatermark(early=AfterProcessingTime('1min')), late"


@pytest.mark.parametrize("bold, most, lines", [(True, 80, 2), (False, 115, 1)])
def test_a_long_text_is_broken_between_words_and_loses_none(bold, most, lines):
    found = heading(LONG, bold=bold).text.text.split("\n")
    assert len(found) == lines
    assert max(map(len, found)) <= most
    assert " ".join(found) == LONG


def test_lines_of_somebodys_own_stay_and_a_name_is_not_broken():
    assert wrapped("one\n\ntwo", bold=True) == "one\n\ntwo"
    assert wrapped("x" * 70 + " 2000-01-01T12:00", bold=True) == "x" * 70 + "\n2000-01-01T12:00"
    assert wrapped("x" * 200, bold=True) == "x" * 200
    assert wrapped("", bold=True) == ""
