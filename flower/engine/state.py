"""The state of a keyed step, whichever its windows: how it begins and how an epoch changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flower.engine import aligned, asof, counted, deduplication, interval, inwindow, learning, processed, sessions
from flower.engine import joined as windowed
from flower.engine.blocks import SessionRun
from flower.engine.joint import Joint
from flower.engine.keyed import Advanced, Keyed
from flower.engine.lift import sessions_of
from flower.engine.pairs import Pairs, joined, refused
from flower.engine.processing import Processing
from flower.engine.runs import Run
from flower.engine.slices import Slices
from flower.engine.waiting import Held
from flower.model.arrays import Bools
from flower.model.time import MAX_TIME
from flower.model.windows import CountWindows, by_clock

JoinState = windowed.JoinedState | interval.IntervalState | asof.AsofState | inwindow.InWindowState
KeyedState = (
    aligned.AlignedState
    | sessions.SessionState
    | counted.CountedState
    | JoinState
    | deduplication.DistinctState
    | processed.ProcessedState
    | learning.LearnedState
)
AdvancedGroups = Advanced[aligned.AlignedState] | Advanced[sessions.SessionState] | Advanced[counted.CountedState]
AdvancedJoin = (
    Advanced[windowed.JoinedState]
    | Advanced[interval.IntervalState]
    | Advanced[asof.AsofState]
    | Advanced[inwindow.InWindowState]
)
AdvancedRows = (
    Advanced[deduplication.DistinctState] | Advanced[processed.ProcessedState] | Advanced[learning.LearnedState]
)
Piece = Run | Slices | SessionRun | Held | Pairs
"""What rows come to before they reach a keyed step."""
KeyedStep = Keyed | Joint | deduplication.Distinct | Processing | learning.Learning


def empty(step: KeyedStep) -> KeyedState:
    """The state before the first epoch."""
    if isinstance(step, deduplication.Distinct):
        return deduplication.DistinctState()
    if isinstance(step, Processing):
        return processed.ProcessedState()
    if isinstance(step, learning.Learning):
        return learning.LearnedState()
    if isinstance(step, Joint):
        if step.lookup is not None:
            return inwindow.InWindowState()
        if step.windowing is not None:
            return windowed.JoinedState()
        return interval.IntervalState() if step.direction is None else asof.AsofState()
    if isinstance(step.windowing.windows, CountWindows):
        return counted.CountedState()
    return sessions.SessionState() if step.windowing.windows.merging else aligned.AlignedState()


def advance(
    state: KeyedState, pieces: Sequence[Piece], step: KeyedStep, watermark: int, now: int
) -> AdvancedGroups | AdvancedJoin | AdvancedRows:
    """One epoch of a step."""
    if isinstance(step, deduplication.Distinct):
        assert isinstance(state, deduplication.DistinctState)
        return deduplication.advance(state, [each for each in pieces if isinstance(each, Held)], step, watermark)
    if isinstance(step, Processing):
        assert isinstance(state, processed.ProcessedState)
        return processed.advance(state, [piece for piece in pieces if isinstance(piece, Pairs)], step, watermark, now)
    if isinstance(step, learning.Learning):
        assert isinstance(state, learning.LearnedState)
        return learning.advance(state, [piece for piece in pieces if isinstance(piece, Pairs)], step, watermark)
    if isinstance(step, Joint):
        rows = [piece for piece in pieces if isinstance(piece, Held)]
        if isinstance(state, windowed.JoinedState):
            return windowed.advance(state, rows, step, watermark)
        if isinstance(state, interval.IntervalState):
            return interval.advance(state, rows, step, watermark)
        if isinstance(state, inwindow.InWindowState):
            return inwindow.advance(state, rows, step, watermark)
        assert isinstance(state, asof.AsofState)
        return asof.advance(state, rows, step, watermark)
    if by_clock(step.windowing.windows) and watermark < MAX_TIME:
        watermark = now
    pairs = [piece for piece in pieces if isinstance(piece, Pairs)]
    if isinstance(state, counted.CountedState):
        return counted.advance(state, pairs, step, watermark, now)
    if isinstance(state, sessions.SessionState):
        merging = [piece for piece in pieces if isinstance(piece, SessionRun)]
        if pairs and state.blocks:
            over = sessions.over(state, joined(pairs), step)
            if over.any():
                return _without(over, state, joined(pairs), step, watermark, now)
        return sessions.advance(state, merging, step, watermark, now)
    assert isinstance(state, aligned.AlignedState)
    deltas = [piece for piece in pieces if isinstance(piece, Run)]
    cut = [piece for piece in pieces if isinstance(piece, Slices)]
    return aligned.advance(state, deltas, step, watermark, now, joined(pairs) if pairs else None, cut)


def _without(
    over: Bools, state: sessions.SessionState, pairs: Pairs, step: Keyed, watermark: int, now: int
) -> Advanced[sessions.SessionState]:
    """One epoch without the pairs of ``over``, whose sessions have finished: the others make sessions of their own."""
    left = pairs.where(~over)
    deltas = [sessions_of(left.batch, step, left.start, left.end, now)[0]] if len(left) else []
    rows, counts = refused(pairs.where(over), step.dropped_schema)
    return replace(sessions.advance(state, deltas, step, watermark, now), dropped=rows, counts=counts)
