"""Rows placed in windows by a person's own class, whose answer is checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.errors import FlowerError, UserFunctionError, WindowError
from flower.graph.batch import Batch
from flower.graph.schema import frame_of
from flower.model.custom import WindowFn
from flower.model.time import I64
from flower.model.windows import Assigned


def placed(windows: WindowFn, batch: Batch, step: str) -> Assigned:
    """As ``assign`` of other windows: the row of each pair (None: one each), starts, ends.

    Raises
    ------
    UserFunctionError, WindowError
        If the class raises, or gives what are no windows; names it and the step.
    """
    name, n = type(windows).__name__, len(batch)
    try:
        given = asked(windows, batch.time, batch.rows)
    except FlowerError:
        raise
    except Exception as error:
        raise UserFunctionError(
            f"{name}.assign() must place rows in windows", got=f"{type(error).__name__}: {error}", step=repr(step)
        ) from error

    def wrong(must: str, got: str) -> WindowError:
        return WindowError(f"{name}.assign() must give {must}", got=got, step=repr(step))

    if not isinstance(given, tuple) or len(given) != 3:
        raise wrong("three things: the rows, starts and ends", type(given).__name__)
    row = None if given[0] is None else np.asarray(given[0])
    ends = []
    for what, value in (("starts", given[1]), ("ends", given[2])):
        instants = microseconds(value)
        if instants is None:
            raise wrong(f"{what} as int64 microseconds or datetime64", _kind(value))
        ends.append(instants)
    start, end = ends
    if row is not None:
        if row.ndim != 1 or (row.dtype.kind not in "iu" and len(row)):
            raise wrong("the indices of rows as whole numbers, or None", _kind(given[0]))
        row = row.astype(np.int64)
        if len(row) and not 0 <= int(row.min()) <= int(row.max()) < n:
            raise wrong(f"indices of the {n} rows it was given", f"{int(row.min())} to {int(row.max())}")
    pairs = n if row is None else len(row)
    if not len(start) == len(end) == pairs:
        of = "row" if row is None else "index"
        raise wrong(f"a start and an end for each {of}, {pairs}", f"{len(start)} starts and {len(end)} ends")
    bad = np.flatnonzero(start >= end)
    if len(bad):
        first, last = (np.datetime64(int(value[bad[0]]), "us") for value in (start, end))
        raise wrong("windows that end after they start", f"[{first}, {last})")
    return row, start, end


def asked(windows: WindowFn, time: I64, rows: pa.RecordBatch) -> Any:
    """What the class says of rows."""
    frame = frame_of(rows.select(list(windows.columns)))
    return windows.assign(time.astype("M8[us]"), frame if windows.columns else pd.DataFrame(index=range(len(time))))


def microseconds(value: object) -> I64 | None:
    """Instants as int64; None: they are none."""
    if isinstance(value, pd.Series | pd.Index) and isinstance(value.dtype, pd.DatetimeTZDtype):
        value = value.to_numpy("M8[ns]") if value.dtype.unit == "ns" else value.to_numpy(f"M8[{value.dtype.unit}]")
    array = np.asarray(value)
    if array.ndim != 1:
        return None
    if array.dtype.kind == "M":
        return None if np.isnat(array).any() else array.astype("M8[us]").astype(np.int64)
    return array.astype(np.int64) if array.dtype == np.int64 or not len(array) else None


def _kind(value: object) -> str:
    array = np.asarray(value)
    if array.dtype.kind == "M" and array.ndim == 1:
        return "missing times (NaT)"
    return f"{array.ndim} dimensions of {array.dtype}" if array.ndim != 1 else str(array.dtype)
