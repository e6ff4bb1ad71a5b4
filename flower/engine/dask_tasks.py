"""What the tasks of an epoch do on a Dask worker: the same pure functions as in this process, on parts of the rows.

Nothing here imports Dask. A task names its job by a hash; the job itself came to the worker with a plugin.
"""

from __future__ import annotations

import io
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pyarrow as pa

from flower.engine.checkpoint import Stored
from flower.engine.counts import Counts
from flower.engine.epoch import (
    Context,
    Mark,
    Part,
    Range,
    errors_from,
    errors_of_source,
    first_error,
    observe_range,
    source_watermark,
    through_stage,
    untimed,
)
from flower.engine.job import Job
from flower.engine.ledger import opened
from flower.engine.lookup import Record, Wanted, records_of
from flower.engine.open_windows import OpenWindow, open_windows_of
from flower.engine.parts import Parts, Writing
from flower.engine.resharding import dealt, together
from flower.engine.shards import split
from flower.engine.state import KeyedState, Piece, advance, empty
from flower.errors import RunError
from flower.graph.batch import Batch
from flower.graph.nodes import Dropped, Read, Write
from flower.graph.protocols import Source
from flower.io.ingest import Ingested, ingest
from flower.io.storage import storage
from flower.model.time import MIN_TIME
from flower.model.watermarks import Estimate

Errors = list[tuple[str, pa.RecordBatch]]

jobs: dict[str, Job] = {}
"""The jobs that this worker knows, by hash."""

_saved: dict[str, tuple[str, KeyedState]] = {}
"""Per shard, the newest saved state and its file, so that who saved it need not read it."""

_places: dict[str, Parts] = {}
"""Where states are saved, by address."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a run's states are saved, and what begins the names of its files."""

    address: str
    mark: str


@dataclass(frozen=True, slots=True)
class Told:
    """What tasks of one epoch are told alike.

    Parameters
    ----------
    job : str
        Which job.
    epoch, attempt : int
        Which epoch, and the how-manieth attempt.
    now, before : int
        Processing time of this epoch and of the one before.
    shards : mapping of int to int
        Per keyed stage, into how many shards its state is dealt.
    ended : mapping of int to tuple of bool
        Per reading stage, which partitions had ended before.
    """

    job: str
    epoch: int
    attempt: int
    now: int
    before: int
    shards: Mapping[int, int]
    ended: Mapping[int, tuple[bool, ...]]

    def context(self, marks: Mapping[int, Mark]) -> Context:
        """What rows are admitted against; partitions that have appeared since are among it."""
        return Context(self.now, self.before, {i: with_new(mark, self.ended.get(i)) for i, mark in marks.items()})


@dataclass(frozen=True, slots=True)
class Brief:
    """What the driver learns of one task.

    Parameters
    ----------
    outputs : mapping of int to pyarrow.RecordBatch
        Rows that somebody asked to see, by consumer.
    staged : mapping of int to object
        Tokens of rows that were staged for sinks, by consumer.
    watermark : int
        For a shard, its output watermark.
    """

    outputs: Mapping[int, pa.RecordBatch] = field(default_factory=dict)
    staged: Mapping[int, object] = field(default_factory=dict)
    rows_in: int = 0
    bytes_in: int = 0
    rows_out: int = 0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    errors: int = 0
    first_error: str | None = None
    notes: tuple[str, ...] = ()
    groups: int = 0
    state_bytes: int = 0
    watermark: int = MIN_TIME


