"""A step of a person's own code that remembers something of each key, and can ask to be called again at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import pyarrow as pa

from flower.errors import DtypeError, GraphError, SchemaError
from flower.graph.expressions import FrameFunction
from flower.graph.nodes import Stateful, Step, column_of, with_reason
from flower.graph.schema import dtype_name, names_text
from flower.graph.state import Kind
from flower.model.panes import EVENT_TIME, FINAL, INSTANT
from flower.model.windowing import Windowing

Domain = Literal["event", "processing"]
"""What a timer waits for: the watermark, or the clock."""

DOMAINS = get_args(Domain)

Declared = tuple[tuple[str, Kind], ...]
Timers = tuple[tuple[str, Domain], ...]


@dataclass(frozen=True, eq=False)
class Process(Step, Stateful):
    """What ``fn`` gives for the rows of each key and for its timers: columns ``output``. It holds state by key.

    Parameters
    ----------
    fn : FrameFunction
        A class with ``on_rows`` and ``on_timer``, or ``on_rows`` alone.
    state : tuple of (str, Kind)
        What it remembers of each key.
    timers : tuple of (str, {"event", "processing"})
        The timers that a key has.
    output : pyarrow.Schema
        The columns that it gives.
    vectorised : bool
        Whether it is called for many keys at once.
    allowed_lateness_us : int
        How far behind the watermark a row may be.
    """

    keys: tuple[str, ...]
    fn: FrameFunction
    state: Declared
    timers: Timers
    output: pa.Schema
    vectorised: bool
    allowed_lateness_us: int
    verb = "process"
    kind = "rows"

    @cached_property
    def rows(self) -> pa.Schema:
        """The columns of the rows that it gets: all but the keys."""
        return pa.schema([field for field in self.input.schema if field.name not in self.keys])

    @property
    def told(self) -> bool:
        """Whether it says itself which event times its rows have."""
        return EVENT_TIME in self.output.names

    def _schema(self) -> pa.Schema:
        keys = [column_of(self.input.schema, key) for key in self.keys]
        for key in keys:
            if pa.types.is_nested(key.type):
                raise DtypeError(
                    "a key must be a number, text, a bool, a time or a duration",
                    got=f"column {key.name!r} of {dtype_name(key)}",
                    hint="group by other columns",
                )
        twice = [name for name in self.output.names if name in self.keys]
        if twice:
            raise SchemaError(
                "what is processed must give columns of other names than the keys",
                got=names_text(twice),
                hint="leave them out of `schema`: each row has its keys anyway",
            )
        self._check_time()
        self._check_input()
        own = [field for field in self.output if field.name != EVENT_TIME]
        time = [pa.field(EVENT_TIME, INSTANT, nullable=False)] if self._timed() else []
        return pa.schema([*keys, *own, *time])

    def _check_time(self) -> None:
        if self._timed():
            if self.told and self.output.field(EVENT_TIME).type != INSTANT:
                raise DtypeError(
                    f"column {EVENT_TIME!r} says which event times the rows have",
                    got=dtype_name(self.output.field(EVENT_TIME)),
                    hint="declare it as 'datetime64[us, UTC]', or leave it out",
                )
            return
        waiting = [name for name, domain in self.timers if domain == "event"]
        if waiting or self.told:
            raise GraphError(
                "timers of event time, and a column of event times, need rows that have an event time",
                got=f"timer {waiting[0]!r} of rows without one" if waiting else f"rows without one, {EVENT_TIME!r}",
                hint="name its column where it is read: event_time='column'; or use a timer of 'processing' time",
            )

    def _check_input(self) -> None:
        if self.input.windowing is not None:
            raise GraphError(
                "process() has no windows: it remembers what it likes of each key",
                got=self.input.windowing.source,
                hint="call .process() before .window(); what is given goes into windows after it",
            )
        if self.input.retracting:
            raise GraphError(
                "rows that are processed cannot be taken back",
                got="an input that may be retracted",
                hint=f"take the final pane of each window only, with .filter({FINAL!r}) right after the step",
            )

    def _dropped_schema(self) -> pa.Schema:
        return with_reason(self.input.schema, windows=False)

    def _windowing(self) -> Windowing | None:
        return None

    def _timed(self) -> bool:
        return self.input.timed

    def _retracting(self) -> bool:
        return False
