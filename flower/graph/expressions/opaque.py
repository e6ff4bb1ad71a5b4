"""Functions of the frame: what no expression can say, kept as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.errors import DtypeError, FlowerError, UserFunctionError
from flower.graph.schema import columns_of, frame_of


@dataclass(frozen=True, slots=True)
class FrameFunction:
    """A person's function, called with a DataFrame of some of the rows; equal only to one of the same function.

    It must be row-wise: what it gives for a row may not depend on which other rows are in the frame, for a stream is
    cut into frames anywhere.

    Parameters
    ----------
    fn : callable
        Takes a DataFrame, which it may change, and gives a column or a frame.
    """

    fn: Callable[..., Any]

    @property
    def name(self) -> str:
        """What plans and errors call it."""
        return getattr(self.fn, "__qualname__", None) or repr(self.fn)

    def __str__(self) -> str:
        return self.name

    def field(self, name: str, schema: pa.Schema) -> pa.Field:
        """The column called ``name`` that it computes: the function is tried on a frame without rows.

        Raises
        ------
        UserFunctionError, DtypeError
            If that fails, or tells no dtype.
        """
        result = self._trial(schema)
        dtype = getattr(result, "dtype", None)
        if dtype is None or _is_object(dtype):
            what = type(result).__name__ if dtype is None else "a column of Python objects"
            raise DtypeError(
                f"the dtype of column {name!r} must be known before there is data",
                got=f"{what} from `{self.name}` for a frame without rows",
                hint="give back a Series of a dtype, or use map_frames(fn, schema={...})",
            )
        return columns_of(pd.DataFrame({name: result})).schema.field(0)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns of the frame that it gives for rows of ``schema``: the function is tried on a frame without rows.

        Raises
        ------
        UserFunctionError, DtypeError
            If that fails, or gives no frame.
        """
        result = self._trial(schema)
        if not isinstance(result, pd.DataFrame):
            raise DtypeError(
                f"`{self.name}` must give back a DataFrame",
                got=type(result).__name__,
                hint="return the frame, changed or not",
            )
        objects = [name for name, dtype in result.dtypes.items() if _is_object(dtype)]
        if objects:
            raise DtypeError(
                f"dtypes of the columns of `{self.name}` must be known before there is data",
                got=f"Python objects in {', '.join(map(repr, objects))} for a frame without rows",
                hint="declare them: map_frames(fn, schema={...})",
            )
        return columns_of(result).schema

    def _trial(self, schema: pa.Schema) -> Any:
        frame = frame_of(pa.RecordBatch.from_pylist([], schema=schema))
        try:
            return self.fn(frame)
        except FlowerError:
            raise
        except Exception as error:
            raise UserFunctionError(
                f"`{self.name}` must work on a frame without rows, which tells its dtypes before there is data",
                got=f"{type(error).__name__}: {error}",
                hint="use map_frames(fn, schema={...}), which declares them",
            ) from error


def _is_object(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "O"
