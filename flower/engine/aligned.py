"""Windows that do not merge: the state of a step, and one epoch of it.

Windows that the watermark has not passed are `open`. Without an early trigger their runs hold partial aggregates that
nobody looks at before the watermark comes: an epoch appends its groups and is done. With one, runs hold whole
records: an epoch finds the records of the groups it touches, asks the trigger, and appends the records anew. Windows
that are passed but still admit late rows are kept in the second way. Sliding windows that nobody looks at hold their
rows by slices (see `flower.engine.slices`), from which they are put together when they are passed. The cost of an epoch
follows the rows in and the panes out, not the size of the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from flower.engine import slices
from flower.engine.compaction import compacted
from flower.engine.counts import Counts
from flower.engine.groups import GONE, Law, joined
from flower.engine.holds import held
from flower.engine.keyed import Advanced, Keyed
from flower.engine.pairs import Pairs, refused
from flower.engine.panes import ask, due, fire, owing, together
from flower.engine.rowwise import ErrorRows
from flower.engine.runs import Run, find, merge
from flower.engine.slices import Slices
from flower.engine.touched import Touched, lapsed, living, named, taken, touched
from flower.graph.batch import Batch
from flower.model import arrays
from flower.model.arrays import distinct
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.triggers import Finishing


@dataclass(frozen=True, slots=True)
class Timer:
    """Groups whose pane is due at a processing time, unless it fires before."""

    due: int
    run: Run


@dataclass(frozen=True, slots=True)
class Records:
    """Runs of whole records, a newer one replacing an older, and their timers."""

    runs: tuple[Run, ...] = ()
    timers: tuple[Timer, ...] = ()


@dataclass(frozen=True, slots=True)
class AlignedState:
    """The groups of a step that live; immutable.

    Parameters
    ----------
    watermark : int
        The step's watermark after the last epoch.
    blind : tuple of Run
        Open windows, where there is no early trigger.
    open, passed : Records
        Open windows under an early trigger or a ttl; passed windows that admit late rows.
    touched : tuple of Touched
        Under a ttl, when groups are due to lapse.
    slices : tuple of Slices
        What open windows are put together from, besides ``blind``.
    """

    watermark: int = MIN_TIME
    blind: tuple[Run, ...] = ()
    open: Records = Records()
    passed: Records = Records()
    touched: tuple[Touched, ...] = ()
    slices: tuple[Slices, ...] = ()

    def _runs(self) -> tuple[Run, ...]:
        return (*self.blind, *self.open.runs, *self.passed.runs, *(each.run for each in self.slices))

    @property
    def groups(self) -> int:
        """How many records are held; a pair may have one in several runs."""
        return sum(len(run) for run in self._runs())

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(run.nbytes for run in self._runs()) + sum(each.groups.nbytes for each in self.touched)


def advance(
    state: AlignedState,
    deltas: Sequence[Run],
    step: Keyed,
    w1: int,
    now: int,
    pairs: Pairs | None = None,
    cut: Sequence[Slices] = (),
) -> Advanced[AlignedState]:
    """One epoch; ``pairs`` are those of ``deltas``, for a trigger that finishes; ``cut`` are rows by slices."""
    w0, law = state.watermark, step.law
    deltas = [delta for delta in deltas if len(delta)]
    delta = merge(deltas, law, newest_wins=False) if deltas else None
    ended, counts = None, Counts()
    if pairs is not None and delta is not None:
        delta, ended, counts = _unfinished(state, delta, pairs, step)
    late, rest = _split(delta, w0)
    passing, still_open = _split(rest, w1)
    expired = step.expired(w1)
    panes: list[Batch | None] = []
    errors = ErrorRows(step.name)
    entries, lapsing = state.touched, None
    if delta is not None and delta.groups.last is not None:
        entries = (*entries, touched(delta, step.windowing.lapse(delta.groups.last)))
    if entries:
        lapsing, entries = taken(entries, w1, law)

    # Passed before: windows that expire now are asked a last time, the others when late rows or timers touch them.
    gone, passed = _cut(state.passed, expired, law)
    late_gone, late = _split(late, expired)
    last = _added(gone, late_gone, law)
    if last is not None:
        panes.append(_fire(last, step, w0, w1, now, errors)[0])
    passed, fired = _update(passed, late, step, w0, w1, now, lapsing, errors)
    panes += fired

    # Passed now: the on-time panes.
    blind = [run.split(w1) for run in state.blind]
    front, open_ = _cut(state.open, w1, law)
    closing = _whole([done for done, _ in blind if done is not None], law, newest_wins=False)
    whole = _added(_added(closing, front, law), passing, law)
    sliced = (*state.slices, *cut)
    for windows in _beside(whole, slices.passed(sliced, w0, w1, law), law):
        pane, whole = _fire(windows, step, w0, w1, now, errors)
        panes.append(pane)
        kept = living(whole.split(expired)[1])
        if kept is not None:
            timers = (*passed.timers, *_timers(kept, None, step, w0, w1, now))
            passed = Records(compacted((*passed.runs, kept), law, newest_wins=True), timers)

    # Not passed: early panes.
    left = tuple(rest for _, rest in blind if rest is not None)
    if step.windowing.blind:
        left = compacted((*left, still_open) if still_open is not None else left, law, newest_wins=False)
    else:
        open_, fired = _update(open_, still_open, step, w0, w1, now, lapsing, errors)
        panes += fired

    then = AlignedState(w1, left, open_, passed, entries, slices.kept(sliced, w1, law))
    out = min(w1, held(left, law, newest_wins=False), held(open_.runs, law, newest_wins=True))
    return Advanced(then, together(panes, step.schema), out, ended, counts, errors.rows())


def _unfinished(state: AlignedState, delta: Run, pairs: Pairs, step: Keyed) -> tuple[Run | None, Batch | None, Counts]:
    """What comes to windows whose triggers go on; the pairs that come to others, and how they count."""
    runs = (*state.passed.runs, *state.open.runs)
    newest, at = _newest(delta, runs, step.law)
    over = np.zeros(len(delta), np.bool_)
    for number, run in enumerate(runs):
        here = newest == number
        over[here] = Finishing.finished(run.groups.marks)[at[here]]
    if not over.any():
        return delta, None, Counts()
    rows, counts = refused(pairs.where(pairs.of(delta.where(over))), step.dropped_schema)
    left = delta.where(~over)
    return left if len(left) else None, rows, counts


def _split(run: Run | None, watermark: int) -> tuple[Run | None, Run | None]:
    return (None, None) if run is None else run.split(watermark)


def _whole(runs: Sequence[Run], law: Law, *, newest_wins: bool) -> Run | None:
    return merge(runs, law, newest_wins=newest_wins) if runs else None


def _cut(records: Records, watermark: int, law: Law) -> tuple[Run | None, Records]:
    """The whole records of windows that end at ``watermark`` or before, and the rest."""
    parts = [run.split(watermark) for run in records.runs]
    front = living(_whole([done for done, _ in parts if done is not None], law, newest_wins=True))
    return front, Records(tuple(rest for _, rest in parts if rest is not None), records.timers)


def _added(base: Run | None, more: Run | None, law: Law) -> Run | None:
    """Whole records and partial aggregates of the same windows together."""
    parts = [run for run in (base, more) if run is not None]
    return _whole(parts, law, newest_wins=False)


def _beside(run: Run | None, sliced: Sequence[Run], law: Law) -> Iterator[Run]:
    """A run, and others whose windows follow one another, together: each with the part of ``run`` up to its end."""
    for windows in sliced:
        before, run = _split(run, int(windows.end[-1]))
        whole = _added(windows, before, law)
        assert whole is not None
        yield whole
    if run is not None:
        yield run


def _fire(run: Run, step: Keyed, w0: int, w1: int, now: int, errors: ErrorRows) -> tuple[Batch | None, Run]:
    """Ask all groups of a run: the panes, and the records after them; ``errors`` gets those that have none."""
    end = run.spread(run.end)
    firing = ask(run.groups, end, step, w0, w1, now)
    start = run.spread(run.start)
    panes, then = fire(run.groups, start, end, firing, step)
    owing(run.groups, start, end, firing, step, errors)
    return panes, run.with_groups(then if firing.lapsed is None else lapsed(then, firing.lapsed, step.law))


def _update(
    records: Records, delta: Run | None, step: Keyed, w0: int, w1: int, now: int, lapsing: Run | None, errors: ErrorRows
) -> tuple[Records, list[Batch | None]]:
    """Add partial aggregates to the records they touch, then ask these, those whose timers are due, and those of
    ``lapsing`` that lapse.
    """
    runs, panes, timers = records.runs, [], records.timers
    if delta is not None:
        known, before = _with_records(delta, runs, step, w0, w1, now)
        pane, known = _fire(known, step, w0, w1, now, errors)
        panes.append(pane)
        timers = (*timers, *_timers(known, before, step, w0, w1, now))
        runs = (*runs, known)
    due_now = [timer.run for timer in timers if timer.due <= now]
    if due_now:
        timers = tuple(timer for timer in timers if timer.due > now)
        asked = _records_of(due_now, runs, step.law)
        if asked is not None:
            pane, then = _fire(asked, step, w0, w1, now, errors)
            panes.append(pane)
            runs = (*runs, then)
    going = None if lapsing is None else _records_of([lapsing], runs, step.law)
    if going is not None:
        assert going.groups.last is not None
        going = going.where(step.windowing.lapse(going.groups.last) <= w1)
        if len(going):
            pane, then = _fire(going, step, w0, w1, now, errors)
            panes.append(pane)
            runs = (*runs, then)
    if runs is not records.runs:
        oldest_before, runs = runs[0], compacted(runs, step.law, newest_wins=True)
        if step.law.ttl and runs and runs[0] is not oldest_before:
            # Nothing is older than the oldest run, so there is nothing to hide any more.
            oldest = living(runs[0])
            runs = runs[1:] if oldest is None else (oldest, *runs[1:])
    return Records(runs, timers), panes


def _timers(run: Run, before: I64 | None, step: Keyed, w0: int, w1: int, now: int) -> list[Timer]:
    """For groups that wait for the clock, and for another time than ``before``: one timer a time."""
    if not step.windowing.trigger.timed:
        return []
    at = due(run.groups, run.spread(run.end), step, w0, w1, now)
    waits = (at > now) & (at < MAX_TIME)
    if before is not None:
        waits &= at != before
    return [Timer(when, _named(run.where(waits & (at == when)))) for when in distinct(at[waits]).tolist()]


def _with_records(delta: Run, runs: Sequence[Run], step: Keyed, w0: int, w1: int, now: int) -> tuple[Run, I64 | None]:
    """Partial aggregates with the records of their groups added, and for what time these waited before."""
    newest, at = _newest(delta, runs, step.law)
    timed = step.windowing.trigger.timed
    waited = np.full(len(delta), MAX_TIME) if timed else None
    if not (newest >= 0).any():
        return delta, waited
    found = [(run, np.flatnonzero(newest == number)) for number, run in enumerate(runs)]
    found = [(run, place) for run, place in found if len(place)]
    places = [place for _, place in found]
    mine = delta.groups
    before = [
        run.groups.take(at[place], (mine.hash[place], tuple(arrays.take(key, place) for key in mine.keys)))
        for run, place in found
    ]
    if waited is not None:
        end = delta.spread(delta.end)
        for place, groups in zip(places, before, strict=True):
            waited[place] = due(groups, end[place], step, w0, w1, now)
    n = len(delta)
    codes = np.concatenate([*places, np.arange(n)])
    groups = step.law.merge(joined([*before, delta.groups]), codes, n, len(codes) - n + np.arange(n))
    return delta.with_groups(groups), waited


def _newest(wanted: Run, runs: Sequence[Run], law: Law) -> tuple[I64, I64]:
    """Per group of ``wanted``, the number of the newest run that has it (-1: none) and where."""
    newest = np.full(len(wanted), -1)
    at = np.full(len(wanted), -1)
    for number in reversed(range(len(runs))):
        asking = newest < 0
        if not asking.any():
            break
        spot = find(runs[number], wanted, law.exact)
        here = asking & (spot >= 0)
        np.copyto(newest, number, where=here)
        np.copyto(at, spot, where=here)
    if law.ttl:
        for number, run in enumerate(runs):
            assert run.groups.last is not None
            mine = np.flatnonzero(newest == number)
            newest[mine[run.groups.last[at[mine]] == GONE]] = -1
    return newest, at


def _named(run: Run) -> Run:
    return run.with_groups(named(run.groups))


def _records_of(wanted: Sequence[Run], runs: Sequence[Run], law: Law) -> Run | None:
    """The newest records of some groups; those that are gone are left out."""
    asked = merge(wanted, law, newest_wins=True)
    newest, at = _newest(asked, runs, law)
    asked, newest, at = asked.where(newest >= 0), newest[newest >= 0], at[newest >= 0]
    if not len(asked):
        return None
    picks = [np.flatnonzero(newest == number) for number in range(len(runs))]
    groups = joined([run.groups.take(at[pick]) for run, pick in zip(runs, picks, strict=True)])
    back = np.empty(len(asked), np.int64)
    back[np.concatenate(picks)] = np.arange(len(asked))
    return asked.with_groups(groups.take(back))
