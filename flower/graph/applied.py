"""What a function of a whole group gives back, as the rows that it stands for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.errors import DtypeError, SchemaError, UserFunctionError
from flower.graph.expressions import FrameFunction
from flower.graph.schema import columns_of, frame_of, names_text

VALUE = "value"
"""The column of a scalar, where none is declared."""


def rows_of(result: object, function: FrameFunction, names: list[str] | None = None) -> pd.DataFrame:
    """The rows that a result stands for: a frame's own, one row of a Series, a dict or a scalar.

    Parameters
    ----------
    result : object
        What the function gave.
    function : FrameFunction
        Cited in errors.
    names : list of str, optional
        The columns that are declared: the only one is that of a scalar.

    Raises
    ------
    SchemaError
        If it is none of these.

    Examples
    --------
    >>> rows_of({"n": 2, "mean": 0.5}, FrameFunction(len))
       n  mean
    0  2   0.5
    >>> rows_of(7, FrameFunction(len))
       value
    0      7
    """
    if isinstance(result, pd.DataFrame):
        return result
    if isinstance(result, pd.Series | Mapping):
        return pd.DataFrame({name: [value] for name, value in _row(result, function).items()}, index=[0])
    if _scalar(result):
        name = names[0] if names is not None and len(names) == 1 else VALUE
        return pd.DataFrame({name: [result]})
    raise SchemaError(
        f"`{function}` must give back a DataFrame, a Series, a dict or a scalar for each group",
        got=type(result).__name__,
        hint="put lists of values into the columns of a frame",
    )


def _row(result: pd.Series | Mapping[Hashable, Any], function: FrameFunction) -> dict[str, Any]:
    """A row by its columns' names."""
    row = dict(result.items())
    wrong = [name for name in row if not isinstance(name, str)]
    if wrong:
        raise SchemaError(
            f"a {type(result).__name__} that `{function}` gives is a row, and its names are those of columns",
            got=f"the name {wrong[0]!r}",
            hint="for several rows give back a frame, as with .to_frame()",
        )
    return row  # type: ignore[return-value]


def _scalar(value: object) -> bool:
    return np.isscalar(value) or value is pd.NA or isinstance(value, np.generic | dt.date | dt.timedelta)


def applied_schema(function: FrameFunction, schema: pa.Schema) -> pa.Schema:
    """The columns that a function gives for groups of rows of ``schema``: it is tried on a group without rows.

    Raises
    ------
    UserFunctionError, DtypeError, SchemaError
        If that fails, or does not tell the columns and their dtypes.
    """
    hint = "declare the columns: apply(fn, schema={...})"
    try:
        result = function.fn(frame_of(pa.RecordBatch.from_pylist([], schema=schema)))
    except Exception as error:  # a user's function may raise anything
        raise UserFunctionError(
            f"`{function}` must work on a group without rows, which tells its dtypes before there is data",
            got=f"{type(error).__name__}: {error}",
            hint=hint,
        ) from error
    frame = rows_of(result, function)
    if not len(frame.columns):
        raise SchemaError(
            f"`{function}` must tell its columns before there is data",
            got=f"a {type(result).__name__} without names for a group without rows",
            hint=f"{hint}; for several rows give back a frame",
        )
    one = not isinstance(result, pd.DataFrame)
    unknown = [
        name
        for name in frame.columns
        if frame[name].dtype == object or (one and any(frame[name].iloc[0] is each for each in (pd.NaT, pd.NA)))
    ]
    if unknown:
        raise DtypeError(
            f"dtypes of the columns of `{function}` must be known before there is data",
            got=f"no dtype in {names_text(map(str, unknown))} for a group without rows",
            hint=hint,
        )
    return columns_of(frame).schema
