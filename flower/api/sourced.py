"""A source and what a person says of its times, made into a stream; what can be refused before data flows is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ParamSpec, TypeAlias, cast

import pyarrow as pa

from flower.api.stream import Stream
from flower.errors import EventTimeError, WatermarkError
from flower.graph.calls import Call
from flower.graph.nodes import Read
from flower.graph.protocols import LiveSource, Source
from flower.graph.punctuations import checked
from flower.graph.schema import schema_of
from flower.model.event_time import check_event_time, check_zone, event_time_us
from flower.model.watermarks import BoundedDisorder, WatermarkPolicy

Schema: TypeAlias = "Mapping[str, object] | pa.Schema"
"""Columns and dtypes as a person declares them."""

_SAMPLE = 100
_P = ParamSpec("_P")


def recorded(function: Callable[_P, Stream]) -> Callable[_P, Stream]:
    """Let a function of ``fl.read`` note in its `Read` how it was called."""

    @functools.wraps(function)
    def call(*arguments: _P.args, **options: _P.kwargs) -> Stream:
        node = function(*arguments, **options).node
        assert isinstance(node, Read)
        if options.get("watermark") is not None:
            options["watermark"] = node.watermark  # whose expressions have been made text
        return Stream(replace(node, call=Call.of(f"read.{function.__name__}", function, arguments, options)))

    return call


def declared(schema: Schema | None) -> pa.Schema | None:
    """The columns that a person declared, if any."""
    return None if schema is None else schema_of(schema)


def stream_of(
    source: Source | LiveSource,
    event_time: str | None,
    tz: str,
    arrival: str | None,
    watermark: WatermarkPolicy | None,
    *,
    text: bool = False,
) -> Stream:
    """The stream of a source's rows.

    Parameters
    ----------
    text : bool
        Whether its times may be text.

    Raises
    ------
    EventTimeError, ColumnError, WatermarkError
        If a column named is not there or no time, or something else is not what it must be.
    """
    check_zone(tz)
    for column in (event_time, arrival):
        if column is not None:
            check_event_time(source.schema, column, source.label, text=text)
    if event_time is not None and text and isinstance(source, Source):
        _check_sample(source, event_time, tz)
    if watermark is None:
        watermark = BoundedDisorder("0s")
    if not isinstance(watermark, WatermarkPolicy):
        raise WatermarkError(
            "`watermark` must be a watermark policy", got=repr(watermark), hint="write fl.BoundedDisorder('10min')"
        )
    return Stream(Read(cast("Source", source), event_time, tz, arrival, checked(watermark, source.schema)))


def _check_sample(source: Source, column: str, tz: str) -> None:
    """Refuse a column of text of whose first rows none is a time: not one row would have an event time."""
    end = source.latest(0, source.initial(0), _SAMPLE, 0)
    table = source.read(0, source.initial(0), end, (column,))
    values = table[column].drop_null()
    if not len(values):
        return
    _, bad, reasons = event_time_us(values, tz=tz)
    if bad is not None and bad.all():
        raise EventTimeError(
            f"{source.label}: the event time must be a column of times",
            got=f"{reasons[0].removeprefix('event time ')}, nor is any other of the first rows of {column!r}",
            hint="write times as '2000-01-01T12:00:00Z', or name another column",
        )
