"""What a person's expressions say: whether a data-driven trigger's predicate holds, the gap of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.evaluate import evaluate, predicate_mask
from flower.errors import DtypeError, UserFunctionError
from flower.graph.expressions import Expr, FrameFunction
from flower.graph.schema import columns_of, frame_of
from flower.model.arrays import Bools
from flower.model.panes import so_far


def holds(predicate: object, rows: pa.RecordBatch, step: str) -> Bools:
    """For which rows ``predicate`` holds; where it has no value, it does not.

    Raises
    ------
    UserFunctionError, DtypeError
        If a function raises, or does not say True or False of each row; names the step.
    """
    if isinstance(predicate, Expr):
        return predicate_mask(predicate, rows)[0]
    assert isinstance(predicate, FrameFunction)
    try:
        given = predicate.fn(frame_of(rows))
    except Exception as error:
        raise UserFunctionError(
            "the function of a trigger must say True or False of each row",
            got=f"{type(error).__name__}: {error}",
            hint="it is called with a frame of the keys and the aggregates so far",
        ).at(f"step {step!r} (trigger)") from error
    column = columns_of(frame_of(rows)[[]].assign(holds=given)).column(0)
    if column.type != pa.bool_():
        raise DtypeError(
            "the function of a trigger must say True or False of each row",
            got=str(column.type),
            hint="give back a comparison, as in frame['total'] > 15",
        ).at(f"step {step!r} (trigger)")
    return np.asarray(column.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)


def holds_for(panes: pa.Schema, keys: Sequence[str], step: str) -> Callable[[object, Mapping[str, Any]], bool]:
    """`holds` for one window, given its keys and aggregates by name; ``panes`` is the schema of the step's panes."""
    schema = so_far(panes, keys)

    def answer(predicate: object, values: Mapping[str, Any]) -> bool:
        return bool(holds(predicate, pa.RecordBatch.from_pylist([dict(values)], schema=schema), step)[0])

    return answer


def gap_for(value: object, rows: pa.Schema) -> Callable[[Mapping[str, Any]], int | None]:
    """The gap of one row in microseconds, as `Sessions` were given it; None where there is none."""

    def answer(values: Mapping[str, Any]) -> int | None:
        row = pa.RecordBatch.from_pylist([dict(values)], schema=rows)
        if isinstance(value, Expr):
            column, codes = evaluate(value, row)
            if codes is not None and codes[0]:
                return None
        else:
            assert isinstance(value, FrameFunction)
            try:
                column = columns_of(frame_of(row)[[]].assign(gap=value.fn(frame_of(row)))).column(0)
            except Exception:  # a person's function may raise anything: the row has no gap
                return None
        gap = pd.Timedelta(column[0].as_py())
        return None if pd.isna(gap) else gap // pd.Timedelta(1, unit="us")

    return answer
