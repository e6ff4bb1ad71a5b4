"""``fl.record`` and ``fl.recordings``: rows of live sources, kept, so that every further step is tried on the same."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from flower.api.pipeline import Pipeline
from flower.api.stream import Stream
from flower.errors import GraphError, RunError
from flower.graph.calls import Call
from flower.graph.nodes import Node, Read, walk
from flower.graph.optimizer.rewrite import substituted
from flower.graph.protocols import EpochedSource, LiveSource
from flower.graph.schema import names_text
from flower.io.recording import About, Files, RecordingSource, Track, load, save
from flower.model.time import Duration, duration_text, duration_us

if TYPE_CHECKING:
    from flower.engine.clock import Clock
    from flower.engine.recorder import Recorder, State

ROWS = 1_000_000
BYTES = "256MB"
"""How much is recorded, unless said."""


class Recording:
    """Rows of one or more sources as they came; made by `record` or ``fl.recordings.load``.

    Attributes
    ----------
    name : str
        By which ``fl.recordings`` knows it.
    """

    def __init__(
        self,
        name: str,
        files: Files,
        *,
        about: About | None = None,
        recorder: Recorder | None = None,
        reads: Sequence[Read] = (),
        path: str | None = None,
    ) -> None:
        self.name = name
        self._files, self._loaded, self._recorder, self._path = files, about, recorder, path
        self._reads = tuple(reads)

    # -- what it says

    @property
    def state(self) -> State:
        """``recording``, ``done`` or ``failed``."""
        return "done" if self._recorder is None else self._recorder.state

    @property
    def error(self) -> Exception | None:
        """What its source failed with, if it did."""
        return None if self._recorder is None else self._recorder.error

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(sum(track.rows) for track in self._about.tracks)

    @property
    def bytes(self) -> int:
        """How much of the disk it takes."""
        paths = (os.path.join(at, each) for at, _, names in os.walk(self._files.directory) for each in names)
        return sum(os.path.getsize(path) for path in paths)

    @property
    def duration(self) -> pd.Timedelta:
        """How long it is."""
        return pd.Timedelta(self._about.ended_us - self._about.began_us, unit="us")

    @property
    def _about(self) -> About:
        recorder = self._recorder
        if recorder is None:
            assert self._loaded is not None
            return self._loaded
        return About(self.name, recorder.began_us, recorder.ended_us, recorder.tracks)

    def describe(self) -> pd.DataFrame:
        """A row for each of its sources: columns, partitions, rows, and the column of event time.

        Examples
        --------
        >>> import flower as fl
        >>> recording = fl.record(fl.read.rate(1000), "1min", rows=5).wait()
        >>> recording.describe()[["source", "rows", "event_time"]]
                                source  rows event_time
        0  rate of 1000 rows per second     5       time
        """
        return pd.DataFrame(
            {
                "source": track.label,
                "rows": sum(track.rows),
                "partitions": len(track.partitions),
                "event_time": track.event_time,
                "columns": ", ".join(track.schema.names),
            }
            for track in self._about.tracks
        )

    def __repr__(self) -> str:
        about = self._about
        sources = names_text([track.label for track in about.tracks])
        length = duration_text(max(0, about.ended_us - about.began_us) // 1000 * 1000)
        text = f"Recording {self.name!r}: {self.rows:,} rows in {length} of {sources}"
        if self.state == "recording":
            return f"{text}, going on"
        return text if self.error is None else f"{text}; then it failed: {self.error}"

    # -- what it can be told

    def wait(self, timeout: float | None = None) -> Recording:
        """Wait for its end, or ``timeout`` seconds. Ctrl-C ends it; what came is kept.

        Raises
        ------
        Exception
            What its source failed with.
        TimeoutError
            If it goes on after ``timeout`` seconds.
        """
        recorder = self._recorder
        if recorder is not None:
            try:
                ended = recorder.done.wait(timeout)
            except KeyboardInterrupt:
                self.stop()
                raise
            if not ended:
                raise TimeoutError(f"{self.name!r} still records after {timeout} seconds")
            if recorder.error is not None:
                raise recorder.error
        return self

    def over(self, seconds: float) -> bool:
        """Whether it is over, now or within some seconds."""
        return self._recorder is None or self._recorder.done.wait(seconds)

    def stop(self) -> Recording:
        """End it now, and wait for that."""
        if self._recorder is not None:
            self._recorder.stop()
            self._recorder.done.wait()
        return self

    def save(self, path: str | os.PathLike[str]) -> Recording:
        """Write it as one file, which `flower.read.recording` reads, here or elsewhere.

        Raises
        ------
        RunError
            If it goes on.
        SourceError
            If the file cannot be written.

        Examples
        --------
        >>> import flower as fl, pathlib, tempfile
        >>> recording = fl.record(fl.read.rate(1000), "1min", rows=5).wait()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "ticks.recording")
        ...     _ = recording.save(file)
        ...     fl.read.recording(file).collect()["value"].tolist()
        [0, 1, 2, 3, 4]
        """
        if self.state == "recording":
            raise RunError("a recording can be saved once it is over", got="recording", hint="call .wait() or .stop()")
        text = os.path.expanduser(os.fspath(path))
        save(text, self._files, self._about)
        self._path = text
        return self

    # -- its rows

    @property
    def stream(self) -> Stream:
        """Its rows so far as a stream that ends, with event time, watermark and arrival as the source was read.

        Raises
        ------
        GraphError
            If it has several sources.
        """
        if len(self._about.tracks) != 1:
            raise GraphError(
                f"recording {self.name!r} has several sources",
                got=names_text([track.label for track in self._about.tracks]),
                hint="write stream.on(recording) with the stream that was recorded",
            )
        return Stream(self._read(0))

    def _read(self, number: int) -> Read:
        about = self._about
        track = about.tracks[number]
        source = RecordingSource(self._files, number, track, self.name, about.began_us)
        call = Call("read.recording", (self._path,)) if self._path is not None and len(about.tracks) == 1 else None
        return Read(source, track.event_time, track.tz, track.arrival, track.watermark, call=call)

    def under(self, node: Node) -> Node:
        """``node`` on the rows of this recording; see `Stream.on`."""
        tracks = self._about.tracks
        replacements: dict[Node, Node] = {}
        for read in live_reads(node):
            number = self._of(read)
            if number is None:
                number = next((i for i, track in enumerate(tracks) if _alike(track, read)), None)
            if number is None:
                raise GraphError(
                    f"recording {self.name!r} must have the rows of {read.source.label}",
                    got=names_text([track.label for track in tracks]),
                    hint="record this stream with fl.record(stream, '2min')",
                )
            made = self._read(number)
            # How its times are read is what the stream says.
            replacements[read] = replace(read, source=made.source, call=made.call)
        return substituted((node,), replacements)[0] if replacements else node

    def _of(self, read: Read) -> int | None:
        """Which of its sources is that of ``read``, made by the same call at least."""
        for number, mine in enumerate(self._reads):
            if mine.source is read.source or (mine.call is not None and mine.call == read.call):
                return number
        return None

    def covers(self, node: Node) -> bool:
        """Whether it has the rows of every live source of ``node``."""
        return all(self._of(read) is not None for read in live_reads(node))


def live_reads(node: Node) -> list[Read]:
    """What ``node`` reads that comes only once, or never ends; each source once."""
    found: dict[int, Read] = {}
    for each in walk(node):
        if not isinstance(each, Read) or isinstance(each.source, EpochedSource):
            continue
        if isinstance(each.source, LiveSource) or not each.source.bounded:
            found.setdefault(id(each.source), each)
    return list(found.values())


def _alike(track: Track, read: Read) -> bool:
    return track.label == read.source.label and track.schema == read.source.schema


def record(
    stream: Stream,
    duration: Duration,
    *,
    rows: int = ROWS,
    bytes: str = BYTES,
    name: str | None = None,
    clock: Clock | None = None,
) -> Recording:
    """Record the live sources of a stream in the background, as their rows come, before any step.

    Parameters
    ----------
    stream : Stream
        Which reads at least one source that is live or does not end; others can be read again and need no recording.
    duration : str or pandas.Timedelta
        How long, at most.
    rows : int
        How many rows, at most.
    bytes : str
        How much, at most, in memory: ``"256MB"``.
    name : str, optional
        What to call it; default: after its sources. A recording of that name is replaced.
    clock : ManualClock, optional
        What tells when rows come; None: the system's clock.

    Returns
    -------
    Recording
        ``.wait()`` waits for its end, ``.stop()`` ends it. It is in ``fl.recordings`` at once.

    Raises
    ------
    GraphError
        If there is nothing to record, or a bound is out of its range.

    Examples
    --------
    >>> import flower as fl
    >>> ticks = fl.read.rate(1000, start="2024-01-01T00:00:00Z")
    >>> counts = ticks.window(fl.FixedWindows("2ms")).agg(n="count")
    >>> recording = fl.record(ticks, "1min", rows=5).wait()
    >>> counts.on(recording).collect()["n"].tolist()
    [2, 2, 1]
    """
    from flower.engine.budget import budget_of
    from flower.engine.clock import SystemClock
    from flower.engine.recorder import Bounds, Recorder

    if not isinstance(stream, Pipeline):
        raise GraphError("record() takes a stream", got=type(stream).__name__, hint="write fl.record(stream, '2min')")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise GraphError("`rows` must be a whole number, at least 1", got=repr(rows))
    if name is not None and (not isinstance(name, str) or not name.strip()):
        raise GraphError("`name` must be text", got=repr(name))
    most = budget_of(bytes, "bytes")
    if most is None:
        raise GraphError("`bytes` must be a size above 0", got="None", hint="write it with its unit, as '256MB'")
    bounds = Bounds(duration_us(duration, "duration", minimum=1), rows, most)
    reads = live_reads(stream.node)
    if not reads:
        raise GraphError(
            "record() needs a live source, or one that does not end",
            got="sources that end and can be read again",
            hint="use the stream itself: its rows are the same every time",
        )
    files = Files()
    recorder = Recorder(reads, files, bounds, clock or SystemClock())
    made = Recording(name or _name(reads), files, recorder=recorder, reads=reads)
    recordings.add(made)
    recorder.start()
    return made


def _name(reads: Sequence[Read]) -> str:
    names = [getattr(read.source, "name", None) or read.source.label for read in reads]
    return "-".join(re.sub(r"\W+", "-", name).strip("-") for name in names)


class Recordings:
    """The recordings of this process, by name; each is kept until it is replaced or cleared.

    Examples
    --------
    >>> import flower as fl
    >>> recording = fl.record(fl.read.rate(1000), "1min", rows=5, name="ticks").wait()
    >>> fl.recordings["ticks"].rows
    5
    >>> fl.recordings.clear("ticks")
    >>> "ticks" in fl.recordings
    False
    """

    def __init__(self) -> None:
        self._all: dict[str, Recording] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Recording]:
        return iter(list(self._all.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def __getitem__(self, name: str) -> Recording:
        if name not in self._all:
            raise GraphError(
                f"there is no recording {name!r}",
                got=names_text(list(self._all)) if self._all else "no recordings",
                hint="make one with fl.record(stream, '2min'), or read one with fl.recordings.load(path)",
            )
        return self._all[name]

    def describe(self) -> pd.DataFrame:
        """A row for each recording, oldest first."""
        told = [
            {
                "name": each.name,
                "state": each.state,
                "rows": each.rows,
                "seconds": each.duration.total_seconds(),
                "bytes": each.bytes,
                "sources": names_text(each.describe()["source"].tolist()),
            }
            for each in self
        ]
        return pd.DataFrame(told, columns=["name", "state", "rows", "seconds", "bytes", "sources"])

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) if self._all else "no recordings yet; make one with fl.record(stream, '2min')"

    def add(self, recording: Recording) -> None:
        """Keep a recording, in place of one of its name."""
        self.clear(recording.name)
        self._all[recording.name] = recording

    def load(self, path: str | os.PathLike[str], name: str | None = None) -> Recording:
        """Read a file that ``recording.save`` wrote.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        name : str, optional
            What to call it; default: as it was called.

        Raises
        ------
        SourceError
            If it is no recording.
        """
        text = os.path.expanduser(os.fspath(path))
        files, about = load(text)
        made = Recording(name or about.name, files, about=about, path=text)
        self.add(made)
        return made

    def clear(self, name: str | None = None) -> None:
        """Forget the recording ``name``, or all; its rows are deleted once no stream reads them any more."""
        for each in [name] if name is not None else list(self._all):
            gone = self._all.pop(each, None)
            if gone is not None:
                gone.stop()

    def of(self, node: Node) -> Recording | None:
        """The newest recording that has the rows of all live sources of ``node``."""
        return next((each for each in reversed(list(self)) if each.rows and each.covers(node)), None)


recordings = Recordings()
"""Those of this process."""

PREVIEW_ROWS = 100_000
PREVIEW_BYTES = "64MB"
"""How much the first preview of a live source records."""


PREVIEW_SECONDS = 2.0
"""How long at least, where the preview may take so long."""


def first_recording(stream: Stream, within: Duration, enough: Callable[[Stream], bool]) -> Recording:
    """The recording that a stream is previewed on; recorded now, until it is ``enough``, if there is none yet.

    Raises
    ------
    Exception
        What the source failed with, if no row came before.
    """
    found = recordings.of(stream.node)
    if found is not None:
        return found
    made = record(stream, within, rows=PREVIEW_ROWS, bytes=PREVIEW_BYTES)
    seconds = PREVIEW_SECONDS
    while not made.over(seconds) and not enough(stream.on(made)):
        seconds *= 2
    made.stop()
    if made.error is not None and not made.rows:
        recordings.clear(made.name)
        raise made.error
    return made
