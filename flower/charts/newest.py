"""The newest row of a view and those before it, for charts of one number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flower.charts.axes import F64
from flower.charts.marks import PANE_TEXTS, marks_of
from flower.charts.texts import number_text
from flower.model.panes import EARLY, LATE, WINDOW_END


def history(frame: pd.DataFrame, column: str) -> tuple[F64, str, int]:
    """The numbers of a column in the order of their windows, what is said of the newest, and its timing."""
    there = frame.assign(**{"\0n": np.arange(len(frame))})
    windowed = WINDOW_END in frame.columns and bool(frame[WINDOW_END].notna().all())
    marks = marks_of(there, x=WINDOW_END if windowed else "\0n", y=column)
    rows = marks.at(0)
    if not len(marks):
        return rows["y"], "no rows yet", 1
    said: Sequence[str] = []
    if marks.windowed:
        start, end = (pd.Timestamp(rows[name][-1], unit="ms") for name in ("start", "end"))
        clock = "%H:%M" if start.second == end.second == start.microsecond == end.microsecond == 0 else "%H:%M:%S"
        day = "" if start.normalize() == end.normalize() else "%Y-%m-%d "
        said = [f"{start.strftime(f'%Y-%m-%d {clock}')} to {end.strftime(day + clock)}"]
    timing = int(rows["timing"][-1])
    if marks.panes:
        said = [*said, str(PANE_TEXTS[timing])]
    return rows["y"], ", ".join(said), timing


def value_text(values: F64, timing: int) -> str:
    """The newest number, and a mark: a wave for one that may change, a diamond for one that was corrected."""
    if not len(values):
        return "no value"
    return {EARLY: "~ ", LATE: "◆ "}.get(timing, "") + number_text(values[-1])
