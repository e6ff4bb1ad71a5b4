"""``stream.enrich(...)``: what it is given, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from flower.api.arguments import column_names, one_of
from flower.errors import GraphError
from flower.graph.enriching import KEEPS, Enrich, Keeps, addable
from flower.graph.nodes import Node, Read
from flower.graph.schema import require_columns

if TYPE_CHECKING:
    from flower.api.stream import Stream


def enrich_node(
    stream: Stream,
    table: object,
    on: str | Sequence[str],
    how: Keeps,
    columns: str | Sequence[str] | None,
    static: bool | None,
) -> Node:
    """The step of ``stream.enrich(table, ...)``."""
    given = _table(table)
    keys = column_names("enrich", (on,) if isinstance(on, str) else tuple(on), ".enrich(table, on='carrier')")
    require_columns(stream.schema, keys)
    require_columns(given.schema, keys)
    one_of("how", how, KEEPS)
    if columns is None:
        added = addable(given, keys)
    else:
        named = (columns,) if isinstance(columns, str) else tuple(columns)
        added = column_names("enrich", named, ".enrich(table, on='carrier', columns=['name'])")
        require_columns(given.schema, added)
    if given.timed and not static:
        raise GraphError(
            "a table that does not change has no event times",
            got="a stream with event times",
            hint="say static=True; or use .join_asof() for a stream of versions",
        )
    if not given.bounded:
        raise GraphError(
            "a table that is read whole must end",
            got="an unbounded stream",
            hint="name the column that says when a row of it was valid, where it is read: event_time='column'",
        )
    if isinstance(given, Read) and isinstance(table, pd.DataFrame):
        from flower.engine.tables import required_unique

        required_unique(given.source.read(0, 0, len(table)).combine_chunks().to_batches()[0], keys)
    return Enrich(stream.node, given, keys, how, added)


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
