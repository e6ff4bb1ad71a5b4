"""`TestStream`: a stream that a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from flower.api.stream import Stream
from flower.graph.nodes import Read
from flower.graph.schema import field_of, schema_of
from flower.model.watermarks import ManualWatermark
from flower.testing.script import ScriptedSource


class TestStream(Stream):
    """A stream of given rows, watermarks and clock; immutable, every call gives a longer one.

    Each call is an epoch of its own, unless grouped by `epoch`. The clock shows 2000-01-01T00:00:00Z until it is set.

    Parameters
    ----------
    schema : mapping of str to str
        Columns and dtypes. The event time may be left out: it is ``datetime64[us, UTC]`` then.
    event_time : str
        The column of event times.
    partitions : int
        How many partitions the source has.

    Examples
    --------
    >>> stream = (
    ...     TestStream(schema={"v": "int64"}, event_time="t")
    ...     .add([{"v": 1, "t": "2000-01-01T12:00:27Z"}])
    ...     .watermark("2000-01-01T12:02:00Z")
    ... )
    >>> stream.source.epochs()
    [((1,), 946684800000000), ((2,), 946684800000000)]
    """

    __slots__ = ("_event_time", "_source")
    __test__ = False  # pytest takes it for a test otherwise

    def __init__(
        self, schema: Mapping[str, object] | pa.Schema, event_time: str = "event_time", partitions: int = 1
    ) -> None:
        columns = schema_of(schema)
        if event_time not in columns.names:
            columns = columns.append(field_of(event_time, "datetime64[us, UTC]"))
        self._play(ScriptedSource(columns, partitions), event_time)

    def _play(self, source: ScriptedSource, event_time: str, name: str | None = None) -> None:
        self._source, self._event_time = source, event_time
        super().__init__(Read(source, event_time, "UTC", None, ManualWatermark(), name=name))

    def _of(self, source: ScriptedSource, name: str | None = None) -> TestStream:
        longer = TestStream.__new__(TestStream)
        longer._play(source, self._event_time, name or self.node.name)
        return longer

    @property
    def source(self) -> ScriptedSource:
        """What it reads: the script as a source."""
        return self._source

    def named(self, name: str) -> TestStream:
        """Give it a name, by which errors cite it."""
        return self._of(self._source, Stream(self.node).named(name).node.name)

    def add(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, partition: int = 0) -> TestStream:
        """Read rows: dicts, or a frame. Times may be text; what a row lacks is missing."""
        return self._of(self.source.add(rows, partition))

    def watermark(self, at: object, partition: int = 0) -> TestStream:
        """Move a partition's watermark: no row before ``at`` follows (and if one does, it is late)."""
        return self._of(self.source.mark(at, partition))

    def clock(self, at: object) -> TestStream:
        """Set processing time."""
        return self._of(self.source.tick(at))

    def epoch(self, fn: Callable[[TestStream], TestStream]) -> TestStream:
        """Make one epoch of what ``fn`` adds: ``.epoch(lambda s: s.add(...).watermark(...))``."""
        return self._of(self.source.grouped(lambda source: fn(self._of(source)).source))

    def end(self) -> TestStream:
        """Let the watermark go to infinity: no row follows. Without it, a run gives the panes so far and ends."""
        return self._of(self.source.end())
