"""States of keyed steps dealt by key into other shards, and those of several shards put together.

A shard has whatever falls to its keys, in the order in which the step has it; a sketch, which knows no keys, it has as
a whole. So a state that one process wrote may be
gone on with by any number of workers, and the other way round.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial, singledispatch
from typing import Any, TypeVar, cast

import numpy as np

from flower.engine.aligned import AlignedState, Records, Timer
from flower.engine.asof import AsofState
from flower.engine.blocks import Block, SessionRun, side_by_side
from flower.engine.counted import CountedState
from flower.engine.deduplication import Distinct, DistinctState
from flower.engine.groups import Law
from flower.engine.interval import IntervalState
from flower.engine.inwindow import InWindowState, newest
from flower.engine.joined import JoinedState
from flower.engine.joint import Joint
from flower.engine.kept import Kept
from flower.engine.kept import together as kept_together
from flower.engine.keyed import Keyed
from flower.engine.keys import shard_of
from flower.engine.learning import LearnedState
from flower.engine.pairs import Pairs
from flower.engine.processed import ProcessedState
from flower.engine.runs import Run, merge
from flower.engine.sessions import SessionState
from flower.engine.slices import Slices
from flower.engine.state import KeyedState, KeyedStep, empty
from flower.engine.touched import Touched, merged
from flower.engine.waiting import Held, by_key, by_until, joined
from flower.errors import RunError
from flower.model.arrays import Bools, order
from flower.model.time import I64

T = TypeVar("T")
Mine = Callable[[I64], Bools]
"""Which of some hashes are those of a shard's keys."""


def dealt(state: KeyedState, shard: int, shards: int) -> KeyedState:
    """What of a state falls to one of several shards."""
    if shards == 1:
        return state
    return cast("KeyedState", _with_fields(state, lambda hash_: shard_of(hash_, shards) == shard))


def _with_fields(value: Any, mine: Mine) -> Any:
    kept = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    return dataclasses.replace(value, **{name: _dealt(each, mine) for name, each in kept.items()})


@singledispatch
def _dealt(value: Any, mine: Mine) -> Any:
    """What of a value is a shard's; None: nothing. What all shards know is each one's."""
    return value


@_dealt.register
def _(value: tuple, mine: Mine) -> tuple[Any, ...]:  # type: ignore[type-arg]
    return tuple(each for each in (_dealt(each, mine) for each in value) if each is not None)


@_dealt.register
def _(value: Records, mine: Mine) -> Records:
    return cast("Records", _with_fields(value, mine))


@_dealt.register(Run)
@_dealt.register(Slices)
def _(value: Run | Slices, mine: Mine) -> Run | Slices | None:
    left = value.where(mine(value.groups.hash))
    return left if len(left) else None


@_dealt.register
def _(value: Timer, mine: Mine) -> Timer | None:
    run = _dealt(value.run, mine)
    return None if run is None else Timer(value.due, run)


@_dealt.register
def _(value: Touched, mine: Mine) -> Touched | None:
    at = np.flatnonzero(mine(value.groups.hash))
    return Touched(value.due[at], value.start[at], value.end[at], value.groups.take(at)) if len(at) else None


@_dealt.register
def _(value: Block, mine: Mine) -> Block | None:
    left = value.left
    left = left.where(mine(left.groups.hash))
    return Block.of(left) if len(left) else None


@_dealt.register(Held)
@_dealt.register(Pairs)
def _(value: Held | Pairs, mine: Mine) -> Held | Pairs | None:
    left = value.where(mine(value.hash))
    return left if len(left) else None


@_dealt.register
def _(value: Kept, mine: Mine) -> Kept | None:
    left = value.without(np.flatnonzero(~mine(value.hash)))
    return kept_together([left]) if left.live.any() else None


# -- put together


def together(states: Sequence[KeyedState], step: KeyedStep) -> KeyedState:
    """The state of a step of those of its shards, in their order; no key is in two of them."""
    if len(states) < 2:
        return states[0] if states else empty(step)
    put = _TOGETHER[type(states[0])]
    return cast("KeyedState", put(states, step))


