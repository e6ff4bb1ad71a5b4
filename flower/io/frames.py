"""A pandas frame as a source: its rows in order, as they were when it was given."""

from __future__ import annotations

import hashlib

import pandas as pd
import pyarrow as pa

from flower.errors import DtypeError, FlowerError
from flower.graph.schema import columns_of


class FrameSource:
    """The rows of a frame, in one partition; later changes of the frame are not seen.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its index is left behind.
    schema : pyarrow.Schema, optional
        The columns to give; values are cast where nothing is lost.

    Raises
    ------
    DtypeError
        If it is no frame, or a column mixes Python objects.
    ColumnError, SchemaError
        If its columns are not those of ``schema``.

    Examples
    --------
    >>> source = FrameSource(pd.DataFrame({"n": [1, 2, 3]}))
    >>> source, source.read(0, 1, 3)["n"].to_pylist()
    (frame of 3 rows, [2, 3])
    """

    bounded = True
    driver_local = True

    def __init__(self, frame: pd.DataFrame, schema: pa.Schema | None = None) -> None:
        if not isinstance(frame, pd.DataFrame):
            raise DtypeError(
                "a pandas DataFrame is required", got=type(frame).__name__, hint="convert it, as with .to_pandas()"
            )
        self.label = f"frame of {len(frame):,} rows"
        # Arrow may share pandas' memory; a copy on write keeps what it shares from being changed.
        self._frame = frame.copy(deep=False)
        kept = self._frame if schema is None else self._frame[[c for c in schema.names if c in frame.columns]]
        try:
            rows = columns_of(kept, schema)
        except FlowerError as error:
            error.required = f"{self.label}: {error.required}"
            raise
        self.schema: pa.Schema = rows.schema
        self._table = pa.Table.from_batches([rows])
        self._rows = len(frame)

    def __repr__(self) -> str:
        return self.label

    def identity(self) -> dict[str, str]:
        """A checksum of its rows."""
        digest = hashlib.sha256()
        for batch in self._table.to_batches():
            digest.update(batch.serialize())
        return {"rows": f"sha256 {digest.hexdigest()[:16]}"}

    def partitions(self) -> tuple[str, ...]:
        """The one partition."""
        return ("0",)

    def initial(self, partition: int) -> int:
        """Before the first row."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """All rows are there from the start."""
        return min(position + limit_rows, self._rows)

    def total(self, partition: int) -> int:
        """All rows."""
        return self._rows

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of a range, without a copy."""
        table = self._table if columns is None else self._table.select(list(columns))
        return table.slice(start, end - start)

    def ended(self, partition: int, position: int) -> bool:
        """Whether the last row is before ``position``."""
        return position >= self._rows
