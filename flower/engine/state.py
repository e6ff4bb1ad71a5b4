"""The state of a keyed step, whichever its windows: how it begins and how an epoch changes it."""

from __future__ import annotations

from collections.abc import Sequence

from flower.engine import aligned, sessions
from flower.engine.keyed import Advanced, Keyed
from flower.engine.pairs import Pairs, joined
from flower.engine.runs import Run
from flower.model.time import MAX_TIME
from flower.model.windows import by_clock

KeyedState = aligned.AlignedState | sessions.SessionState
Piece = Run | sessions.SessionRun | Pairs
"""What rows come to before they reach a keyed step."""


def empty(step: Keyed) -> KeyedState:
    """The state before the first epoch."""
    return sessions.SessionState() if step.windowing.windows.merging else aligned.AlignedState()


def advance(
    state: KeyedState, pieces: Sequence[Piece], step: Keyed, watermark: int, now: int
) -> Advanced[aligned.AlignedState] | Advanced[sessions.SessionState]:
    """One epoch of a step."""
    if by_clock(step.windowing.windows) and watermark < MAX_TIME:
        watermark = now
    if isinstance(state, sessions.SessionState):
        merging = [piece for piece in pieces if isinstance(piece, sessions.SessionRun)]
        return sessions.advance(state, merging, step, watermark, now)
    deltas = [piece for piece in pieces if isinstance(piece, Run)]
    pairs = [piece for piece in pieces if isinstance(piece, Pairs)]
    return aligned.advance(state, deltas, step, watermark, now, joined(pairs) if pairs else None)
