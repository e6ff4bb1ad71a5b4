"""What a data-driven trigger's predicate says of the aggregates so far."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flower.engine.evaluate import predicate_mask
from flower.errors import DtypeError, UserFunctionError
from flower.graph.expressions import Expr, FrameFunction
from flower.graph.schema import columns_of, frame_of
from flower.model.arrays import Bools


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
