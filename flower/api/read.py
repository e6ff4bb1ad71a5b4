"""``fl.read``: streams of what is stored somewhere, or comes by itself.

Every function takes the same four keywords for time: ``event_time`` names the column that says when a row happened,
``tz`` the zone in which that column is read if it names none, ``arrival`` the column that says when it was observed,
and ``watermark`` how far behind the newest event time a row may come. A stream without an event time can be filtered
and aggregated, but has no windows in time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa

from flower.api.sourced import Schema, declared, recorded, stream_of
from flower.api.stream import Stream
from flower.errors import EventTimeError, SourceError
from flower.graph.protocols import Source
from flower.graph.schema import require_columns
from flower.io.files import PathLike, Paths
from flower.model.time import Duration
from flower.model.watermarks import WatermarkPolicy

__all__ = ["csv", "frame", "generator", "json_lines", "parquet", "rate", "recording", "system"]


def frame(
    frame: pd.DataFrame,
    *,
    event_time: str | None = None,
    tz: str = "UTC",
    arrival: str | None = None,
    watermark: WatermarkPolicy | None = None,
    schema: Schema | None = None,
) -> Stream:
    """Read the rows of a frame, in order, as they are now.

    Parameters
    ----------
    frame : pandas.DataFrame
        Its index is left behind. Columns that mix Python objects are refused.
    event_time : str, optional
        The column that says when a row happened: times or dates.
    tz : str
        The zone in which an event time without a zone is read.
    arrival : str, optional
        The column that says when a row was observed.
    watermark : WatermarkPolicy, optional
        `BoundedDisorder`, `Monotonic`, `Percentile`, `Punctuated`, `ManualWatermark`, `EarliestOf` or `LatestOf`;
        default: ``BoundedDisorder("0s")``, no row may come behind a newer one.
    schema : mapping or pyarrow.Schema, optional
        The columns to take and their dtypes, as ``{"carrier": "str", "delay": "int64"}``.

    Raises
    ------
    EventTimeError
        If the event time is no time.
    DtypeError, ColumnError, SchemaError
        If columns cannot be what they are declared.

    Examples
    --------
    >>> import flower as fl
    >>> rows = pd.DataFrame({"at": pd.to_datetime(["2024-01-01 12:00", "2024-01-01 12:05"]), "v": [1, 2]})
    >>> stream = fl.read.frame(rows, event_time="at", tz="Europe/Berlin")
    >>> stream.window(fl.FixedWindows("1h")).agg(v=("v", "sum")).select("window_start", "v").collect()
                   window_start  v
    0 2024-01-01 11:00:00+00:00  3
    """
    from flower.io.frames import FrameSource

    if isinstance(frame, pd.DataFrame) and event_time is not None and event_time not in frame.columns:
        _refuse_index(frame, event_time)
    return stream_of(FrameSource(frame, declared(schema)), event_time, tz, arrival, watermark)


@recorded
def parquet(
    path: Paths,
    *,
    event_time: str | None = None,
    tz: str = "UTC",
    arrival: str | None = None,
    watermark: WatermarkPolicy | None = None,
    schema: Schema | None = None,
    partitions: int | str = 1,
    watch: bool | Duration = False,
) -> Stream:
    """Read Parquet files, in the order of their names.

    The columns are those of the first file. In other files, columns that it does not have are left out and noted, rows
    without one of its columns go to ``stream.errors``, and so do values that do not fit its types.

    Parameters
    ----------
    path : str, os.PathLike or a sequence of them
        A file, a directory, a pattern such as ``"logs/*.parquet"``, or a list of them.
    event_time : str, optional
        The column that says when a row happened: times or dates.
    tz : str
        The zone in which an event time without a zone is read.
    arrival : str, optional
        The column that says when a row was observed.
    watermark : WatermarkPolicy, optional
        `BoundedDisorder`, `Monotonic`, `Percentile`, `Punctuated`, `ManualWatermark`, `EarliestOf` or `LatestOf`;
        default: ``BoundedDisorder("0s")``, no row may come behind a newer one.
    schema : mapping or pyarrow.Schema, optional
        The columns to take and their dtypes, as ``{"carrier": "str", "delay": "int64"}``.
    partitions : int or "files"
        Into how many partitions the files are dealt, each with a watermark of its own; ``"files"``: one a file. By
        default all files are one recording in order of arrival.
    watch : bool, str or pandas.Timedelta
        Whether to go on with the files that appear, in the order in which they come; how often to look (True: every
        second). A file that is written slowly must have a name that begins with ``.`` or ``_`` until it is whole.

    Raises
    ------
    SourceError
        If there is no file, or one is not Parquet.
    EventTimeError
        If the event time is no time.
    DtypeError, ColumnError, SchemaError
        If columns cannot be what they are declared.

    Examples
    --------
    >>> import flower as fl
    >>> flights = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))
    >>> flights.filter("delay > 400").select("carrier", "destination", "delay").collect()
      carrier destination  delay
    0      FL         ATL    470
    1      EV         RDU    420
    2      F9         DEN    430
    """
    from flower.io.parquet import ParquetSource
    from flower.io.watched import WatchedSource

    if watch is not False:
        if partitions != 1:
            raise SourceError("parquet: files that are watched are one partition", got=f"partitions={partitions!r}")
        source = WatchedSource(ParquetSource, path, declared(schema), watch)
        return stream_of(source, event_time, tz, arrival, watermark)
    return stream_of(ParquetSource(path, declared(schema), partitions=partitions), event_time, tz, arrival, watermark)


@recorded
def csv(
    path: Paths,
    *,
    event_time: str | None = None,
    tz: str = "UTC",
    arrival: str | None = None,
    watermark: WatermarkPolicy | None = None,
    schema: Schema | None = None,
    sep: str = ",",
    watch: bool | Duration = False,
) -> Stream:
    r"""Read CSV files in UTF-8, each with a header, in the order of their names.

    A row with a value that is none of its column, or with too many or too few, goes to ``stream.errors`` with its text,
    and the others go on; so do the rows of a file that lacks a column of the first. An empty value is missing.

    Parameters
    ----------
    path : str, os.PathLike or a sequence of them
        A file, a directory, a pattern such as ``"logs/*.csv"``, or a list of them.
    event_time : str, optional
        The column that says when a row happened: times or dates, or text in ISO 8601.
    tz : str
        The zone in which an event time without a zone is read.
    arrival : str, optional
        The column that says when a row was observed.
    watermark : WatermarkPolicy, optional
        `BoundedDisorder`, `Monotonic`, `Percentile`, `Punctuated`, `ManualWatermark`, `EarliestOf` or `LatestOf`;
        default: ``BoundedDisorder("0s")``, no row may come behind a newer one.
    schema : mapping or pyarrow.Schema, optional
        The columns to take and their dtypes, as ``{"carrier": "str", "delay": "int64"}``; default: all columns, of
        types that fit the first megabyte.
    sep : str
        The character between two values.
    watch : bool, str or pandas.Timedelta
        Whether to go on with the files that appear, in the order in which they come; how often to look (True: every
        second). A file that is written slowly must have a name that begins with ``.`` or ``_`` until it is whole.

    Raises
    ------
    SourceError
        If there is no file, or one has no header.
    EventTimeError
        If the event time is no time.
    DtypeError, ColumnError, SchemaError
        If columns cannot be what they are declared.

    Examples
    --------
    >>> import flower as fl, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "rows.csv")
    ...     _ = file.write_text("at,v\n2024-01-01T12:00:00Z,1\n2024-01-01T12:05:00Z,two\n")
    ...     stream = fl.read.csv(file, event_time="at", schema={"at": "datetime64[us, UTC]", "v": "int64"})
    ...     stream.collect(), stream.errors.collect()["error"][0]
    (                         at  v
    0 2024-01-01 12:00:00+00:00  1, "column 'v': 'two' is no int64")
    """
    from flower.io.csv import CsvSource
    from flower.io.watched import WatchedSource

    source: Source = (
        CsvSource(path, declared(schema), sep=sep)
        if watch is False
        else WatchedSource(CsvSource, path, declared(schema), watch, sep=sep)
    )
    return stream_of(source, event_time, tz, arrival, watermark, text=True)


@recorded
def json_lines(
    path: Paths,
    *,
    event_time: str | None = None,
    tz: str = "UTC",
    arrival: str | None = None,
    watermark: WatermarkPolicy | None = None,
    schema: Schema | None = None,
    watch: bool | Duration = False,
) -> Stream:
    r"""Read text files with a JSON object a line, in the order of their names.

    A line that is no object, or has a value that is none of its column, goes to ``stream.errors``, and the others go
    on. A name that an object lacks is a missing value; names that the first megabyte lacks are left out and noted.

    Parameters
    ----------
    path : str, os.PathLike or a sequence of them
        A file, a directory, a pattern such as ``"logs/*.jsonl"``, or a list of them.
    event_time : str, optional
        The column that says when a row happened: times or dates, or text in ISO 8601.
    tz : str
        The zone in which an event time without a zone is read.
    arrival : str, optional
        The column that says when a row was observed.
    watermark : WatermarkPolicy, optional
        `BoundedDisorder`, `Monotonic`, `Percentile`, `Punctuated`, `ManualWatermark`, `EarliestOf` or `LatestOf`;
        default: ``BoundedDisorder("0s")``, no row may come behind a newer one.
    schema : mapping or pyarrow.Schema, optional
        The columns to take and their dtypes, as ``{"carrier": "str", "delay": "int64"}``; default: all columns, of
        types that fit the first megabyte.
    watch : bool, str or pandas.Timedelta
        Whether to go on with the files that appear, in the order in which they come; how often to look (True: every
        second). A file that is written slowly must have a name that begins with ``.`` or ``_`` until it is whole.

    Raises
    ------
    SourceError
        If there is no file, or one has no objects.
    EventTimeError
        If the event time is no time.
    DtypeError, ColumnError, SchemaError
        If columns cannot be what they are declared, or hold lists or objects.

    Examples
    --------
    >>> import flower as fl, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "rows.jsonl")
    ...     _ = file.write_text('{"at": "2024-01-01T12:00:00Z", "v": 1}\n{"at": "2024-01-01T12:05:00Z", "v"\n')
    ...     fl.read.json_lines(file, event_time="at").collect()
                             at  v
    0 2024-01-01 12:00:00+00:00  1
    """
    from flower.io.json_lines import JsonLinesSource
    from flower.io.watched import WatchedSource

    source: Source = (
        JsonLinesSource(path, declared(schema))
        if watch is False
        else WatchedSource(JsonLinesSource, path, declared(schema), watch)
    )
    return stream_of(source, event_time, tz, arrival, watermark, text=True)


@recorded
def generator(
    fn: Callable[..., Any],
    *,
    event_time: str | None = None,
    tz: str = "UTC",
    arrival: str | None = None,
    watermark: WatermarkPolicy | None = None,
    schema: Schema | None = None,
    bounded: bool = False,
) -> Stream:
    """Read what a function of yours yields, as it comes: from a socket, a queue, a simulation.

    Every run calls the function anew, in a thread of its own, and closes the generator when it ends or is stopped. What
    comes is kept in a journal, so that rows can be read again: in a temporary directory until the run ends, or in the
    run's checkpoint. When the run is behind, the generator waits. If it raises, the run fails.

    A function with a parameter ``after`` is called with the number of rows that the run already has, 0 at first, so
    that a run with a checkpoint that is resumed loses and doubles none: ``def ticks(after): ...`` goes on behind so
    many. One without is called anew when a run is resumed, and what it yields is taken as new.

    Parameters
    ----------
    fn : callable
        A generator function, an async generator function, or a function that gives an iterable; it yields dicts, lists
        of dicts or DataFrames.
    event_time : str, optional
        The column that says when a row happened: times or dates, or text in ISO 8601.
    tz : str
        The zone in which an event time without a zone is read.
    arrival : str, optional
        The column that says when a row was observed; if the rows do not have it, it is added: when each was yielded.
    watermark : WatermarkPolicy, optional
        `BoundedDisorder`, `Monotonic`, `Percentile`, `Punctuated`, `ManualWatermark`, `EarliestOf` or `LatestOf`;
        default: ``BoundedDisorder("0s")``, no row may come behind a newer one.
    schema : mapping or pyarrow.Schema, optional
        The columns to take and their dtypes, as ``{"carrier": "str", "delay": "int64"}``; default: those of the first
        that ``fn`` yields, for which it is called once and closed. A row that does not fit goes to ``stream.errors``.
    bounded : bool
        Whether it ends by itself, so that it can be collected.

    Raises
    ------
    SourceError
        If ``fn`` is no function, or yields nothing that tells the columns.
    EventTimeError
        If the event time is no time.

    Examples
    --------
    >>> import flower as fl
    >>> def ticks():
    ...     for i in range(4):
    ...         yield {"at": f"2024-01-01T12:00:0{i}Z", "v": i}
    >>> stream = fl.read.generator(ticks, event_time="at", bounded=True)
    >>> stream.window(fl.FixedWindows("2s")).agg(v=("v", "sum")).collect()["v"].tolist()
    [1, 5]
    """
    from flower.io.generator import GeneratorSource

    source = GeneratorSource(fn, declared(schema), arrival=arrival, bounded=bounded)
    return stream_of(source, event_time, tz, arrival, watermark, text=True)


@recorded
def rate(
    rows_per_second: float,
    *,
    start: object = None,
    keys: int | None = None,
    rows: int | None = None,
    watermark: WatermarkPolicy | None = None,
) -> Stream:
    """Make rows at a steady rate: row ``i`` has ``value`` = i and the event time ``time`` = start + i / rate.

    Parameters
    ----------
    rows_per_second : int or float
        How many rows appear in a second of processing time.
    start : str, datetime or pandas.Timestamp, optional
        The event time of the first row; default: now, in whole seconds.
    keys : int, optional
        Adds a column ``key`` that goes round through ``0 .. keys - 1``.
    rows : int, optional
        How many rows there are; default: no end.
    watermark : WatermarkPolicy, optional
        Default: ``Monotonic()``, since the rows are in order.

    Raises
    ------
    SourceError
        If a number is not positive.

    Examples
    --------
    >>> import flower as fl
    >>> fl.read.rate(1000, start="2024-01-01T00:00:00Z", rows=3).collect()
                               time  value
    0 2024-01-01 00:00:00.000+00:00      0
    1 2024-01-01 00:00:00.001+00:00      1
    2 2024-01-01 00:00:00.002+00:00      2
    """
    from flower.io.rate import RateSource
    from flower.model.watermarks import Monotonic

    source = RateSource(rows_per_second, start=start, keys=keys, rows=rows)
    return stream_of(source, "time", "UTC", None, Monotonic() if watermark is None else watermark)


@recorded
def recording(path: PathLike) -> Stream:
    """Read the rows of a recording of one source, with event time, watermark and arrival as that was read.

    `flower.replay` lets them come as they came.

    Parameters
    ----------
    path : str or os.PathLike
        A file that ``recording.save`` wrote.

    Raises
    ------
    SourceError
        If it is no recording.
    GraphError
        If it has several sources.

    Examples
    --------
    >>> import flower as fl, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "ticks.recording")
    ...     _ = fl.record(fl.read.rate(1000), "1min", rows=2).wait().save(file)
    ...     fl.replay(fl.read.recording(file), speed=100).collect()["value"].tolist()
    [0, 1]
    """
    from flower.api.recordings import Recording
    from flower.io.recording import load

    text = os.path.expanduser(os.fspath(path))
    files, about = load(text)
    return Recording(about.name, files, about=about, path=text).stream


@recorded
def system(every: Duration = "1s", *, watermark: WatermarkPolicy | None = None) -> Stream:
    """Measure this machine: a row every so often, with the event time ``time``.

    Columns are ``cpu`` and ``memory`` in percent, ``load`` (of the last minute), and, as bytes a second since the row
    before, ``received``, ``sent``, ``disk_read`` and ``disk_written``; what the machine does not tell is missing.
    Needs psutil.

    Parameters
    ----------
    every : str or pandas.Timedelta
        Time between two rows; at least 10 milliseconds.
    watermark : WatermarkPolicy, optional
        Default: ``Monotonic()``, since the rows are in order.

    Raises
    ------
    SourceError
        If psutil is not installed.

    Examples
    --------
    >>> import flower as fl
    >>> machine = fl.read.system("10ms")
    >>> recording = fl.record(machine, "1min", rows=3).wait()
    >>> machine.on(recording).collect()["memory"].between(0, 100).all()
    np.True_
    """
    from flower.io.system import SystemSource
    from flower.model.watermarks import Monotonic

    return stream_of(SystemSource(every), "time", "UTC", None, Monotonic() if watermark is None else watermark)


def _refuse_index(frame: pd.DataFrame, event_time: str) -> None:
    if event_time in frame.index.names:
        raise EventTimeError(
            "the event time must be a column",
            got=f"{event_time!r}, which is the frame's index",
            hint="give frame.reset_index()",
        )
    require_columns(pa.schema([(str(name), pa.null()) for name in frame.columns]), [event_time])
