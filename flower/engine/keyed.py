"""What the engine needs to know of one windowed aggregation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pyarrow as pa

from flower.engine.counts import Counts
from flower.engine.groups import Law
from flower.graph.batch import Batch
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windowing import Windowing

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Advanced(Generic[S]):
    """What one epoch makes of a keyed step.

    Parameters
    ----------
    state
        The next state.
    panes : Batch
        What fired.
    watermark : int
        The output watermark.
    dropped : Batch or None
        Pairs that had been admitted and are not taken after all.
    counts : Counts
        What these change.
    errors : pyarrow.RecordBatch or None
        Rows that could not be processed.
    """

    state: S
    panes: Batch
    watermark: int
    dropped: Batch | None = None
    counts: Counts = field(default_factory=Counts)
    errors: pa.RecordBatch | None = None


@dataclass(frozen=True, slots=True)
class Keyed:
    """One windowed aggregation, ready to run.

    Parameters
    ----------
    name : str
        The step's name.
    keys : tuple of str
        Key columns.
    windowing : Windowing
        Where, When and How.
    law : Law
        The aggregates and how their groups merge.
    schema : pyarrow.Schema
        Columns of the panes.
    dropped_schema : pyarrow.Schema
        Columns of the dropped pairs.
    """

    name: str
    keys: tuple[str, ...]
    windowing: Windowing
    law: Law
    schema: pa.Schema
    dropped_schema: pa.Schema

    @property
    def sliced(self) -> bool:
        """Whether rows are aggregated by slices. Rows that are taken back are not: they and what replaces them are
        admitted or dropped together, a window at a time.
        """
        return self.windowing.sliced and not self.law.net

    def expired(self, watermark: int) -> int:
        """The latest end of windows that expire at ``watermark``; `MIN_TIME`: none does."""
        return expired(self.windowing, watermark)


def expired(windowing: Windowing, watermark: int) -> int:
    """The latest end of windows that expire at ``watermark``; `MIN_TIME`: none does."""
    lateness = windowing.allowed_lateness_us
    if watermark == MAX_TIME:
        return MAX_TIME
    if lateness == MAX_TIME or watermark - MIN_TIME < lateness:
        return MIN_TIME
    return watermark - lateness
