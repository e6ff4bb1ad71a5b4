"""What a chart draws, read off a frame of panes: a mark a row, with its key's rank and what a hover shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from flower.errors import ColumnError, DtypeError, FlowerError
from flower.model.panes import ABSORBS, EARLY, INDEX, LATE, ON_TIME, TIMING, TIMINGS, WINDOW_END, WINDOW_START

F64 = npt.NDArray[np.float64]

MISSING = "(missing)"
"""The text of a null key."""


@dataclass(frozen=True)
class Marks:
    """The rows of a chart, sorted by key and `x`.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``x`` (float: a number, milliseconds of a time, or the position of a category), ``y`` (float), ``rank`` (of the
        key, 0 has the largest total of `y`), ``timing`` (code of `pane_timing`), ``left`` and ``right`` (what a bar
        covers), and the texts ``key``, ``window``, ``pane`` and ``value``.
    keys : tuple of str
        The keys' texts by rank; one empty text without `by`.
    kind : {"time", "number", "category"}
        What `x` is.
    zone : str
        The time zone of a time.
    categories : tuple of str
        What the positions of a category stand for.
    unplaced : int
        Rows left out because they have no `x`.
    step : float
        The distance of neighbouring windows; 0 where that means nothing.
    """

    frame: pd.DataFrame
    keys: tuple[str, ...]
    kind: str
    zone: str = ""
    categories: tuple[str, ...] = ()
    unplaced: int = 0
    step: float = 0.0

    @property
    def timings(self) -> set[int]:
        """The codes of `pane_timing` that occur."""
        return set(self.frame["timing"].unique())


def marks_of(data: pd.DataFrame, *, x: str, y: str, by: Sequence[str], first: Sequence[str] = ()) -> Marks:
    """Marks of the rows of ``data``; the keys with the texts ``first`` have the first ranks.

    Raises
    ------
    ColumnError
        If a column is not there.
    DtypeError
        If `y` is no number.
    """
    for name in (x, y, *by):
        if name not in data.columns:
            raise ColumnError(f"no column {name!r} to draw", hint=f"there are {', '.join(map(str, data.columns))}")
    if not pd.api.types.is_numeric_dtype(data[y].dtype):
        raise DtypeError("`y` must be a column of numbers", got=f"{y!r} of {data[y].dtype}")
    placed = data[data[x].notna()].reset_index(drop=True)
    values = placed[y].to_numpy(np.float64, na_value=np.nan)
    rank, keys = _ranked(placed, list(by), values, first)
    position, kind, zone, categories = _positions(placed[x], values)
    left, right = _slots(placed, x, position, kind)
    # Between windows that do not merge a missing one is a gap: it had no rows.
    even = x in (WINDOW_START, WINDOW_END) and ABSORBS not in placed.columns and len(placed) > 1
    step = np.diff(np.unique(position)).min(initial=np.inf) if even else 0.0
    timing = np.full(len(placed), ON_TIME)
    if TIMING in placed.columns:
        timing = pd.Categorical(placed[TIMING], categories=list(TIMINGS)).codes.astype(np.int64)
    frame = pd.DataFrame(
        {
            "x": position,
            "y": values,
            "rank": rank,
            "timing": timing,
            "left": left,
            "right": right,
            "key": np.array(keys, object)[rank] if len(keys) else np.empty(0, object),
            "window": _windows(placed) if _windowed(placed) else _texts(placed[x]),
            "pane": _panes(placed, timing),
            "value": [number_text(value) for value in values],
        }
    )
    return Marks(
        frame.sort_values(["rank", "x"], kind="stable", ignore_index=True),
        keys,
        kind,
        zone,
        categories,
        len(data) - len(placed),
        float(step),
    )


def one_each(marks: Marks, x: str, by: Sequence[str]) -> None:
    """Refuse two bars in one place."""
    twice = marks.frame[marks.frame.duplicated(["rank", "x"])]
    if len(twice):
        first = twice.iloc[0]
        what = f"{x} {first['window']}" + (f", {', '.join(by)} {first['key']}" if by else "")
        raise FlowerError(
            f"a bar chart needs one row for each {' and '.join(['`x`', *(['`by`'] if by else [])])}",
            got=f"{len(twice) + 1:,} rows or more, as for {what}" if len(twice) > 1 else f"two rows for {what}",
            hint="group by what tells them apart: name it as `by`, or aggregate before",
        )


def number_text(value: float) -> str:
    """A number as a person reads it.

    Examples
    --------
    >>> number_text(1234567), number_text(12.34567), number_text(0.00012345), number_text(float("nan"))
    ('1,234,567', '12.35', '0.0001234', '(missing)')
    """
    if np.isnan(value):
        return MISSING
    if value == np.trunc(value) or abs(value) >= 10_000:
        return f"{value:,.0f}" if np.isfinite(value) else str(value)
    return f"{value:,.4g}"


def keys_of(data: pd.DataFrame, *, y: str, by: Sequence[str]) -> tuple[str, ...]:
    """The keys' texts, the one with the largest total of `y` first.

    Examples
    --------
    >>> keys_of(pd.DataFrame({"k": ["a", "b"], "v": [1, 2]}), y="v", by=["k"])
    ('b', 'a')
    """
    return _ranked(data, list(by), data[y].to_numpy(np.float64, na_value=np.nan))[1]


def _ranked(
    data: pd.DataFrame, by: list[str], values: F64, first: Sequence[str] = ()
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """The rank of each row's key, and the keys' texts by rank: those in ``first``, then by the total of `y`."""
    if not by:
        return np.zeros(len(data), np.int64), ("",)
    code = data.groupby(by, dropna=False, sort=False, observed=True).ngroup().to_numpy()
    one = np.unique(code, return_index=True)[1]
    columns = [_texts(data[name].iloc[one]) for name in by]
    texts = [", ".join(parts) for parts in zip(*columns, strict=True)]
    total = np.bincount(code, np.nan_to_num(values), minlength=len(texts))
    others = sorted((code for code, text in enumerate(texts) if text not in first), key=lambda code: -total[code])
    names = [*first, *(texts[code] for code in others)]
    place = {code: len(first) + number for number, code in enumerate(others)}
    rank = np.array(
        [place[code] if code in place else list(first).index(texts[code]) for code in range(len(texts))], np.int64
    )
    return rank[code], tuple(names)


def _positions(column: pd.Series, values: F64) -> tuple[F64, str, str, tuple[str, ...]]:
    """Where `x` is on its axis, what kind it is, the time zone, and the categories, the largest first."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        zone = str(column.dt.tz) if column.dt.tz is not None else ""
        local = column.dt.tz_localize(None) if zone else column
        return local.astype("datetime64[us]").to_numpy().astype(np.int64) / 1000, "time", zone, ()
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(np.float64), "number", "", ()
    rank, names = _ranked(column.to_frame("x"), ["x"], values)
    return rank.astype(np.float64), "category", "", names


