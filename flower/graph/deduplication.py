"""The step that gives the first row of each key, and leaves out those that repeat it within a time."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from flower.errors import DtypeError, EventTimeError, GraphError
from flower.graph.nodes import Stateful, Step, column_of, with_reason
from flower.graph.schema import dtype_name
from flower.model.panes import FINAL

SLICES = 2
"""Into how many slices a sketch cuts the time within which rows are one."""


@dataclass(frozen=True, eq=False)
class Deduplicate(Step, Stateful):
    """The rows that repeat none given before: of the same keys, and at most ``within`` away in event time.

    Parameters
    ----------
    keys : tuple of str
        Key columns; missing keys are equal to one another.
    within : int
        In microseconds.
    error : float or None
        How often a row that repeats none may be left out, by sketch; None: never.
    """

    keys: tuple[str, ...]
    within: int
    error: float | None = None
    verb = "deduplicate"
    kind = "rows"

    @property
    def slice(self) -> int:
        """What is a moment of event time, in microseconds: 1, by sketch a part of ``within``."""
        return 1 if self.error is None else max(1, -(-self.within // SLICES))

    @property
    def reach(self) -> int:
        """How many slices apart rows are still one."""
        return -(-self.within // self.slice)

    def _schema(self) -> pa.Schema:
        before = self.input.schema
        for key in self.keys:
            field = column_of(before, key)
            if pa.types.is_nested(field.type) or pa.types.is_dictionary(field.type):
                raise DtypeError(
                    "a key must be a number, text, a bool, a time or a duration",
                    got=f"column {key!r} of {dtype_name(field)}",
                    hint="deduplicate by other columns",
                )
        if not self.input.timed:
            raise EventTimeError(
                "rows that are deduplicated within a time must have an event time",
                got="rows without one",
                hint="name its column where it is read: event_time='column'",
            )
        if self.input.retracting:
            raise GraphError(
                "rows that are deduplicated cannot be taken back",
                got="rows that may be retracted",
                hint=f"take the final pane of each window only, with .filter({FINAL!r}) right after the retracting "
                "step",
            )
        return before

    def _dropped_schema(self) -> pa.Schema:
        return with_reason(self.input.schema, windows=False)

    def _retracting(self) -> bool:
        return False
