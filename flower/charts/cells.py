"""The cells of a table as texts, and what tells its rows apart and sorts them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from flower.charts.axes import milliseconds
from flower.charts.texts import number_text
from flower.model.panes import ABSORBS, FINAL, RETRACTION, WINDOW_END, WINDOW_START

HIDDEN = (ABSORBS, FINAL, RETRACTION, "event_time")
"""Columns of panes that a frame has, and a glance does not need."""

LONGEST = 200
"""Characters of a cell."""


def cells_of(frame: pd.DataFrame, hidden: Collection[str] = HIDDEN) -> dict[str, Any]:
    """Columns and rows as texts, without those that are ``hidden``; a row's key tells it from the others.

    Examples
    --------
    >>> table = cells_of(pd.DataFrame({"k": ["b"], "n": [1.5]}))
    >>> table["rows"]
    [{'key': '0', 'cells': ['b', '1.5'], 'values': [None, 1.5]}]
    """
    names = [name for name in frame.columns if name not in hidden]
    texts = {name: _texts(frame[name]) for name in names}
    windowed = WINDOW_START in names or WINDOW_END in names
    before = names.index(WINDOW_START) if WINDOW_START in names else len(names)
    if windowed:
        # The key's columns come before the window's.
        told = [*names[:before], *(name for name in (WINDOW_START, WINDOW_END) if name in names)]
        keys = ["\0".join(parts) for parts in zip(*(texts[name] for name in told), strict=True)]
    else:
        keys = [str(label) for label in frame.index]
    numeric = [pd.api.types.is_numeric_dtype(frame[name].dtype) and frame[name].dtype != bool for name in names]
    # A table that is sorted compares numbers and times, not their texts.
    numbers = [_numbers(frame[name]) for name in names]
    rows = []
    for at, (key, row) in enumerate(zip(keys, zip(*texts.values(), strict=True), strict=True)):
        values = [column[at].item() if column is not None and np.isfinite(column[at]) else None for column in numbers]
        rows.append({"key": key, "cells": list(row), "values": values})
    return {
        "columns": [str(name) for name in names],
        "numeric": numeric,
        "by": list(map(str, names[:before])) if windowed else [],
        "rows": rows,
    }


def _numbers(column: pd.Series) -> np.ndarray | None:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return milliseconds(column)
    counts = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool
    return column.to_numpy(np.float64, na_value=np.nan) if counts else None


def _texts(column: pd.Series) -> list[str]:
    """What a person reads: no more digits than the column needs, no time zone where it is UTC."""
    missing = column.isna().to_numpy()
    kind = column.dtype
    if pd.api.types.is_datetime64_any_dtype(kind):
        there = column[~missing]
        form = "%Y-%m-%d %H:%M" if (there == there.dt.floor("min")).all() else "%Y-%m-%d %H:%M:%S.%f"
        utc = str(getattr(kind, "tz", "UTC")) == "UTC"
        said = column.dt.strftime(form if utc else f"{form}%z").astype(object)
        texts = [str(text).removesuffix(".000000") for text in said]
    elif pd.api.types.is_float_dtype(kind):
        texts = [number_text(value) for value in column.to_numpy(np.float64, na_value=np.nan)]
    else:
        texts = [str(value) for value in column]
    cut = [text if len(text) <= LONGEST else text[: LONGEST - 1] + "…" for text in texts]
    return ["" if gone else text for text, gone in zip(cut, missing, strict=True)]