@dataclass(frozen=True, slots=True)
class Done:
    """What one task leaves for others: pieces for shards, rows for side outputs, and what the driver learns.

    Parameters
    ----------
    pieces : mapping of int to list
        Per keyed stage, for each shard the groups that go there.
    dropped : mapping of int to list of Batch
        Per keyed stage, what it did not admit.
    errors : list of (str, pyarrow.RecordBatch)
        Rows that steps could not process.
    brief : Brief
        For the driver.
    state : AlignedState, SessionState or None
        Of a shard, its state after the epoch.
    """

    pieces: Mapping[int, list[list[Piece]]]
    dropped: Mapping[int, list[Batch]]
    errors: Errors
    brief: Brief
    state: KeyedState | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held, for the scheduler; runs that epochs share count in each of them."""
        held = 0 if self.state is None else self.state.nbytes
        held += sum(piece.nbytes for dealt in self.pieces.values() for pieces in dealt for piece in pieces)
        return held + sum(int(rows.nbytes) for rows in self.brief.outputs.values())


def with_new(mark: Mark, ended: tuple[bool, ...] | None) -> Mark:
    """A source's mark with partitions that have appeared since."""
    if ended is None:
        return mark
    fresh = (Estimate(),) * (len(ended) - len(mark.estimates))
    return Mark(mark.watermark, (*mark.estimates, *fresh), ended)


# -- reading


def read_range(told: Told, wanted: Range, table: bytes | None) -> Ingested:
    """The rows of a range: read here, or of the table that only the driver could read."""
    job = jobs[told.job]
    read = job.stages[wanted.stage].origin
    assert isinstance(read, Read)
    if table is not None:
        read = replace(read, source=cast("Source", _Handed(read.source, _unpacked(table))))
    return ingest(read, wanted.partition, wanted.start, wanted.end, job.stages[wanted.stage].name)


class Local:
    """What workers know of a source that only the driver can read: all but its rows."""

    def __init__(self, source: Source) -> None:
        self.label, self.schema, self.bounded = source.label, source.schema, source.bounded


class _Handed(Local):
    """The same with the rows of one range."""

    def __init__(self, source: Source, table: pa.Table) -> None:
        super().__init__(source)
        self._table = table

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows; there are no others."""
        return self._table


def packed(read: Read, wanted: Range) -> bytes:
    """The table of a range as bytes; read by the driver."""
    columns = None
    if read.columns is not None:
        extra = (read.event_time,) if read.event_time is not None and read.event_time not in read.columns else ()
        columns = (*read.columns, *extra)
    table = read.source.read(wanted.partition, wanted.start, wanted.end, columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _unpacked(table: bytes) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(table)) as reader:
        return reader.read_all()


def estimate_after(told: Told, wanted: Range, rows: Ingested, mark: Mark) -> Estimate:
    """A partition's estimate after a range."""
    known = with_new(mark, told.ended[wanted.stage]).estimates[wanted.partition]
    return observe_range(jobs[told.job], wanted, rows.batch, known, told.now)[1]


def mark_source(
    told: Told, stage: int, mark: Mark, ended: tuple[bool, ...], partitions: Sequence[int], after: Sequence[Estimate]
) -> Mark:
    """What is known of a source after an epoch."""
    estimates = list(with_new(mark, told.ended[stage]).estimates)
    for partition, estimate in zip(partitions, after, strict=True):
        estimates[partition] = estimate
    known = Mark(mark.watermark, tuple(estimates), ended)
    return replace(known, watermark=source_watermark(jobs[told.job], stage, known, told.now))


def mark_only_partition(told: Told, wanted: Range, rows: Ingested, mark: Mark, ended: tuple[bool, ...]) -> Mark:
    """The same, of a source whose only open partition is read: one task instead of two."""
    after = estimate_after(told, wanted, rows, mark)
    return mark_source(told, wanted.stage, mark, ended, [wanted.partition], [after])


# -- rows through stages


def run_range(told: Told, wanted: Range, rows: Ingested, marks: Mapping[int, Mark]) -> Done:
    """The rows of a range through its stage."""
    job, context = jobs[told.job], told.context(marks)
    estimate = context.marks[wanted.stage].estimates[wanted.partition]
    batch, _ = observe_range(job, wanted, rows.batch, estimate, told.now)
    part = through_stage(job, context, wanted.stage, wanted.partition, batch)
    stage = job.stages[wanted.stage]
    if len(rows.errors):
        part.errors.insert(0, (stage.name, errors_of_source(stage, rows.errors)))
    brief = Brief(rows_in=rows.rows_read, bytes_in=rows.batch.rows.nbytes, notes=rows.notes)
    return _done(job, told, (wanted.stage, wanted.partition), part, brief)


