"""``stream.table()`` where nothing is live: the newest rows of the view, as a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from flower.api.arguments import row_count
from flower.api.display import register
from flower.model.panes import WINDOW_END

if TYPE_CHECKING:
    from flower.api.stream import Stream


def newest(view: pd.DataFrame, n: int) -> pd.DataFrame:
    """The last ``n`` rows, those of the newest window first.

    Examples
    --------
    >>> view = pd.DataFrame({"k": ["a", "b", "a"], "window_end": pd.to_datetime(["2000-01-01", *["2000-01-02"] * 2])})
    >>> newest(view, 2)
       k window_end
    1  b 2000-01-02
    2  a 2000-01-02
    """
    if WINDOW_END in view.columns:
        # A window without an end is the newest.
        return view.sort_values(WINDOW_END, ascending=False, kind="stable", na_position="first").head(n)
    return view.tail(n).iloc[::-1]


def tables(stream: Stream) -> Callable[..., Any]:
    """What ``stream.table`` calls."""

    def table(n: int, run: Any = None) -> pd.DataFrame:
        count = row_count("table", n)
        return newest(stream.collect() if run is None else run.results, count)

    return table


register("table", tables)
