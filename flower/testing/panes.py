"""Panes compared with what is expected, and the difference as a table that a person reads."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flower.errors import TranscriptError
from flower.model.panes import ABSORBS, INDEX, WINDOW_END, WINDOW_START
from flower.model.time import instant_text, instant_us

Plain = dict[str, Any]
"""One row as plain Python: times in microseconds, what is missing as None."""

_IDENTITY = (WINDOW_START, WINDOW_END, INDEX)


def assert_panes(
    actual: pd.DataFrame, expected: pd.DataFrame | Sequence[Mapping[str, Any]], *, rtol: float = 1e-9
) -> None:
    """Check that panes are as expected, in any order.

    Parameters
    ----------
    actual : pandas.DataFrame
        Panes, or any rows.
    expected : pandas.DataFrame or sequence of mapping
        All the rows that must be there, and no other. Only the columns named here are compared. Times may be text, and
        ``pane_absorbs`` a list of (start, end).
    rtol : float
        Relative tolerance of floats.

    Raises
    ------
    TranscriptError
        With a table of the rows that are missing, unexpected or different.

    Examples
    --------
    >>> assert_panes(pd.DataFrame({"k": ["a", "b"], "n": [1, 2]}), [{"k": "b", "n": 2}, {"k": "a", "n": 3}])
    Traceback (most recent call last):
    flower.errors.TranscriptError: panes must be as expected; got 1 missing, 1 unexpected:
                k  n
    missing     a  3
    unexpected  a  1
    """
    rows = expected.to_dict("records") if isinstance(expected, pd.DataFrame) else list(expected)
    columns = list(dict.fromkeys(name for row in rows for name in row)) if rows else list(actual.columns)
    if unknown := [name for name in columns if name not in actual.columns]:
        raise TranscriptError(
            f"panes must have the column {unknown[0]!r}", got=", ".join(map(repr, actual.columns)) or "no columns"
        )
    columns = [name for name in actual.columns if name in columns]  # what is before the window is a key
    wanted = [{name: row[name] for name in columns if name in row} for row in rows]
    times = [str(name) for name in actual.columns if pd.api.types.is_datetime64_any_dtype(actual[name])]
    got = plain_rows(actual[columns].to_dict("records"))
    compare_rows(got, plain_rows(wanted, times), times, rtol=rtol)


def plain_rows(rows: Iterable[Mapping[Any, Any]], times: Sequence[str] = ()) -> list[Plain]:
    """Rows as plain Python; in the columns ``times``, text is an instant."""
    return [
        {
            name: sorted((_value(start, True), _value(end, True)) for start, end in map(_ends, value))
            if name == ABSORBS
            else _value(value, name in times)
            for name, value in row.items()
        }
        for row in rows
    ]


def _ends(window: Any) -> tuple[Any, Any]:
    return (window["start"], window["end"]) if isinstance(window, Mapping) else tuple(window)


def _value(value: Any, is_time: bool) -> Any:
    if isinstance(value, np.ndarray | list):
        return [_value(each, is_time) for each in value]
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, dt.datetime) or (is_time and not isinstance(value, int)):
        return instant_us(value, "expected")
    return value.item() if hasattr(value, "item") else value


def compare_rows(actual: Sequence[Plain], expected: Sequence[Plain], times: Sequence[str], *, rtol: float) -> None:
    """`assert_panes` for plain rows; ``times`` are the columns to be shown as instants.

    A line a pane: what came where it is as expected, else what came and what was expected, between stars.
    """
    unexpected, missing = list(actual), []
    for row in expected:
        for i, other in enumerate(unexpected):
            if _equal(row, other, rtol):
                del unexpected[i]
                break
        else:
            missing.append(row)
    if not missing and not unexpected:
        return
    table, counts = [], {"different": 0, "missing": 0, "unexpected": 0}
    for row in missing:
        candidates = [other for other in unexpected if _same_pane(row, other, rtol)]
        if candidates:
            unexpected.remove(candidates[0])
            kind, shown = "different", _difference(row, candidates[0], times, rtol)
        else:
            kind, shown = "missing", {name: _text(name, value, times) for name, value in row.items()}
        counts[kind] += 1
        table.append({"": kind, **shown})
    for row in unexpected:
        counts["unexpected"] += 1
        table.append({"": "unexpected", **{name: _text(name, value, times) for name, value in row.items()}})
    told = ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
    raise TranscriptError("panes must be as expected", got=f"{told}:\n{_table(table)}")


def _equal(row: Plain, other: Plain, rtol: float) -> bool:
    return row.keys() == other.keys() and all(_same(row[name], other[name], rtol) for name in row)


def _same(value: Any, other: Any, rtol: float) -> bool:
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(lambda a, b: _same(a, b, rtol), value, other))
    if isinstance(value, float) or isinstance(other, float):
        numbers = isinstance(value, (int, float)) and isinstance(other, (int, float))
        return numbers and math.isclose(value, other, rel_tol=rtol, abs_tol=rtol)
    return bool(value == other)


def _same_pane(row: Plain, other: Plain, rtol: float) -> bool:
    """Whether two rows are about one pane: the same keys (the columns before the window), window and index."""
    if WINDOW_START not in row or row.keys() != other.keys():
        return False
    names = list(other)
    keys = names[: names.index(WINDOW_START)]
    return all(_same(row[name], other[name], rtol) for name in (*keys, *_IDENTITY) if name in row)


def _difference(row: Plain, other: Plain, times: Sequence[str], rtol: float) -> dict[str, str]:
    shown = {}
    for name, value in row.items():
        text = _text(name, other[name], times)
        same = _same(value, other[name], rtol)
        shown[name] = text if same else f"*{text} (expected {_text(name, value, times)})*"
    return shown


def _text(name: str, value: Any, times: Sequence[str]) -> str:
    if value is None:
        return "-"
    if name == ABSORBS:
        return " ".join(f"[{instant_text(start)}, {instant_text(end)})" for start, end in value) or "[]"
    return instant_text(value) if name in times else str(value)


def _table(rows: Sequence[dict[str, str]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [dict(zip(names, names, strict=True)), *rows]
    widths = {name: max(len(line.get(name, "")) for line in lines) for name in names}
    return "\n".join("  ".join(line.get(name, "").ljust(widths[name]) for name in names).rstrip() for line in lines)
