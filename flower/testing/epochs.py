"""What a pipeline gives, epoch by epoch: so a test says when a pane comes, not only that it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from flower.api.stream import Stream
from flower.engine.embedded import Options, driver_of
from flower.engine.reference import epochs_reference
from flower.graph.nodes import Write
from flower.graph.schema import frame_of


def by_epoch(stream: Stream, executor: Any = "embedded") -> list[pd.DataFrame]:
    """The rows that each epoch of a run gives, under the watermark policy as in ``collect(as_stream=True)``.

    Parameters
    ----------
    stream : Stream
        A pipeline over a `TestStream`, or any that ends.
    executor : {"embedded", "dask", "reference"}, scheduler address or distributed.Client
        As for ``stream.collect``.

    Returns
    -------
    list of pandas.DataFrame
        One an epoch; empty where an epoch gives nothing.

    Examples
    --------
    >>> import flower as fl
    >>> from flower.testing import TestStream
    >>> stream = TestStream({"v": "int64"}).add([{"v": 1, "event_time": "2000-01-01T00:00:01Z"}]).end()
    >>> [len(rows) for rows in by_epoch(stream.window(fl.FixedWindows("1min")).agg(total=("v", "sum")))]
    [0, 1]
    """
    if executor == "reference":
        epochs = [[batch.rows for batch in batches] for batches in epochs_reference(stream.node)]
    else:
        sink = _Epochs()
        driver = driver_of([Write(stream.node, sink)], Options.make(), executor)
        driver.drive()
        epochs = [sink.rows.get(epoch, []) for epoch in range(driver.metrics.epochs)]
    nothing = pa.RecordBatch.from_pylist([], stream.schema)
    return [frame_of(pa.concat_batches([nothing, *batches])) for batches in epochs]


class _Epochs:
    """A sink that keeps the rows of each epoch in this process."""

    driver_local = True
    label = "epochs"

    def __init__(self) -> None:
        self._staged: list[pa.RecordBatch] = []
        self.rows: dict[int, list[pa.RecordBatch]] = {}

    def open(self, schema: pa.Schema) -> None:
        """Nothing to prepare."""

    def stage(self, epoch: int, attempt: int, partition: int, rows: pa.RecordBatch) -> object:
        """Keep the rows for the commit."""
        self._staged.append(rows)
        return len(self._staged) - 1

    def commit(self, epoch: int, tokens: Sequence[object]) -> None:
        """Give the rows to the epoch."""
        self.rows[epoch] = [self._staged[token] for token in tokens if isinstance(token, int)]

    def abort(self, tokens: Sequence[object]) -> None:
        """What no commit takes is in no epoch."""

    def close(self) -> None:
        """Nothing is held."""
