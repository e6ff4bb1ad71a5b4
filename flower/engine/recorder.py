"""Rows of sources written to journals as they come, as long as a recording lasts."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from flower.engine.clock import Clock
from flower.graph.nodes import Read
from flower.io.journal import JournalWriter
from flower.io.live import opened
from flower.io.recording import Files, Track

CHUNK = 16_384
"""Rows that are read at once."""
PAUSE = 0.02
"""Seconds between two looks at sources that had nothing."""

State = Literal["recording", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a recording is over: after so many microseconds, rows or bytes, whichever comes first."""

    us: int
    rows: int
    bytes: int


class Recorder:
    """Writes the rows of ``reads`` to ``files`` until a bound is reached, or they end.

    Parameters
    ----------
    reads : sequence of Read
        Whose sources are recorded, each of its own.
    files : Files
        Where.
    bounds : Bounds
        How much.
    clock : Clock
        What tells when rows came.
    """

    def __init__(self, reads: Sequence[Read], files: Files, bounds: Bounds, clock: Clock) -> None:
        self._files, self._bounds, self._clock = files, bounds, clock
        self._tracks = [
            Track(read.source.label, read.source.schema, read.event_time, read.tz, read.arrival, read.watermark)
            for read in reads
        ]
        self._journals: list[list[JournalWriter]] = [[] for _ in reads]
        self.state: State = "recording"
        self.error: Exception | None = None
        self.rows = self.bytes = 0
        self.began_us = self.ended_us = clock.now_us()
        self._stop = threading.Event()
        self.done = threading.Event()
        nodes, self._live = opened(tuple(replace(read, columns=None) for read in reads))
        self._sources = [node.source for node in nodes if isinstance(node, Read)]

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The sources, with the rows so far."""
        return tuple(self._tracks)

    def start(self) -> None:
        """Record in a thread of its own."""
        threading.Thread(target=self._work, name="flower-recorder", daemon=True).start()

    def stop(self) -> None:
        """End it now; what came is kept."""
        self._stop.set()

    def step(self) -> int:
        """Take what is there; how many rows that was. The state tells whether more is wanted."""
        now = self._clock.now_us()
        before = self.rows
        try:
            ended = [self._take(number, now) for number in range(len(self._sources))]
        except Exception as error:
            self.error = error
            self._end("failed")
            return self.rows - before
        bounds = self._bounds
        over = now - self.began_us >= bounds.us or self.rows >= bounds.rows or self.bytes >= bounds.bytes
        self.ended_us = now
        if over or all(ended) or self._stop.is_set():
            self._end("done")
        return self.rows - before

    def _take(self, number: int, now: int) -> bool:
        """Write the next rows of a source; whether it has ended."""
        source, journals = self._sources[number], self._journals[number]
        names = source.partitions()
        for partition in range(len(journals), len(names)):
            directory = self._files.partition(number, partition)
            os.mkdir(directory)
            journals.append(JournalWriter(directory))
        firsts = [source.initial(partition) for partition in range(len(names))]
        for partition, (first, journal) in enumerate(zip(firsts, journals, strict=True)):
            limit = min(CHUNK, self._bounds.rows - self.rows)
            start = first + journal.end
            end = source.latest(partition, start, limit, now - self.began_us) if limit > 0 else start
            if end > start:
                rows = source.read(partition, start, end, None)
                journal.append(rows, now)
                self.rows += rows.num_rows
                self.bytes += rows.nbytes
        counts = tuple(journal.end for journal in journals)
        self._tracks[number] = replace(self._tracks[number], partitions=names, rows=counts)
        return all(source.ended(p, first + rows) for p, (first, rows) in enumerate(zip(firsts, counts, strict=True)))

    def _end(self, state: State) -> None:
        for source in self._live:
            source.close()
        for journals in self._journals:
            for journal in journals:
                journal.close()
        self.state = state
        self.done.set()

    def _work(self) -> None:
        while self.state == "recording":
            if not self.step() and self.state == "recording":
                self._stop.wait(PAUSE)
