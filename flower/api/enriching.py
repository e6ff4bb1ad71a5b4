"""``stream.enrich(...)``: what it is given, checked."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from flower.api.arguments import column_names, one_of
from flower.api.grouped import require_settled
from flower.errors import GraphError
from flower.graph.enriching import KEEPS, Enrich, EnrichInWindow, EnrichVersions, Keeps, addable
from flower.graph.nodes import Node, Read
from flower.graph.schema import normal, require_columns
from flower.io.frames import FrameSource
from flower.model.time import Duration, duration_us


def enrich_node(
    rows: Node,
    table: object,
    on: str | Sequence[str],
    how: Keeps,
    columns: str | Sequence[str] | None,
    ttl: Duration | None,
    static: bool,
) -> Node:
    """The step of ``stream.enrich(table, ...)``, given the stream's node."""
    given = _table(table)
    keys = column_names("enrich", (on,) if isinstance(on, str) else tuple(on), ".enrich(table, on='carrier')")
    require_columns(rows.schema, keys)
    require_columns(given.schema, keys)
    one_of("how", how, KEEPS)
    if columns is None:
        added = addable(given, keys)
    else:
        named = (columns,) if isinstance(columns, str) else tuple(columns)
        added = column_names("enrich", named, ".enrich(table, on='carrier', columns=['name'])")
        require_columns(given.schema, added)
    if static or not given.timed or isinstance(table, pd.DataFrame):
        if ttl is not None:
            raise GraphError("`ttl` is for a table that changes", got=f"ttl={ttl!r}", hint="leave it out")
        return _static(rows, given, keys, how, added)
    require_settled(rows, "enriched from a table that changes")
    common = (rows, given, keys, ("_x", "_y"))
    if given.windowing is None:
        require_settled(given, "versions of a table")
        most = None if ttl is None else duration_us(ttl, "ttl")
        return EnrichVersions(*common, most, "backward", how, added)
    if ttl is not None:
        raise GraphError(
            "a table in windows has no ttl: a window's rows are kept until its end is passed",
            got=f"ttl={ttl!r}",
            hint="give its .window() an allowed_lateness, to keep them longer",
        )
    return EnrichInWindow(*common, how, added)


def _static(before: Node, table: Node, keys: tuple[str, ...], how: Keeps, added: tuple[str, ...]) -> Enrich:
    if not table.bounded:
        raise GraphError(
            "a table that is read whole must end",
            got="an unbounded stream",
            hint="for one that changes, name the column that says from when on a row of it is valid, where it is read: "
            "event_time='column'",
        )
    if isinstance(table, Read) and isinstance(table.source, FrameSource):
        from flower.engine.tables import required_unique

        rows = table.source.read(0, 0, table.source.total(0))
        required_unique(normal(rows), keys)
    return Enrich(before, table, keys, how, added)


def _table(table: object) -> Node:
    from flower.api.read import frame
    from flower.api.stream import Stream

    if isinstance(table, pd.DataFrame):
        return frame(table).node
    if isinstance(table, Stream):
        return table.node
    raise GraphError(
        "enrich() takes a table: a DataFrame, or a stream",
        got=type(table).__name__,
        hint="write .enrich(frame, on='carrier')",
    )
