"""The state of a keyed step, whichever its windows: how it begins and how an epoch changes it."""

from __future__ import annotations

from collections.abc import Sequence

from flower.engine import aligned, sessions
from flower.engine.keyed import Keyed
from flower.engine.runs import Run
from flower.graph.batch import Batch

KeyedState = aligned.AlignedState | sessions.SessionState


def empty(step: Keyed) -> KeyedState:
    """The state before the first epoch."""
    return sessions.SessionState() if step.windowing.windows.merging else aligned.AlignedState()


def advance(
    state: KeyedState, deltas: Sequence[Run | sessions.SessionRun], step: Keyed, watermark: int, now: int
) -> tuple[KeyedState, Batch, int]:
    """One epoch: the next state, the panes, the output watermark."""
    if isinstance(state, sessions.SessionState):
        merging = [delta for delta in deltas if isinstance(delta, sessions.SessionRun)]
        return sessions.advance(state, merging, step, watermark, now)
    return aligned.advance(state, [delta for delta in deltas if isinstance(delta, Run)], step, watermark, now)
