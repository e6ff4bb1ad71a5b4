"""Rows into a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import pyarrow as pa

from flower.errors import SinkError, UserFunctionError
from flower.graph.schema import frame_of


class ForeachSink:
    """Calls ``fn(frame)`` with the rows of every epoch that has some, when the epoch is committed, in order of epochs.

    At least once: a function that fails in the middle, or whose process dies before the run has noted the commit, is
    called with the same rows again when the run is resumed.

    Parameters
    ----------
    fn : callable
        Takes a frame; what it returns is ignored.

    Raises
    ------
    SinkError
        If ``fn`` cannot be called.
    """

    driver_local = True

    def __init__(self, fn: Callable[[pd.DataFrame], object]) -> None:
        if not callable(fn):
            raise SinkError(
                "foreach: a function of a frame is required", got=repr(fn)[:80], hint="write foreach(print)"
            )
        self._fn = fn
        self._staged: dict[str, pa.RecordBatch] = {}
        self._done = -1
        self.label = f"foreach {getattr(fn, '__name__', repr(fn))}"

    def __repr__(self) -> str:
        return self.label

    def open(self, schema: pa.Schema) -> None:
        """Begin with the first epoch."""
        self._staged.clear()
        self._done = -1

    def stage(self, epoch: int, attempt: int, partition: int, rows: pa.RecordBatch) -> object:
        """Keep the rows for the commit."""
        token = f"{epoch}-{attempt}-{partition}"
        self._staged[token] = rows
        return token

    def commit(self, epoch: int, tokens: Sequence[object]) -> None:
        """Call the function with the epoch's rows, unless that was done.

        Raises
        ------
        UserFunctionError
            If the function raises.
        """
        batches = [self._staged[str(token)] for token in tokens if str(token) in self._staged]
        if epoch > self._done and batches:
            try:
                self._fn(frame_of(batches[0] if len(batches) == 1 else pa.concat_batches(batches)))
            except Exception as error:
                raise UserFunctionError(
                    f"{self.label} failed on the {sum(map(len, batches)):,} rows of epoch {epoch}",
                    got=f"{type(error).__name__}: {error}",
                    hint="catch it in the function to go on",
                ) from error
            self._done = epoch
        self.abort(tokens)

    def abort(self, tokens: Sequence[object]) -> None:
        """Forget rows."""
        for token in tokens:
            self._staged.pop(str(token), None)

    def close(self) -> None:
        """Nothing is held."""
        self._staged.clear()