def run_shard(
    told: Told,
    index: int,
    shard: int,
    before: Done | KeyedState | None,
    pieces: Sequence[Sequence[Piece]],
    after: Sequence[Mark],
    marks: Mapping[int, Mark],
) -> Done:
    """One epoch of a shard of a keyed step, and its panes through the stage."""
    job = jobs[told.job]
    step = job.steps[index]
    state = before.state if isinstance(before, Done) else before
    deltas = [piece for some in pieces for piece in some]
    watermark = min(mark.watermark for mark in after)
    done = advance(empty(step) if state is None else state, deltas, step, watermark, told.now)
    # Rows of one event time stand in the order of their positions: those of shards take turns.
    panes = replace(done.panes, position=done.panes.position * told.shards[index] + shard)
    part = through_stage(job, told.context(marks), index, 0, panes)
    if done.dropped is not None:
        part.dropped.append((index, done.dropped))
        part.counts[step.name] = part.counts.get(step.name, Counts()) + done.counts
    if done.errors is not None and len(done.errors):
        part.errors.insert(0, (step.name, errors_from(job, index, done.errors)))
    brief = Brief(groups=done.state.groups, state_bytes=done.state.nbytes, watermark=done.watermark)
    return replace(_done(job, told, (index, shard), part, brief), state=done.state)


def run_side(
    told: Told, index: int, parts: Sequence[Sequence[Batch | pa.RecordBatch]], marks: Mapping[int, Mark]
) -> Done:
    """What was dropped, or could not be processed, through its stage."""
    job, whole = jobs[told.job], Part()
    rows = [batch for some in parts for batch in some]
    if rows and not isinstance(job.stages[index].origin, Dropped):
        rows = [untimed(pa.concat_batches(rows))]
    for batch in rows:
        part = through_stage(job, told.context(marks), index, 0, batch)
        whole.outputs.extend(part.outputs)
        whole.lifted.extend(part.lifted)
        whole.dropped.extend(part.dropped)
        whole.errors.extend(part.errors)
        for name, counts in part.counts.items():
            whole.counts[name] = whole.counts.get(name, Counts()) + counts
    return _done(job, told, (index, 0), whole, Brief())


def _done(job: Job, told: Told, place: tuple[int, int], part: Part, brief: Brief) -> Done:
    pieces: dict[int, list[list[Piece]]] = {}
    for port, lifted in part.lifted:
        target = job.plan.consumers[port].stage
        assert target is not None
        dealt = pieces.setdefault(target, [[] for _ in range(told.shards[target])])
        for whole in lifted.pieces:
            for into, piece in zip(dealt, split(whole, told.shards[target]), strict=True):
                if piece is not None:
                    into.append(piece)
    dropped: dict[int, list[Batch]] = {}
    for target, batch in part.dropped:
        dropped.setdefault(target, []).append(batch)
    outputs, staged, rows_out = {}, {}, 0
    for port in dict.fromkeys(port for port, _ in part.outputs):
        rows = Batch.concat([batch for other, batch in part.outputs if other == port]).rows
        rows_out += len(rows)
        node = job.plan.consumers[port].node
        if isinstance(node, Write) and not getattr(node.sink, "driver_local", False):
            # Several tasks of an epoch stage rows of one sink: their number tells them apart.
            staged[port] = node.sink.stage(told.epoch, told.attempt, place[0] * 100_000 + place[1], rows)
        else:
            outputs[port] = rows
    failed = [errors for _, errors in part.errors]
    brief = replace(
        brief,
        outputs=outputs,
        staged=staged,
        rows_out=rows_out,
        counts=part.counts,
        errors=sum(len(errors) for errors in failed),
        first_error=first_error(failed),
    )
    return Done(pieces, dropped, part.errors, brief)


