"""What the engine needs to know of one step of a person's own code; and its rows, admitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from flower.engine.counts import Counts
from flower.engine.keys import encode
from flower.engine.lift import Lifted
from flower.engine.pairs import Pairs
from flower.engine.side import LATE
from flower.graph.batch import Batch, constant
from flower.graph.process import Domain
from flower.graph.state import Kind, plain
from flower.model import arrays
from flower.model.panes import instants
from flower.model.time import MAX_TIME, MIN_TIME, later


@dataclass(frozen=True)
class Processing:
    """One step that calls a person's code by key, ready to run.

    Parameters
    ----------
    name : str
        The step's name.
    keys : tuple of str
        Key columns.
    code : class or callable
        What a person gave.
    state : tuple of (str, Kind)
        What is remembered of each key, by name: columns are kept in this order, whatever that of the declaration.
    timers : tuple of (str, {"event", "processing"})
        The timers of each key, by name.
    vectorised : bool
        Whether the code is called for many keys at once.
    allowed_lateness_us : int
        How far behind the watermark a row may be.
    timed : bool
        Whether rows have an event time.
    batch : bool
        Whether all rows come before the code is called.
    exact : bool
        Whether equal hashes mean equal keys.
    rows, output : pyarrow.Schema
        The columns that the code gets, and those that it gives.
    before, schema, dropped_schema : pyarrow.Schema
        The columns of the step's input, of what it gives, and of what it drops.
    """

    name: str
    keys: tuple[str, ...]
    code: Any
    state: tuple[tuple[str, Kind], ...]
    timers: tuple[tuple[str, Domain], ...]
    vectorised: bool
    allowed_lateness_us: int
    timed: bool
    batch: bool
    exact: bool
    rows: pa.Schema
    output: pa.Schema
    before: pa.Schema
    schema: pa.Schema
    dropped_schema: pa.Schema

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What is remembered, by name."""
        return dict(self.state)

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """What timers wait for, by name."""
        return dict(self.timers)

    @cached_property
    def plain(self) -> tuple[tuple[str, Callable[[Any], bool]], ...]:
        """Whether a value of an output column is one that is kept as it is."""
        return tuple((field.name, plain(field.type)) for field in self.output)

    def functions(self) -> tuple[Any, Any]:
        """The two functions of the code, made anew: of rows, and of timers (None: it has none)."""
        if not isinstance(self.code, type):
            return self.code, None
        instance = self.code()
        return instance.on_rows, getattr(instance, "on_timer", None)

    def limits(self, watermark: int, now: int) -> list[int]:
        """Up to which time each timer is due; all are when the stream has ended."""
        over = watermark == MAX_TIME
        return [MAX_TIME - 1 if over else watermark if domain == "event" else now for _, domain in self.timers]


class Admitting(Protocol):
    """A step that takes rows by key, and no windows; as of `Processing`."""

    @property
    def keys(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def timed(self) -> bool: ...  # noqa: D102
    @property
    def exact(self) -> bool: ...  # noqa: D102
    @property
    def allowed_lateness_us(self) -> int: ...  # noqa: D102
    @property
    def dropped_schema(self) -> pa.Schema: ...  # noqa: D102


def lift_process(batch: Batch, step: Admitting, *, watermark: int, elsewhere: int) -> Lifted:
    """Admit the rows of one partition; the arguments are those of `lift`."""
    n = len(batch)
    met = np.maximum(np.minimum(batch.met, elsewhere), watermark)
    late = met > batch.time if step.timed else np.zeros(n, np.bool_)
    gone = late
    if step.allowed_lateness_us:
        gone = late & (met > later(batch.time, step.allowed_lateness_us))
    missed = int(np.count_nonzero(gone))
    behind = int(np.count_nonzero(late))
    counts = Counts(n - behind, behind - missed, missed)
    dropped = Batch.empty(step.dropped_schema)
    if missed:
        expiry = later(batch.time[gone], step.allowed_lateness_us)
        counts = Counts(n - behind, behind - missed, missed, int((met[gone] - expiry - 1).max()))
        rows = batch.take(np.flatnonzero(gone))
        why = [pa.array([LATE] * missed, pa.large_string()), instants(met[gone])]
        columns = pa.RecordBatch.from_arrays([*rows.rows.columns, *why], schema=step.dropped_schema)
        dropped = Batch(columns, rows.time, met[gone], rows.partition, rows.position)
        batch = batch.take(np.flatnonzero(~gone))
        n = len(batch)
    encoded = encode([batch.rows.column(name) for name in step.keys], n, exact=step.exact)
    keys = tuple(arrays.take(key, encoded.codes) for key in encoded.keys)
    none = constant(MIN_TIME, n), constant(MAX_TIME, n)
    return Lifted(None, counts, dropped, Pairs(batch, *none, encoded.hash[encoded.codes], keys))