def _slots(data: pd.DataFrame, x: str, position: F64, kind: str) -> tuple[F64, F64]:
    """What a bar at `x` covers: its window, or as much as leaves a gap to the next."""
    if x in (WINDOW_START, WINDOW_END) and _windowed(data):
        span = (data[WINDOW_END] - data[WINDOW_START]).dt.total_seconds().to_numpy() * 1000
        # Windows that overlap share the place: each covers what is not yet covered.
        span = np.minimum(span, np.diff(np.unique(position)).min(initial=np.inf))
        left = position - span if x == WINDOW_END else position
        return left + span * 0.04, left + span * 0.96
    steps = np.diff(np.unique(position)) if kind != "category" else np.ones(1)
    half = (steps.min() if len(steps) else 1.0) * 0.4
    return position - half, position + half


def _windowed(data: pd.DataFrame) -> bool:
    return WINDOW_START in data.columns and WINDOW_END in data.columns and bool(data[WINDOW_END].notna().all())


def _windows(data: pd.DataFrame) -> list[str]:
    """``2013-03-08 10:00 to 13:00``: no more digits than the windows need."""
    start, end = data[WINDOW_START], data[WINDOW_END]
    same_day = (start.dt.normalize() == end.dt.normalize()).to_numpy()
    whole = all((times == times.dt.floor("min")).all() for times in (start, end))
    clock = "%H:%M" if whole else "%H:%M:%S.%f"
    first = start.dt.strftime(f"%Y-%m-%d {clock}")
    last = np.where(same_day, end.dt.strftime(clock), end.dt.strftime(f"%Y-%m-%d {clock}"))
    return [f"{a.removesuffix('.000000')} to {b.removesuffix('.000000')}" for a, b in zip(first, last, strict=True)]


def _panes(data: pd.DataFrame, timing: npt.NDArray[np.int64]) -> list[str]:
    """``late, pane 2``, or an empty text for rows that are no panes."""
    if TIMING not in data.columns:
        return [""] * len(data)
    names = {EARLY: "early, provisional", ON_TIME: "on time", LATE: "corrected by late rows"}
    index = data[INDEX] if INDEX in data.columns else pd.Series(0, data.index)
    return [f"{names[code]} (pane {number})" for code, number in zip(timing.tolist(), index, strict=True)]


def _texts(column: pd.Series) -> list[str]:
    return [MISSING if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
