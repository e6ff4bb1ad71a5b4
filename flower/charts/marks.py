"""What a chart draws, read off a frame of panes: a mark a row, sorted into the places that keys have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from flower.charts.axes import CATEGORIES, F64, I64, Axis, extent, milliseconds, places, slots
from flower.charts.texts import texts_of
from flower.errors import ColumnError, DtypeError, FlowerError
from flower.model.panes import ABSORBS, EARLY, INDEX, LATE, ON_TIME, TIMING, TIMINGS, WINDOW_END, WINDOW_START
from flower.model.time import duration_us

PANE_TEXTS = np.array(["early, provisional", "on time", "corrected by late rows"], object)
"""What a hover says, by the code of `pane_timing`."""

FOLDS = ("sum", "min", "max")
"""Combinations that make one value of the keys that have no place of their own."""

Columns = dict[str, Any]


@dataclass(frozen=True)
class Marks:
    """The rows of a chart, sorted by place and `x`.

    Parameters
    ----------
    columns : dict of str to ndarray
        ``x`` (a number, milliseconds of a time, or the position of a category), ``y``, ``timing`` (code), ``index`` (of
        the pane), ``left`` and ``right`` (what a bar covers), ``start`` and ``end`` (the window), and what else was
        asked for.
    cuts : ndarray
        Where the rows of each place begin, and the last end.
    keys : tuple of str
        The keys' texts by place; an empty text where there is none yet. Without `by` one place, which has none.
    places : int
        Places there are, that of the others included.
    axis : Axis
        The axis of `x`.
    step : float
        The distance of neighbouring windows; 0 where that means nothing.
    notes : tuple of str
        What is left out.
    panes, windowed : bool
        Whether the rows are panes, and have windows.
    """

    columns: Columns
    cuts: I64
    keys: tuple[str, ...]
    places: int
    axis: Axis
    step: float = 0.0
    notes: tuple[str, ...] = ()
    panes: bool = False
    windowed: bool = False
    kept: tuple[str, ...] = ()
    rest: int | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.columns["x"])

    def at(self, place: int) -> Columns:
        """The columns of the rows in a place, and its key."""
        part = slice(self.cuts[place], self.cuts[place + 1])
        rows = {name: column[part] for name, column in self.columns.items()}
        key = self.keys[place] if place < len(self.keys) else ""
        return {**rows, "key": np.full(len(rows["x"]), key, object)}

    @property
    def timings(self) -> set[int]:
        """The codes of `pane_timing` that occur."""
        return set(np.unique(self.columns["timing"]).tolist())


def marks_of(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: Sequence[str] = (),
    keys: int | Sequence[str] = 7,
    kept: Sequence[str] = (),
    combine: str | None = None,
    last: str | None = None,
    numbers: Mapping[str, str] | None = None,
) -> Marks:
    """Marks of the rows of ``data``.

    Parameters
    ----------
    data : pandas.DataFrame
        A view of panes, or any other frame.
    x, y : str
        Columns of positions and of numbers.
    by : sequence of str
        The columns of the key.
    keys : int or sequence of str
        How many keys have a place of their own, those with the largest totals; or which.
    kept : sequence of str
        The keys that have the places now; those that stay among the largest keep theirs, and so their colour.
    combine : {"sum", "min", "max", "first", "last"}, optional
        How values of `y` combine: the keys without a place become one. Otherwise they are left out.
    last : str, optional
        How much of a time axis to show, back from the newest.
    numbers : mapping of str to str, optional
        More columns of numbers, under the names that the marks give them.

    Raises
    ------
    ColumnError
        If a column is not there.
    DtypeError
        If `y` is no number.
    """
    more = dict(numbers or {})
    for name in (x, y, *by, *more.values()):
        if name not in data.columns:
            raise ColumnError(f"no column {name!r} to draw", hint=f"there are {', '.join(map(str, data.columns))}")
    values = {"y": numbers_of(data[y], "y"), **{name: numbers_of(data[column], name) for name, column in more.items()}}
    position, kind, zone, categories = places(data[x], values["y"])
    there = np.isfinite(position)
    notes = [f"{len(data) - there.sum():,} rows without {x} are left out"] if not there.all() else []
    if kind == "category" and len(categories) > CATEGORIES:
        notes.append(f"{len(categories) - CATEGORIES:,} more values of {x} are left out")
        there &= position < CATEGORIES
        categories = categories[:CATEGORIES]
    span = duration_us(last, "last", minimum=1) / 1000 if last is not None else 0.0
    if span and kind != "time":
        raise DtypeError("`last` needs times on the axis", got=f"{x!r} of {data[x].dtype}")
    if span and there.any():
        there &= position > position[there].max() - span
    windowed = WINDOW_START in data.columns and WINDOW_END in data.columns
    start = milliseconds(data[WINDOW_START]) if windowed else None
    end = milliseconds(data[WINDOW_END]) if windowed else None
    windowed = windowed and end is not None and bool(np.isfinite(end).all())
    on_window = windowed and x in (WINDOW_START, WINDOW_END)
    left, right = slots(
        position, kind, start if on_window else None, end if on_window else None, at_end=x == WINDOW_END
    )
    panes = TIMING in data.columns
    columns: Columns = {
        **values,
        "x": position,
        "left": left,
        "right": right,
        "timing": _timing(data) if panes else np.full(len(data), ON_TIME),
        "index": data[INDEX].to_numpy(np.int64) if panes and INDEX in data.columns else np.zeros(len(data), np.int64),
    }
    if windowed and start is not None and end is not None:
        columns |= {"start": start, "end": end}
    texts, code = _keys(data, by)
    # Between windows that do not merge a missing one is a gap: it had no rows.
    even = on_window and ABSORBS not in data.columns
    step = float(np.diff(np.unique(position[there])).min(initial=np.inf)) if even and there.any() else 0.0
    rows = np.flatnonzero(there)
    columns = {name: column[rows] for name, column in columns.items()}
    low, high = extent(columns["left"], columns["right"]) if kind == "category" else extent(columns["x"])
    axis = Axis(f"{x} ({zone})" if zone else x, kind, low, high, categories, span=span)
    marks = Marks(columns, np.array([0, len(rows)]), ("",), 1, axis, step if np.isfinite(step) else 0.0)
    marks = replace(marks, notes=tuple(notes), panes=panes, windowed=windowed)
    if not by:
        return replace(marks, columns=_sorted(columns, columns["x"]))
    return _placed(marks, code[rows], texts, keys, kept, combine)


def numbers_of(column: pd.Series, name: str) -> F64:
    """The numbers of a column, NaN where one is missing."""
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise DtypeError(f"`{name}` must be a column of numbers", got=f"{column.name!r} of {column.dtype}")
    return column.to_numpy(np.float64, na_value=np.nan)


def one_each(marks: Marks, x: str, by: Sequence[str]) -> None:
    """Refuse two bars in one place."""
    same = np.diff(marks.columns["x"]) == 0
    same[marks.cuts[1:-1][(marks.cuts[1:-1] > 0) & (marks.cuts[1:-1] < len(marks))] - 1] = False
    if not same.any():
        return
    at = int(np.flatnonzero(same)[0])
    place = int(np.searchsorted(marks.cuts, at, "right")) - 1
    key = f", {', '.join(by)} {marks.keys[place]}" if by else ""
    value = marks.columns["x"][at]
    where = marks.axis.categories[int(value)] if marks.axis.kind == "category" else f"{value:g}"
    if marks.axis.kind == "time":
        where = str(pd.Timestamp(value, unit="ms"))
    raise FlowerError(
        f"a bar chart needs one row for each {' and '.join(['`x`', *(['`by`'] if by else [])])}",
        got=f"two rows for {x} {where}{key}" + (f", and {same.sum() - 1:,} more" if same.sum() > 1 else ""),
        hint="group by what tells them apart: name it as `by`, or aggregate before",
    )


def kept_places(now: Sequence[str], largest: Sequence[str]) -> list[str]:
    """The ``largest`` keys, those that have a place already in it, so that a key keeps its colour.

    Examples
    --------
    >>> kept_places(["a", "b"], ["c", "b", "d"])
    ['c', 'b', 'd']
    """
    others = iter([key for key in largest if key not in now])
    kept = [key if key in largest else next(others, None) for key in now]
    return [key for key in (*kept, *others) if key is not None]


def _timing(data: pd.DataFrame) -> I64:
    column = data[TIMING]
    if not isinstance(column.dtype, pd.CategoricalDtype) or list(column.cat.categories) != list(TIMINGS):
        column = pd.Series(pd.Categorical(column, categories=list(TIMINGS)))
    return column.cat.codes.to_numpy().astype(np.int64)


def _keys(data: pd.DataFrame, by: Sequence[str]) -> tuple[list[str], I64]:
    """The texts of the keys there are, and the number of each row's."""
    code = np.zeros(len(data), np.int64)
    parts: list[str] | None = None
    for name in by:
        own, values = pd.factorize(data[name], use_na_sentinel=False)
        paired, pairs = pd.factorize(code * max(len(values), 1) + own)
        texts = texts_of(pd.Series(values))
        if parts is None:
            parts = [texts[pair] for pair in pairs]
        else:
            parts = [f"{parts[pair // len(texts)]}, {texts[pair % len(texts)]}" for pair in pairs]
        code = paired.astype(np.int64)
    return parts or [], code


