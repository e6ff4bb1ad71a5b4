"""The step that asks a model of each row, and then lets the model learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from flower.errors import DtypeError, EventTimeError, GraphError, SchemaError
from flower.graph.models import Model
from flower.graph.nodes import Stateful, Step, column_of, with_reason
from flower.graph.schema import dtype_name, names_text
from flower.model.panes import FINAL

Arrangement = Literal["event_time", "arrival"]
ORDERS = get_args(Arrangement)

Missing = Literal["error", "omit", "pass"]
MISSING = get_args(Missing)


@dataclass(frozen=True, eq=False)
class Learn(Step, Stateful):
    """The rows with what a model says of each before it learns from it. There is a model a key.

    Parameters
    ----------
    keys : tuple of str
        Key columns; none: one model for all rows.
    model : Model
        What each key's begins with.
    x : tuple of str
        The columns that are its features.
    y : str or None
        The column from which it learns; None: it learns from the features alone.
    result : str
        The column of what it says.
    order : {"event_time", "arrival"}
        Whether rows wait for the watermark, and come in the order of their times.
    missing : {"error", "omit", "pass"}
        What becomes of a missing feature.
    mini_batch : bool
        Whether the model gets all rows of an epoch at once.
    checkpoint : {"pickle"} or None
        How models are written down; None: they are not.
    """

    keys: tuple[str, ...]
    model: Model
    x: tuple[str, ...]
    y: str | None
    result: str
    order: Arrangement
    missing: Missing
    mini_batch: bool
    checkpoint: str | None
    verb = "learn"
    kind = "rows"

    @property
    def said(self) -> pa.Field:
        """The column of what the model says."""
        if self.model.task == "classification":
            assert self.y is not None
            return column_of(self.input.schema, self.y).with_name(self.result).with_nullable(True)
        kind = pa.int64() if self.model.task == "clustering" else pa.float64()
        return pa.field(self.result, kind)

    def _schema(self) -> pa.Schema:
        before = self.input.schema
        for name in (*self.keys, *self.x, *(() if self.y is None else (self.y,))):
            field = column_of(before, name)
            if pa.types.is_nested(field.type):
                raise DtypeError(
                    "keys, features and labels must be numbers, text, bools, times or durations",
                    got=f"column {name!r} of {dtype_name(field)}",
                    hint="make columns of its parts with .assign(...)",
                )
        if self.y is not None and pa.types.is_dictionary(before.field(self.y).type):
            raise DtypeError(
                "a label must be a number, text or a bool",
                got=f"column {self.y!r} of {dtype_name(before.field(self.y))}",
                hint=f"use the text: .assign({self.y}={self.y + '.astype(str)'!r})",
            )
        if self.result in before.names:
            raise SchemaError(
                "what a model says needs a column of its own",
                got=f"{self.result!r}, which is there; columns: {names_text(before.names)}",
                hint="give it another name: " + ("score='anomaly'" if self.verb == "score" else "prediction='guess'"),
            )
        if self.order == "event_time" and not self.input.timed:
            raise EventTimeError(
                "rows from which a model learns in the order of event time must have one",
                got="rows without one",
                hint="name its column where it is read: event_time='column'; or say order='arrival'",
            )
        if self.input.retracting:
            raise GraphError(
                "what a model has learnt cannot be taken back",
                got="rows that may be retracted",
                hint=f"take the final pane of each window only, with .filter({FINAL!r}) right after the step",
            )
        return pa.schema([*before, self.said])

    def _dropped_schema(self) -> pa.Schema:
        return with_reason(self.input.schema, windows=False)

    def _retracting(self) -> bool:
        return False


class Score(Learn):
    """The rows with how far from normal a model finds each, before it learns from it."""

    verb = "score"
