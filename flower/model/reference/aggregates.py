"""The oracle's aggregates: functions of the values that are not missing, in the order of first and last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from flower.model.combiners import (
    Combiner,
    Duration,
    Latest,
    MaxBy,
    MinBy,
    Only,
    Quantile,
    Rate,
    Rows,
    Sample,
    Top,
    WeightedMean,
    combiner_of,
    names,
)
from flower.model.combiners.of_side import SIDE, OfSide
from flower.model.reference.rows import Row, Window

Custom = Callable[[Sequence[Row]], Any]
"""An aggregate as a function of the rows."""


def _mean(values: list[Any]) -> float:
    return sum(values) / len(values) if values else math.nan


def _std(values: list[Any]) -> float:
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _quantile(values: list[Any], q: float) -> float:
    if not values:
        return math.nan
    values = sorted(values)
    place = q * (len(values) - 1)
    below, above = values[math.floor(place)], values[math.ceil(place)]
    return float(below + (above - below) * (place - math.floor(place)))


def _mode(values: list[Any]) -> Any:
    return min(values, key=lambda value: (-values.count(value), value), default=None)


def _var(values: list[Any]) -> float:
    return _std(values) ** 2


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "mean": _mean,
    "std": _std,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "nunique": lambda values: len(set(values)),
    "var": _var,
    "sem": lambda values: _std(values) / math.sqrt(len(values)) if values else math.nan,
    "prod": math.prod,
    "any": any,
    "all": all,
    "median": lambda values: _quantile(values, 0.5),
    "mode": _mode,
}
"""Each aggregate of the values that are not missing by its name; None is a missing result."""


def aggregate(how: str | Combiner | Custom, column: str | None, rows: Sequence[Row], window: Window) -> Any:
    """An aggregate of rows in the order of first and last."""
    if isinstance(how, Combiner) and how.name in names() and combiner_of(how.name) == how:
        how = how.name
    values = [1 if column is None else row.values[column] for row in rows]
    some = [value for value in values if not missing(value)]
    match how:
        case "size":
            return len(values)
        case "list":
            return [None if missing(value) else value for value in values]
        case str():
            return AGGREGATES[how](some)
        case Quantile():
            return _quantile(some, how.q)
        case Top(by=None):
            return sorted(some, reverse=not how.ascending)[: how.n]
        case Top():
            return _top(how, column, rows)
        case Only():
            mine = [row for row in rows if not missing(row.values[how.where]) and row.values[how.where] == how.equals]
            return aggregate(how.law, column, mine, window)
        case Latest():
            return None if not values or missing(values[-1]) else values[-1]
        case Duration():
            return max(row.time for row in rows) - min(row.time for row in rows) if rows else None
        case Sample():
            return _sampled(how, column, rows)
        case MaxBy() | MinBy():
            pairs = _pairs(rows, column, how.by)
            best = max if isinstance(how, MaxBy) else min  # the first of several
            return best(pairs, key=lambda pair: pair[1])[0] if pairs else None
        case WeightedMean():
            pairs = _pairs(rows, column, how.weight)
            weight = sum(weight for _, weight in pairs)
            return sum(value * weight for value, weight in pairs) / weight if weight else math.nan
        case Rows():
            assert column is not None
            every = [{name: row.values[name] for name in (column, *how.others)} for row in rows]
            places = [(row.time, row.partition, row.position) for row in rows]
            ordered = sorted(zip(places, every, strict=True), key=lambda each: (each[0], _by_value(each[1])))
            return [values for _, values in ordered]
        case OfSide():
            taken = dict(zip(how.others, how.fields, strict=True))
            own = [
                replace(row, values={field.name: row.values[name] for name, field in taken.items()})
                for row in rows
                if row.values[SIDE] == how.side
            ]
            return aggregate(how.of, how.column, own, window)
        case Rate():
            return aggregate(how.of, column, rows, window) / ((window[1] - window[0]) / 1e6)
    assert callable(how), how
    return how(rows)


def _given(columns: tuple[str, ...], column: str | None, row: Row) -> Any:
    """What of a row is given: a value, or some columns; a missing one is None."""
    if column is not None:
        return None if missing(row.values[column]) else row.values[column]
    return {name: None if missing(row.values[name]) else row.values[name] for name in columns}


def _top(how: Top, column: str | None, rows: Sequence[Row]) -> list[Any]:
    assert how.by is not None
    told = [
        (row.values[how.by], row.time, _given(how.columns, column, row))
        for row in rows
        if not missing(row.values[how.by])
    ]
    told.sort(key=lambda each: _by_value(each[2] if isinstance(each[2], dict) else {"": each[2]}))
    told.sort(key=lambda each: each[1])
    told.sort(key=lambda each: each[0], reverse=not how.ascending)
    return [values for _, _, values in told[: how.n]]


def _sampled(how: Sample, column: str | None, rows: Sequence[Row]) -> list[Any]:
    def lot(row: Row) -> int:
        drawn = _spread(how.seed)
        for part in (row.time, row.partition, row.position):
            drawn = _spread(drawn ^ (part % 2**64))
        return drawn if drawn < 2**63 else drawn - 2**64

    def place(row: Row) -> tuple[int, int, int]:
        return row.time, row.partition, row.position

    drawn = sorted(rows, key=lambda row: (lot(row), place(row)))[: how.n]
    return [_given(how.columns, column, row) for row in sorted(drawn, key=place)]


def _spread(value: int) -> int:
    """The step of splitmix64, as published."""
    value = (value + 0x9E3779B97F4A7C15) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def _pairs(rows: Sequence[Row], column: str | None, other: str) -> list[tuple[Any, Any]]:
    """The values of two columns in the rows that lack neither."""
    pairs = [(row.values[column], row.values[other]) for row in rows if column is not None]
    return [(one, two) for one, two in pairs if not missing(one) and not missing(two)]


def _by_value(values: dict[str, Any]) -> list[tuple[bool, Any]]:
    """How rows of one origin are ordered: by their values, a missing one first; lists do not count."""
    there = [(not missing(value), value) for value in values.values() if not isinstance(value, list)]
    return [(some, value if some else 0) for some, value in there]


def missing(value: Any) -> bool:
    """None, NaN, NaT or NA: what is not equal to itself, or cannot say so."""
    return value is None or type(value).__name__ == "NAType" or value != value