def _placed(
    marks: Marks,
    code: I64,
    texts: Sequence[str],
    keys: int | Sequence[str],
    kept: Sequence[str],
    combine: str | None,
) -> Marks:
    """Rows in the places of their keys; the rest folded into one, or left out."""
    own = keys if isinstance(keys, int) else len(keys)
    if isinstance(keys, int):
        totals = np.bincount(code, np.nan_to_num(marks.columns["y"]), len(texts))
        there = np.bincount(code, minlength=len(texts)) > 0
        order = [each for each in np.argsort(-totals, kind="stable").tolist() if there[each]]
        names = kept_places([name for name in kept if name], [texts[each] for each in order[:keys]])
    else:
        names = list(keys)
    where = {text: place for place, text in enumerate(names)}
    place = np.array([where.get(text, own) for text in texts], np.int64)[code] if len(texts) else code
    outside = place == own
    more = len(np.unique(code[outside]))
    folds = combine in FOLDS
    shown = (*names, *[""] * (own - len(names)), f"others ({more:,})" if folds and more else "")
    columns = marks.columns
    if more and combine in FOLDS:
        folded = _folded({name: column[outside] for name, column in columns.items()}, str(combine))
        columns = {name: np.concatenate([column[~outside], folded[name]]) for name, column in columns.items()}
        place = np.concatenate([place[~outside], np.full(len(folded["x"]), own)])
    elif more:
        columns = {name: column[~outside] for name, column in columns.items()}
        place = place[~outside]
    order_ = np.lexsort((columns["x"], place))
    columns = {name: column[order_] for name, column in columns.items()}
    places_ = own + folds
    return replace(
        marks,
        columns=columns,
        cuts=np.searchsorted(place[order_], np.arange(places_ + 1)),
        keys=shown[:places_],
        places=places_,
        kept=tuple(names),
        rest=own if folds else None,
        left_out=0 if folds else more,
    )


def _folded(columns: Columns, combine: str) -> Columns:
    """One row for each `x`: the values combined; provisional if one of them is."""
    order = np.argsort(columns["x"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    x = columns["x"]
    first = np.flatnonzero(np.r_[True, np.diff(x) != 0]) if len(x) else np.empty(0, np.int64)
    made = {name: column[first] for name, column in columns.items()}
    if not len(first):
        return made
    y = columns["y"]
    missing = np.isnan(y)
    match combine:
        case "sum":
            made["y"] = np.add.reduceat(np.where(missing, 0.0, y), first)
        case "min":
            made["y"] = np.fmin.reduceat(y, first)
        case _:
            made["y"] = np.fmax.reduceat(y, first)
    early = np.logical_or.reduceat(columns["timing"] == EARLY, first)
    late = np.logical_or.reduceat(columns["timing"] == LATE, first)
    made["timing"] = np.where(early, EARLY, np.where(late, LATE, ON_TIME))
    made["index"] = np.maximum.reduceat(columns["index"], first)
    return made


def _sorted(columns: Columns, by: F64) -> Columns:
    order = np.argsort(by, kind="stable")
    return {name: column[order] for name, column in columns.items()}
