"""What a keyed step holds between two epochs, as rows: the windows that fill, with what a pane would say now."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from flower.engine import slices
from flower.engine.aligned import AlignedState
from flower.engine.counted import CountedState, with_windows
from flower.engine.groups import Groups
from flower.engine.keyed import Keyed
from flower.engine.panes import Firing, panes_of
from flower.engine.runs import merge
from flower.engine.sessions import SessionState
from flower.engine.state import KeyedState
from flower.engine.touched import living
from flower.graph.batch import Batch
from flower.model.panes import ABSORBS_TYPE
from flower.model.time import I64, MAX_TIME


def held_rows(state: KeyedState, step: Keyed) -> tuple[pa.RecordBatch, I64]:
    """One row a (key, window) that has rows since its last pane, and how many these are.

    The columns are those of a pane; what only a pane has (timing, whether it is final) says nothing.
    """
    parts, counts = [Batch.empty(step.schema).rows], [np.zeros(0, np.int64)]
    for groups, start, end in _records(state, step):
        some = groups.rows > 0
        timing = np.zeros(len(groups), np.int64)
        firing = Firing(some, timing, np.zeros(len(groups), np.bool_), groups.marks)
        absorbs = pa.array([[]] * len(groups), ABSORBS_TYPE) if step.windowing.windows.merging else None
        rows = panes_of(groups, start, end, firing, step, absorbs)
        if rows is not None:
            parts.append(rows.rows)
            counts.append(groups.rows[some])
    return pa.concat_batches(parts), np.concatenate(counts)


def _records(state: KeyedState, step: Keyed) -> Iterator[tuple[Groups, I64, I64]]:
    """Every (key, window) once, with its whole record."""
    if isinstance(state, AlignedState):
        sliced = slices.passed(state.slices, state.watermark, MAX_TIME, step.law)
        tables = (((*state.blind, *sliced), False), (state.open.runs, True), (state.passed.runs, True))
        for runs, newest_wins in tables:
            run = living(merge(runs, step.law, newest_wins=newest_wins)) if runs else None
            if run is not None:
                yield run.groups, run.spread(run.start), run.spread(run.end)
    elif isinstance(state, CountedState):
        run = state.waiting(step.law)
        if run is not None:
            yield with_windows(run.groups, step)
    elif isinstance(state, SessionState) and state.live is not None and len(state.live):
        yield state.live.groups, state.live.start, state.live.end