# -- small picks, so that only what is needed goes from worker to worker


def pick_pieces(done: Done, target: int, shard: int) -> list[Piece]:
    """The groups that go to one shard."""
    return done.pieces[target][shard] if target in done.pieces else []


def pick_side(done: Done, target: int | None, covers: tuple[str, ...]) -> list[Batch | pa.RecordBatch]:
    """What a keyed stage has dropped, or rows that some steps could not process."""
    if target is not None:
        return list(done.dropped.get(target, []))
    return [errors for name in covers for other, errors in done.errors if name == other]


def pick_brief(done: Done) -> Brief:
    """What the driver learns."""
    return done.brief


def pick_watermark(done: Done) -> int:
    """A shard's output watermark."""
    return done.brief.watermark


def mark_keyed(mark: Mark, outs: Sequence[int]) -> Mark:
    """What is known of a keyed step after an epoch: its shards hold it back."""
    return Mark(max(mark.watermark, min(outs)))


def mark_side(after: Sequence[Mark]) -> Mark:
    """What is known of a side output after an epoch."""
    return Mark(min(mark.watermark for mark in after))


# -- state


def parts_at(address: str) -> Parts:
    """The parts at a place, of which this worker remembers those that it has."""
    return _places.setdefault(address, Parts(storage(address)))


def save_shard(done: Done, home: Home, shard: str) -> Stored:
    """Write what is new of a shard's state, and keep it at hand.

    Raises
    ------
    RunError
        If it cannot be written here; names this worker's host.
    """
    assert done.state is not None
    try:
        stored = Writing(parts_at(home.address), home.mark).state(done.state)
    except OSError as error:
        raise RunError(
            f"the state of a step must be written to {home.address!r} by the worker on {socket.gethostname()!r}",
            got=str(error),
            hint="see that the place is there, has room and may be written to by every worker",
        ) from error
    _saved[shard] = (stored.name, done.state)
    return stored


def restore_shard(
    told: Told, index: int, shard: int, address: str, names: Sequence[str], dealt_anew: bool
) -> KeyedState:
    """A shard's state: from files of other shards what falls to it, or its own, or that from this worker's memory."""
    name = f"{told.job}-{index}-{shard}"
    known = _saved.get(name)
    if known is not None and not dealt_anew and known[0] == names[0]:
        return known[1]
    parts = parts_at(address)
    if not dealt_anew:
        state = parts.state(names[0])[0]
        _saved[name] = (names[0], state)
        return state
    # One file after another, so that no worker needs room for all.
    mine = [dealt(parts.state(each)[0], shard, told.shards[index]) for each in names]
    return together(mine, jobs[told.job].steps[index])


def reaches(home: Home, job: str) -> str | None:
    """Whether this worker finds a job's checkpoint and may write there; None, or what is in the way."""
    files = storage(home.address)
    try:
        if opened(files.get("job.json"), "job", "job.json")["job"] != job:
            return "another directory of that name"
        probe = f"parts/{home.mark}-{uuid.uuid4().hex}"
        files.put(probe, b"")
        files.remove(probe)
    except FileNotFoundError:
        return "no such directory"
    except (OSError, RunError) as error:
        return str(error)
    return None


def look_up(shard: Done | KeyedState, one: Wanted, exact: bool) -> list[Record]:
    """What a shard holds of a key."""
    state = shard.state if isinstance(shard, Done) else shard
    return [] if state is None else records_of(state, one, exact)


def open_windows(shard: Done | KeyedState, n: int) -> list[OpenWindow]:
    """What a shard has open."""
    state = shard.state if isinstance(shard, Done) else shard
    return [] if state is None else open_windows_of(state, n)


def forget_job(job: str, home: str | None) -> None:
    """Let go of a job, its states and its home."""
    jobs.pop(job, None)
    _places.pop(home or "", None)
    for shard in [shard for shard in _saved if shard.startswith(f"{job}-")]:
        del _saved[shard]
