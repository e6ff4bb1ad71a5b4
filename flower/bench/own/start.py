"""What one waits for at first: the import of Flower, and the first pane after `run()`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flower import Stream
    from flower.bench.child import Columns, Given

PANE_ROWS = 10_000_000


def import_flower(given: Given) -> Columns:
    """All that a first line of a notebook waits for."""
    with given.measure():
        import flower  # noqa: F401
    return {}


def import_pandas(given: Given) -> Columns:
    """What one has imported anyway."""
    with given.measure():
        import pandas  # noqa: F401
    return {}


def _until_first_pane(given: Given, panes: Stream) -> Columns:
    with given.measure():
        run = panes.run()
        while not run.metrics.rows_out and run.state == "running":
            time.sleep(0.002)
        rows = run.metrics.rows_out
    run.stop()
    if run.error is not None:
        raise run.error
    return {"first": [rows > 0]}


def pane_of_flights(given: Given) -> Columns:
    """The demo's pipeline."""
    from flower.cli import delays_of

    return _until_first_pane(given, delays_of(None))


def pane_of_w1(given: Given) -> Columns:
    """W1's."""
    from flower.bench.data import written
    from flower.bench.own.windows import stream

    path = written("w1", PANE_ROWS, given.cache)
    return _until_first_pane(given, stream(str(path)))
