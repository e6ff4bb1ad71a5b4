"""A source that cannot replay, for one run: its rows go to a journal as they come, and are read back by position."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from flower.errors import SourceError
from flower.graph.nodes import Node, Read, step_names, walk
from flower.graph.optimizer.rewrite import substituted
from flower.graph.protocols import LiveRows, LiveSource
from flower.io.journal import JournalReader, JournalWriter

BUFFER_ROWS = 65_536
"""How many rows may wait to be processed; past that, the source waits."""
APPEND_ROWS = 4_096
"""How many rows that came one by one are written at once; fewer when somebody asks for them."""
GRACE_SECONDS = 2.0
"""How long closing waits for a source that does not listen; its thread ends when it gives the next rows."""


class LiveRun:
    """A live source while it runs: a `Source` with one partition.

    A thread of its own asks the source for rows. Where a copy of it is read, in another process, it reads the journal.

    Parameters
    ----------
    source : LiveSource
        What gives the rows.
    scratch : str, optional
        The directory in which the journal is made; default: the system's for temporary files.
    kept : Kept, optional
        A journal that outlives the run, and how far it is known to go; default: one that ends with it.
    """

    def __init__(self, source: LiveSource, scratch: str | None = None, kept: Kept | None = None) -> None:
        self.label, self.schema, self.bounded = source.label, source.schema, source.bounded
        self.source, self._kept = source, kept is not None
        if kept is None:
            self._directory = tempfile.mkdtemp(prefix="flower-journal-", dir=scratch)
            self._writer = JournalWriter(self._directory)
        else:
            self._directory = kept.directory
            os.makedirs(self._directory, exist_ok=True)
            self._writer = JournalWriter(self._directory, durable=True, needed=kept.needed, label=self.label)
        self._reader = JournalReader(self._directory, source.label)
        self._changed = threading.Condition()
        self._came: list[Any] = []
        self._times: list[int] = []
        self._waiting = 0
        self._seen = 0
        self._rows: LiveRows | None = None
        self._error: Exception | None = None
        self._told_at = -1
        self._torn = False
        self._over, self._stopped = self._writer.over, False
        self.woken: Callable[[], None] = _nobody
        """Called by the source's thread when rows have come."""
        self.begun = self._writer.end
        """Rows that were there from runs before."""
        self._thread = threading.Thread(target=self._take, name=f"flower-{source.label}", daemon=True)
        if not self._over and (kept is None or kept.opens):
            self._thread.start()

    def __repr__(self) -> str:
        return self.label

    def __getstate__(self) -> dict[str, object]:
        return {"label": self.label, "schema": self.schema, "bounded": self.bounded, "_reader": self._reader}

    # -- the source

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """As many rows as have come.

        Raises
        ------
        UserFunctionError
            If the source failed, once all that came before has been asked for.
        """
        with self._changed:
            self._seen = max(self._seen, position)
            self._append()
            self._changed.notify_all()
            if self._error is not None and position >= self._writer.end:
                # The first to ask may be one that reads ahead, while the rows before are still being processed.
                if self._told_at == position:
                    raise self._error
                self._told_at = position
            return max(position, min(position + limit_rows, self._writer.end))

    def ended(self, partition: int, position: int) -> bool:
        """Whether the source is over and all its rows are before ``position``."""
        with self._changed:
            return self._over and self._error is None and not self._came and position >= self._writer.end

    def waiting(self, partition: int, position: int, elapsed_us: int) -> int:
        """Rows that have come, in the journal or on the way to it."""
        with self._changed:
            return max(0, self._writer.end + self._waiting - position)

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range, from the journal."""
        return self._reader.read(start, end) if end > start else self.schema.empty_table()

    # -- the thread

    def _take(self) -> None:
        """Ask for rows until there are no more, or nobody wants them; then close what gives them."""
        rows: LiveRows | None = None
        try:
            rows = self._rows = self.source.open(self.begun)
            for batch in rows:
                if not self._keep(batch):
                    break
        except Exception as error:
            self._fail(error)
        finally:
            try:
                if rows is not None:
                    rows.close()
            except Exception as error:
                self._fail(error)
            with self._changed:
                self._over = True
                if self._kept and not self._stopped and self._error is None:
                    self._append()
                    self._finish()
                self._changed.notify_all()
            self.woken()

    def _finish(self) -> None:
        try:
            self._writer.finish()
        except OSError as error:
            self._error = self._error or self._unwritable(error)

    def forget(self, position: int) -> None:
        """Let go of rows before a position, as far as a journal that is kept has them in files of their own."""
        with self._changed:
            self._writer.forget(position)

    def _keep(self, batch: Any) -> bool:
        """Take rows, and wait while too many wait already; whether more are wanted."""
        with self._changed:
            if not self._stopped:
                self._came.append(batch)
                self._times.append(time.time_ns() // 1000)
                self._waiting += len(batch)
                if self._waiting >= APPEND_ROWS:
                    self._append()
        self.woken()
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._ahead() < BUFFER_ROWS)
            return not self._stopped

    def _ahead(self) -> int:
        return self._writer.end + self._waiting - self._seen

    def _append(self) -> None:
        """Write what has come to the journal."""
        if not self._came or self._stopped or self._torn:
            return
        came, times = self._came, self._times
        self._came, self._times, self._waiting = [], [], 0
        try:
            self._writer.append(self.source.table(came, times), times[-1])
        except OSError as error:
            self._torn = True  # what is written behind a part of an entry could not be read
            self._error = self._error or self._unwritable(error)

    def _unwritable(self, error: OSError) -> SourceError:
        return SourceError(
            f"{self.label}: its journal must be writable",
            got=str(error),
            hint=f"free space in {os.path.dirname(self._directory)}",
        )

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._error = self._error or self.source.failed(error)

    def close(self) -> None:
        """Close the source, and delete the journal unless it is kept; done once."""
        with self._changed:
            if self._stopped:
                return
            try:
                if self._kept:
                    self._append()
            finally:
                self._stopped = True
                self._changed.notify_all()
                self._writer.close()
        if self._rows is not None:
            self._rows.cancel()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(GRACE_SECONDS)
        if not self._kept:
            shutil.rmtree(self._directory, ignore_errors=True)


def _nobody() -> None:
    """Nobody waits for rows."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal that outlives its run.

    Parameters
    ----------
    directory : str
        Where it is, or will be.
    needed : int
        Up to which position rows are known to have been there.
    opens : bool
        Whether more rows are wanted; False: only those that are there.
    """

    directory: str
    needed: int = 0
    opens: bool = True


def opened(
    outputs: Sequence[Node], scratch: str | None = None, keep: Callable[[str], Kept] | None = None
) -> tuple[tuple[Node, ...], list[LiveRun]]:
    """The graph with every live source running; whoever calls it closes them.

    ``keep`` gives the journal of each by the name of its step.
    """
    names = step_names(outputs)
    reads = [node for node in walk(outputs) if isinstance(node, Read) and isinstance(node.source, LiveSource)]
    runs: dict[int, LiveRun] = {}
    replacements: dict[Node, Node] = {}
    for read in reads:
        assert isinstance(read.source, LiveSource)
        run = runs.get(id(read.source)) or LiveRun(read.source, scratch, None if keep is None else keep(names[read]))
        runs[id(read.source)] = run
        replacements[read] = replace(read, source=run)
    if not replacements:
        return tuple(outputs), []
    return substituted(tuple(outputs), replacements), list(runs.values())
