"""What is read whole before a job's first row: the tables that rows are looked up in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from flower.engine.job import Job, with_tables
from flower.engine.tables import required_unique
from flower.errors import FlowerError, RunError
from flower.graph.batch import Batch
from flower.graph.enriching import Lookup, Table

if TYPE_CHECKING:
    from flower.engine.embedded import Options


def with_tables_read(
    job: Job,
    options: Options | None = None,
    go_on: Callable[[], bool] = lambda: True,
    tell: Callable[[str, int], None] = lambda step, rows: None,
) -> Job:
    """The job with its tables, each read in this process; as it is, if they are there or were not read to the end.

    Parameters
    ----------
    options : Options, optional
        Of the run.
    go_on : callable
        Asked often; once it says no, nothing more is read.
    tell : callable
        Told the step and how many rows of its table are read.

    Raises
    ------
    RunError
        If a row of a table cannot be processed.
    SchemaError
        If two rows of a table have the same keys.
    """
    tables: dict[str, Table] = {}
    for step, node in job.lookups.items():
        if node.rows is not None:
            return job
        try:
            rows = _read(node, options, go_on, partial(tell, step))
            if rows is None:
                return job
            tables[step] = required_unique(rows, node.on)
        except FlowerError as error:
            raise error.at(f"{step!r} ({node.verb})") from error.__cause__
    return with_tables(job, tables)


def _read(
    node: Lookup, options: Options | None, go_on: Callable[[], bool], tell: Callable[[int], None]
) -> pa.RecordBatch | None:
    """The rows of a table; None: they were not wanted to the end."""
    from flower.engine.embedded import Driver, Options

    given = Options() if options is None else options
    options = Options(given.latency_us, given.clock, state_budget=given.state_budget)
    driver = Driver([node.table], options, batch=True)
    port, parts = driver.job.plan.outputs[0], [Batch.empty(node.table.schema).rows]
    try:
        driver.read_tables(go_on)
        while go_on():
            if driver.over():
                return pa.concat_batches(parts)
            epoch = driver.next_epoch()
            if epoch is None:
                time.sleep(given.latency_us / 4e6)
                continue
            result = driver.run(epoch)
            if result.report.errors:
                raise RunError(
                    "every row of a table must be processed",
                    got=f"{result.report.errors:,} that failed, the first in {result.report.first_error}",
                    hint="mend the table, or leave such rows out of it with .filter(); its .errors shows them",
                )
            rows = result.outputs.get(port)
            parts += [] if rows is None else [rows.rows]
            tell(driver.metrics.rows_in)
        return None
    finally:
        driver.close()
