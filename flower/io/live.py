"""A source that cannot replay, for one run: its rows go to a journal as they come, and are read back by position."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from flower.errors import SourceError
from flower.graph.nodes import Node, Read, walk
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
    """

    def __init__(self, source: LiveSource, scratch: str | None = None) -> None:
        self.label, self.schema, self.bounded = source.label, source.schema, source.bounded
        self._source = source
        self._directory = tempfile.mkdtemp(prefix="flower-journal-", dir=scratch)
        self._writer = JournalWriter(self._directory)
        self._reader = JournalReader(self._directory, source.label)
        self._changed = threading.Condition()
        self._came: list[Any] = []
        self._times: list[int] = []
        self._waiting = 0
        self._seen = 0
        self._rows: LiveRows | None = None
        self._error: Exception | None = None
        self._told_at = -1
        self._over = self._stopped = False
        self._thread = threading.Thread(target=self._take, name=f"flower-{source.label}", daemon=True)
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
            rows = self._rows = self._source.open()
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
                self._changed.notify_all()

    def _keep(self, batch: Any) -> bool:
        """Take rows, and wait while too many wait already; whether more are wanted."""
        with self._changed:
            if not self._stopped:
                self._came.append(batch)
                self._times.append(time.time_ns() // 1000)
                self._waiting += len(batch)
                if self._waiting >= APPEND_ROWS:
                    self._append()
                self._changed.wait_for(lambda: self._stopped or self._ahead() < BUFFER_ROWS)
            return not self._stopped

    def _ahead(self) -> int:
        return self._writer.end + self._waiting - self._seen

    def _append(self) -> None:
        """Write what has come to the journal."""
        if not self._came or self._stopped:
            return
        came, times = self._came, self._times
        self._came, self._times, self._waiting = [], [], 0
        try:
            self._writer.append(self._source.table(came, times), times[-1])
        except OSError as error:
            self._error = self._error or SourceError(
                f"{self.label}: its journal must be writable",
                got=str(error),
                hint="free space in the scratch directory",
            )

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._error = self._error or self._source.failed(error)

    def close(self) -> None:
        """Close the source, and delete the journal; done once."""
        with self._changed:
            if self._stopped:
                return
            self._stopped = True
            self._changed.notify_all()
        if self._rows is not None:
            self._rows.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join(GRACE_SECONDS)
        with self._changed:
            self._writer.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def opened(outputs: Sequence[Node], scratch: str | None = None) -> tuple[tuple[Node, ...], list[LiveRun]]:
    """The graph with every live source running; whoever calls it closes them."""
    reads = [node for node in walk(outputs) if isinstance(node, Read) and isinstance(node.source, LiveSource)]
    runs: dict[int, LiveRun] = {}
    replacements: dict[Node, Node] = {}
    for read in reads:
        assert isinstance(read.source, LiveSource)
        run = runs.get(id(read.source)) or LiveRun(read.source, scratch)
        runs[id(read.source)] = run
        replacements[read] = replace(read, source=run)
    if not replacements:
        return tuple(outputs), []
    return substituted(tuple(outputs), replacements), list(runs.values())