def _aligned(states: Sequence[AlignedState], step: Keyed) -> AlignedState:
    runs, law = partial(_runs, step.law), step.law
    return AlignedState(
        states[0].watermark,
        _levels([state.blind for state in states], runs),
        _records([state.open for state in states], law),
        _records([state.passed for state in states], law),
        _levels([state.touched for state in states], lambda some: merged(some, law)),
        _levels(
            [state.slices for state in states],
            lambda some: some[0].with_run(runs([each.run for each in some])),
        ),
    )


def _records(records: Sequence[Records], law: Law) -> Records:
    timers: dict[int, list[Run]] = {}
    for each in records:
        for timer in each.timers:
            timers.setdefault(timer.due, []).append(timer.run)
    runs = _levels([each.runs for each in records], partial(_runs, law))
    return Records(runs, tuple(Timer(due, _runs(law, some)) for due, some in timers.items()))


def _runs(law: Law, runs: Sequence[Run]) -> Run:
    return merge(runs, law, newest_wins=True)


def _sessions(states: Sequence[SessionState], step: Keyed) -> SessionState:
    return SessionState(states[0].watermark, states[0].now, _levels([state.blocks for state in states], _blocks))


def _blocks(blocks: Sequence[Block]) -> Block:
    run: SessionRun = side_by_side([block.left for block in blocks])
    return Block.of(run.take(order(run.groups.hash)))


def _counted(states: Sequence[CountedState], step: Keyed) -> CountedState:
    return CountedState(states[0].watermark, _levels([state.runs for state in states], partial(_runs, step.law)))


def _joined(states: Sequence[JoinedState], step: Joint) -> JoinedState:
    open_, passed = (
        [_held([getattr(state, name)[side] for state in states], by_until) for side in (0, 1)]
        for name in ("open", "passed")
    )
    return JoinedState(states[0].watermark, (open_[0], open_[1]), (passed[0], passed[1]))


def _interval(states: Sequence[IntervalState], step: Joint) -> IntervalState:
    left, right = (_held([state.sides[side] for state in states], by_key) for side in (0, 1))
    # What is owed is of one side or the other, a table each.
    owed = tuple(table for state in states for table in state.owed)
    return IntervalState(states[0].watermark, (left, right), owed)


def _asof(states: Sequence[AsofState], step: Joint) -> AsofState:
    return AsofState(
        _held([state.left for state in states], by_until), _held([state.right for state in states], by_key)
    )


def _in_window(states: Sequence[InWindowState], step: Joint) -> InWindowState:
    return InWindowState(
        states[0].epochs,
        _held([state.left for state in states], by_until),
        _held([state.right for state in states], lambda table: newest(table, step)),
    )


def _distinct(states: Sequence[DistinctState], step: Distinct) -> DistinctState:
    if any(state.sketch for state in states):
        # Whoever asks several filters is wrong as often as all of them together.
        raise RunError(
            f"step {step.name!r}: a deduplication by sketch must go on in as many shards as it was in",
            got=f"{len(states)} shards",
            hint="give the cluster as many worker threads as it had; or begin anew with another checkpoint",
        )
    waiting = tuple(table for state in states for table in state.waiting)
    return DistinctState(_held([state.given for state in states], by_key), waiting)


def _by_key(states: Sequence[ProcessedState] | Sequence[LearnedState], step: object) -> KeyedState:
    waiting = tuple(pairs for state in states for pairs in state.waiting)
    return type(states[0])(_levels([state.tables for state in states], kept_together), waiting)


def _held(tables: Sequence[tuple[Held, ...]], in_order: Callable[[Held], Held]) -> tuple[Held, ...]:
    return _levels(tables, lambda some: in_order(joined(some)))


def _levels(tables: Sequence[tuple[T, ...]], put: Callable[[list[T]], T]) -> tuple[T, ...]:
    """Tables of several shards, each oldest first, as few as one shard has: the newest with the newest, and so on."""
    most = max(map(len, tables))
    levels = ([each[-level] for each in tables if len(each) >= level] for level in range(most, 0, -1))
    return tuple(some[0] if len(some) == 1 else put(some) for some in levels)


_TOGETHER: dict[type, Callable[[Any, Any], Any]] = {
    AlignedState: _aligned,
    SessionState: _sessions,
    CountedState: _counted,
    JoinedState: _joined,
    IntervalState: _interval,
    AsofState: _asof,
    InWindowState: _in_window,
    DistinctState: _distinct,
    ProcessedState: _by_key,
    LearnedState: _by_key,
}
