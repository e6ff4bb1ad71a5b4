"""``fl.replay``: a recording as the stream that it was."""

from __future__ import annotations

import dataclasses

import pandas as pd

from flower.api.sourced import Schema, declared, stream_of
from flower.api.stream import Stream
from flower.errors import DtypeError, GraphError
from flower.graph.calls import Call
from flower.graph.nodes import Read, walk
from flower.io.frames import FrameSource
from flower.io.recording import RecordingSource
from flower.model.event_time import check_event_time
from flower.model.watermarks import WatermarkPolicy


def replay(
    recording: pd.DataFrame | Stream,
    speed: float | None = None,
    *,
    arrival: str | None = None,
    event_time: str | None = None,
    tz: str = "UTC",
    watermark: WatermarkPolicy | None = None,
    schema: Schema | None = None,
) -> Stream:
    """Read a recording in order of arrival, with the time between rows as it was, or shorter.

    Parameters
    ----------
    recording : pandas.DataFrame or Stream
        A frame, which is put in order of arrival; or a stream that reads one source, whose rows are in that order.
    speed : float, optional
        How much faster than they arrived: 60 lets an hour pass in a minute. Default: as fast as possible.
    arrival : str, optional
        The column that says when a row was observed; a row without a time comes with the row before it. Default: the
        ``arrival`` that the stream was read with; of what `flower.record` recorded, when each row came.
    event_time, tz, watermark, schema
        For frames, as in `flower.read.frame`; of a stream they are known.

    Raises
    ------
    GraphError
        If no arrival is named, or the stream reads several sources.
    SourceError
        When it runs: if a stream's rows are not in order of arrival.

    Examples
    --------
    >>> import flower as fl
    >>> seen = pd.to_datetime(["2024-01-01 12:00:03", "2024-01-01 12:00:01"])
    >>> fl.replay(pd.DataFrame({"seen": seen, "v": [1, 2]}), speed=1000, arrival="seen").collect()["v"].tolist()
    [2, 1]
    >>> flights = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed")
    >>> fl.replay(flights).filter("delay > 400").collect()["carrier"].tolist()
    ['FL', 'EV', 'F9']
    """
    if isinstance(recording, Stream):
        if event_time is not None or watermark is not None or schema is not None or tz != "UTC":
            raise GraphError(
                "replay() of a stream takes its event time as it is", hint="give event_time and the like to fl.read"
            )
        return _replayed(recording, speed, arrival)
    if not isinstance(recording, pd.DataFrame):
        raise DtypeError(
            "replay() takes a frame or a stream", got=type(recording).__name__, hint="read it with fl.read"
        )
    source = FrameSource(recording, declared(schema))
    column = _named(arrival, source.label)
    check_event_time(source.schema, column, source.label)
    from flower.io.replay import ReplaySource, in_order

    ordered = recording.iloc[in_order(source.read(0, 0, len(recording), (column,))[column], tz)]
    replayed = ReplaySource(FrameSource(ordered, source.schema), column, speed, tz=tz)
    return stream_of(replayed, event_time, tz, column, watermark)


def _replayed(stream: Stream, speed: float | None, arrival: str | None) -> Stream:
    reads = [node for node in walk(stream.node) if isinstance(node, Read)]
    if len(reads) != 1:
        raise GraphError(
            "replay() takes a stream that reads one source",
            got=f"{len(reads)} sources",
            hint="replay each by itself, and put them together with fl.concat",
        )
    read = reads[0]
    if isinstance(read.source, RecordingSource) and arrival is None:
        # It knows when its rows came.
        call = None if read.call is None else Call.of("replay", replay, (read.call,), {"speed": speed})
        return _on(stream, read, dataclasses.replace(read, source=read.source.at(speed), call=call))
    column = _named(arrival or read.arrival, read.source.label)
    check_event_time(read.source.schema, column, read.source.label, text=True)
    from flower.io.replay import ReplaySource

    source = ReplaySource(read.source, column, speed, tz=read.tz)
    options = {"speed": speed} if arrival is None else {"speed": speed, "arrival": arrival}
    call = None if read.call is None else Call.of("replay", replay, (read.call,), options)
    return _on(stream, read, dataclasses.replace(read, source=source, arrival=column, call=call))


def _on(stream: Stream, read: Read, other: Read) -> Stream:
    from flower.graph.optimizer.rewrite import substituted

    return Stream(substituted((stream.node,), {read: other})[0])


def _named(arrival: str | None, label: str) -> str:
    if arrival is None:
        raise GraphError(
            f"replay() must know when the rows of {label} arrived", hint="name the column, as in arrival='observed'"
        )
    return arrival
