"""`Stream` and its verbs: each validates, adds one frozen node and returns; nothing runs until it is asked to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
import pyarrow as pa

from flower.api.arguments import at_least_one, column_names, resolved, resolved_windows, row_count
from flower.api.choosing import Choosing
from flower.api.combining import Combining
from flower.api.display import made
from flower.api.learning import Learners
from flower.api.pipeline import step_errors
from flower.errors import EventTimeError, GraphError, SchemaError
from flower.graph.enriching import Enrich
from flower.graph.nodes import (
    Aggregate,
    Assign,
    Concat,
    Dropped,
    Errors,
    Filter,
    FlatMapRows,
    MapFrames,
    Node,
    Read,
    Select,
    Stateful,
    WindowInto,
    walk,
    with_field,
)
from flower.graph.schema import names_text, require_columns, schema_of
from flower.model.time import Duration, duration_us
from flower.model.triggers import ON_TIME_ONLY, Trigger
from flower.model.windowing import (
    Accumulation,
    ClosingBehavior,
    OnTimeBehavior,
    TimestampCombiner,
    Windowing,
)
from flower.model.windows import GlobalWindows, Windows, by_clock

if TYPE_CHECKING:
    from flower.api.grouped import Grouped, Named
    from flower.api.recordings import Recording
    from flower.api.write import Write
    from flower.engine.run import Run
    from flower.graph.expressions import FrameFunction


class Stream(Choosing, Combining, Learners):
    """Rows that come over time, each with an event time; immutable, and nothing but a description until it is run.

    Every verb gives a new stream. Columns and dtypes are known before any row: `schema`. Made by ``fl.read``.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> fl.read.frame(pd.DataFrame({"carrier": ["AA", "UA"], "delay": [3, 20]})).filter("delay > 15")
    bounded stream, 2 steps
      read-1    read frame of 2 rows
      filter-1  filter "delay > 15"
    columns: carrier str, delay int64
    """

    __slots__ = ()

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types; a column that cannot be missing is ``not null``.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"v": [1, 2]})).schema
        v: int64 not null
        """
        return self.node.schema

    def __getitem__(self, what: object) -> NoReturn:
        raise GraphError(
            "a stream has verbs where a frame has []",
            got=f"[{what!r}]"[:80],
            hint="write .select('a', 'b') for columns, .filter('a > 1') for rows, or .collect() for a frame",
        )

    __iter__ = None  # neither by [0], [1] and so on

    # -- rows and columns

    def filter(self, condition: object) -> Stream:
        """Keep the rows where ``condition`` holds; where it is missing, it does not.

        Parameters
        ----------
        condition : str, pandas.col expression or callable
            ``"delay > 15"``, ``pd.col("delay") > 15``, or a function of the frame that gives a column of bools.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"delay": [3, 20]})).filter(pd.col("delay") > 15).collect()
           delay
        0     20
        """
        from flower.graph.expressions import predicate

        with step_errors(self.node, Filter.verb):
            return Stream(Filter(self.node, predicate(condition, self.schema)))

    def select(self, *columns: str) -> Stream:
        """Keep these columns, in this order.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"a": [1], "b": [2], "c": [3]})).select("c", "a").collect()
           c  a
        0  3  1
        """
        with step_errors(self.node, "select"):
            names = column_names("select", columns, ".select('carrier', 'delay')")
            return Stream(Select(self.node, tuple((name, name) for name in names)))

    def drop(self, *columns: str) -> Stream:
        """Keep the other columns.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"a": [1], "b": [2], "c": [3]})).drop("b").collect()
           a  c
        0  1  3
        """
        with step_errors(self.node, "drop"):
            names = column_names("drop", columns, ".drop('distance')")
            require_columns(self.schema, names)
            kept = tuple((name, name) for name in self.schema.names if name not in names)
            if not kept:
                raise GraphError(
                    "drop() must leave a column", got=f"all of {names_text(names)}", hint="keep one of them"
                )
            return Stream(Select(self.node, kept))

    def rename(self, **columns: str) -> Stream:
        """Give columns other names, ``old="new"``; all at once, so that two may change places.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"a": [1], "b": [2]})).rename(a="first").collect()
           first  b
        0      1  2
        """
        with step_errors(self.node, "rename"):
            at_least_one("rename", columns, ".rename(old='new')")
            column_names("rename", tuple(columns.values()), ".rename(old='new')")
            require_columns(self.schema, columns)
            pairs = tuple((columns.get(name, name), name) for name in self.schema.names)
            new = [name for name, _ in pairs]
            if twice := [name for name in columns.values() if new.count(name) > 1]:
                raise SchemaError(
                    "every column must have a name of its own",
                    got=f"{names_text(twice)} more than once",
                    hint="rename both",
                )
            return Stream(Select(self.node, pairs))

    def assign(self, **columns: object) -> Stream:
        """Add or replace columns; one may use those named before it. A replaced column keeps its place.

        Parameters
        ----------
        **columns : str, pandas.col expression, callable or number
            ``late="delay > 15"``, ``late=pd.col("delay") > 15``, or a function of the frame that gives a column.

        Notes
        -----
        The event time of a row is kept beside its columns, as it was read: replacing the column that it came from does
        not change it.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"a": [1, 2]})).assign(b="a * 10", c="b + a").collect()
           a   b   c
        0  1  10  11
        1  2  20  22
        """
        from flower.graph.expressions import expression

        with step_errors(self.node, Assign.verb):
            at_least_one("assign", columns, ".assign(late='delay > 15')")
            schema, values = self.schema, []
            for name, given in columns.items():
                value = expression(given, schema)
                schema = with_field(schema, value.field(name, schema))
                values.append((name, value))
            return Stream(Assign(self.node, tuple(values)))

    def map_frames(
        self, fn: Callable[[pd.DataFrame], pd.DataFrame], schema: Mapping[str, object] | pa.Schema | None = None
    ) -> Stream:
        """Change frames by a function of yours.

        Parameters
        ----------
        fn : callable
            Takes a DataFrame, which it may change, and gives one of the same rows or some of them, whose index tells
            which. What it gives for a row may not depend on the others: a stream is cut into frames anywhere.
        schema : mapping of str to dtype, optional
            The columns it gives. None: ``fn`` is called with a frame without rows to see them.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> stream = fl.read.frame(pd.DataFrame({"a": [1, 2]}))
        >>> stream.map_frames(lambda frame: frame.assign(b=frame["a"] ** 2)).collect()
           a  b
        0  1  1
        1  2  4
        """
        with step_errors(self.node, MapFrames.verb):
            function = function_of(fn, "map_frames(lambda frame: frame.round(1))")
            output = function.schema(self.schema) if schema is None else schema_of(schema)
            return Stream(MapFrames(self.node, function, output))

    def flat_map_rows(
        self,
        fn: Callable[[dict[str, Any]], Any],
        schema: Mapping[str, object] | pa.Schema | None = None,
    ) -> Stream:
        """Make any number of rows of each row.

        Parameters
        ----------
        fn : callable
            Takes a row as a dict, gives the rows to put in its place as dicts: a list, or a generator.
        schema : mapping of str to dtype, optional
            The columns it gives. None: the columns it gets.

        Notes
        -----
        Of panes that may be taken back, ``fn`` should make of a retraction what it makes of the row that it takes back,
        whatever ``pane_retraction`` says. A join or an aggregation after it puts what takes back a row that was never
        there into ``.errors``; an aggregation finds out only where more of a group is taken back than came.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> stream = fl.read.frame(pd.DataFrame({"text": ["to be", "or"]}))
        >>> stream.flat_map_rows(lambda row: [{"word": w} for w in row["text"].split()], {"word": "str"}).collect()
          word
        0   to
        1   be
        2   or
        """
        with step_errors(self.node, FlatMapRows.verb):
            function = function_of(fn, "flat_map_rows(lambda row: [row, row])")
            return Stream(FlatMapRows(self.node, function, self.schema if schema is None else schema_of(schema)))

    # -- windows and aggregates

    def window(
        self,
        windows: Windows,
        *,
        trigger: Trigger = ON_TIME_ONLY,
        accumulation: Accumulation = "accumulating",
        allowed_lateness: Duration = "0s",
        timestamp_combiner: TimestampCombiner = "end_of_window",
        on_time_behavior: OnTimeBehavior = "fire_always",
        closing_behavior: ClosingBehavior = "fire_if_non_empty",
        allow_finishing: bool = False,
        ttl: Duration | None = None,
    ) -> Stream:
        """Group the rows in event time for the next aggregation.

        Parameters
        ----------
        windows : FixedWindows, SlidingWindows, CalendarWindows, Sessions, CountWindows, GlobalWindows or WindowFn
            Where in event time rows are grouped.
        trigger : Trigger
            When in processing time results are given; by default once, when the watermark passes the end of the window.
        accumulation : {"accumulating", "discarding", "retracting"}
            Whether each pane of a window holds all its rows so far, or those since its last pane; or all so far, after
            a row with ``pane_retraction`` has taken back the pane before, which an aggregation that follows subtracts.
        allowed_lateness : str or pandas.Timedelta
            How long after its end a window still admits rows; "unbounded": for ever.
        timestamp_combiner : {"end_of_window", "earliest", "latest"}
            The event time of a pane: the end of its window less one microsecond, or that of one of its rows.
        on_time_behavior : {"fire_always", "fire_if_non_empty"}
            Whether the on-time pane fires if nothing came since the last pane.
        closing_behavior : {"fire_if_non_empty", "fire_always"}
            Whether a window that expires fires a last pane if nothing came since the last one.
        allow_finishing : bool
            Whether the trigger may be one that finishes, such as ``AfterCount(3)``: rows that come to a window
            afterwards go to ``stream.dropped``.
        ttl : str or pandas.Timedelta, optional
            For state that would grow without bound, as per key in the global window: what a key has in a window is let
            go when the watermark is this far past the newest of its rows. It fires a last pane if rows came since the
            last one; a row that comes later begins it anew, with ``pane_index`` 0 and nothing of what was let go. None:
            it is held until it expires.

        Raises
        ------
        EventTimeError
            If the rows have no event time.
        TriggerError
            If the trigger finishes and nothing allows it.

        Notes
        -----
        It holds for the next aggregation only: one after that has a window and a trigger of its own to be told of.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01 12:10", "2000-01-01 12:50"], utc=True), "v": [1, 2]})
        >>> hourly = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1h")).agg(total=("v", "sum"))
        >>> hourly.collect()[["window_start", "total"]]
                       window_start  total
        0 2000-01-01 12:00:00+00:00      3
        """
        with step_errors(self.node, WindowInto.verb):
            into = Windowing.make(
                resolved_windows(windows),
                trigger=resolved(trigger),
                accumulation=accumulation,
                allowed_lateness=allowed_lateness,
                timestamp_combiner=timestamp_combiner,
                on_time_behavior=on_time_behavior,
                closing_behavior=closing_behavior,
                allow_finishing=allow_finishing,
                ttl=ttl,
            )
            if not (self.node.timed or by_clock(windows)) and not (
                isinstance(windows, GlobalWindows) and timestamp_combiner == "end_of_window" and ttl is None
            ):
                raise _untimed(self.node)
            return Stream(WindowInto(self.node, into))

    def groupby(self, *keys: str) -> Grouped:
        """Group by columns, to be aggregated with ``.agg(...)``; rows whose key is missing are a group.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> stream = fl.read.frame(pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}))
        >>> stream.groupby("k").agg(largest=("v", "max")).collect()[["k", "largest"]]
           k  largest
        0  a        3
        1  b        2
        """
        from flower.api.grouped import Grouped

        with step_errors(self.node, Aggregate.verb):
            names = column_names("groupby", keys, ".groupby('carrier').agg(...), or .agg(...) for all rows together")
            require_columns(self.schema, names)
            return Grouped(self, names)

    def agg(self, **aggregations: Named) -> Stream:
        """Aggregate all rows of each window; as ``groupby(...).agg(...)``, without keys.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> stream = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]}))
        >>> stream.agg(mean=("v", "mean"), rows="count").collect()[["mean", "rows"]]
           mean  rows
        0   2.0     3
        """
        from flower.api.grouped import aggregated

        return aggregated(self, (), aggregations)

    def _learners(self) -> tuple[Stream, tuple[str, ...]]:
        return self, ()

    # -- what went another way

    @property
    def dropped(self) -> Stream:
        """The (row, window) pairs, or rows, that came too late to the last step that holds any.

        Of an aggregation, the columns of the rows (``input_`` before a name that is taken), ``window_start``,
        ``window_end``, ``reason`` and ``watermark``: the one that the row met. Of a deduplication, the same without a
        window. Of a join, the columns of the joined rows, those of the other side missing, and ``side``, "left" or
        "right".

        Raises
        ------
        GraphError
            If there is no such step, or several that were put together.
        """
        node = self.node
        while not isinstance(node, Stateful):
            if isinstance(node, Enrich):
                node = node.input
                continue
            if len(node.inputs) != 1:
                got = "several streams put together" if node.inputs else "a stream without any of them"
                raise GraphError(
                    "rows are dropped by an aggregation, a join or a deduplication",
                    got=got,
                    hint="write delays.dropped, for delays = ....agg(...)",
                )
            node = node.inputs[0]
        return Stream(Dropped(node))

    @property
    def errors(self) -> Stream:
        """The rows that its steps could not process, as JSON, with the step, the reason and where they came from."""
        return Stream(Errors(self.node))

    # -- results

    def collect(self, *, as_stream: bool = False, executor: Any = "embedded") -> pd.DataFrame:
        """Run a stream that ends, and give its results as a frame.

        Parameters
        ----------
        as_stream : bool
            False: each window once, nothing is late, sorted by window end and keys. True: as a run would give them,
            under the watermark policy: all panes, in order of emission.
        executor : {"embedded", "dask", "reference"}, scheduler address or distributed.Client
            Where, as for `run`; "reference": the model row by row, slowly.

        Raises
        ------
        GraphError
            If the stream does not end.
        """
        from flower.engine.embedded import collect

        return collect(self.node, as_stream=as_stream, executor=executor)

    def head(self, n: int = 10) -> pd.DataFrame:
        """Give the first ``n`` rows, computing no more than that takes.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"v": range(1000)})).filter("v > 100").head(2)
             v
        0  101
        1  102
        """
        from flower.engine.embedded import head

        return head(self.node, row_count("head", n))

    def preview(self, n: int = 10, within: Duration = "2s") -> pd.DataFrame:
        """Run for a moment, also if it never ends, and give the first ``n`` rows that came.

        The first preview of a live source records it for as long as it may wait; every further one, whatever its steps,
        is of the same rows, and at once. `flower.record` records more.

        Parameters
        ----------
        n : int
            Rows, at most.
        within : str or pandas.Timedelta
            How long to wait for them.

        Examples
        --------
        >>> import flower as fl
        >>> ticks = fl.read.rate(1000, start="2024-01-01T00:00:00Z")
        >>> ticks.preview(2, within="50ms")["value"].tolist()
        [0, 1]
        >>> ticks.filter("value > 0").preview(2)["value"].tolist()
        [1, 2]
        """
        from flower.api.recordings import first_recording, live_reads

        count = row_count("preview", n)
        seconds = duration_us(within, "within") / 1e6
        if not live_reads(self.node):
            return _first_rows(self, count, seconds)

        def enough(recorded: Stream) -> bool:
            return len(_first_rows(recorded, count, seconds)) >= count

        return _first_rows(self.on(first_recording(self, within, enough)), count, seconds)

    def on(self, recording: Recording) -> Stream:
        """Take the rows of a recording in place of the live sources: the same steps on the same rows every time.

        Parameters
        ----------
        recording : Recording
            Made by `flower.record` or ``fl.recordings.load``; of this stream, or of another with the same sources.

        Raises
        ------
        GraphError
            If the recording has no rows of a source.

        Examples
        --------
        >>> import flower as fl
        >>> ticks = fl.read.rate(1000, start="2024-01-01T00:00:00Z")
        >>> recording = fl.record(ticks, "1min", rows=3).wait()
        >>> ticks.filter("value > 0").on(recording).collect()["value"].tolist()
        [1, 2]
        """
        from flower.api.recordings import Recording

        if not isinstance(recording, Recording):
            raise GraphError(
                "on() takes a recording", got=type(recording).__name__, hint="make one with fl.record(stream, '2min')"
            )
        return Stream(recording.under(self.node))

    @property
    def plot(self) -> Any:
        """Charts of it: ``stream.plot.line(x=..., y=..., by=...)``."""
        return made("plot", self)

    def table(self, n: int = 20, *, run: Run | None = None) -> Any:
        """The newest rows of its view, newest window first: live in a notebook, else a frame.

        Parameters
        ----------
        n : int
            Rows, at most.
        run : Run, optional
            The run whose results to show. None: in a notebook one is started; else the stream is run to its end.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> fl.read.frame(pd.DataFrame({"v": [1, 2, 3]})).table(2)
           v
        2  3
        1  2
        """
        return made("table", self)(n, run)

    def time_diagram(
        self, *, key: object = None, value: str | None = None, step: str | None = None, epochs: int = 150
    ) -> Any:
        """Event time across, processing time up: rows, watermark, panes and the windows that fill, epoch by epoch.

        The stream is run to its end, by a clock of its own: that of a script, or the time at which the newest row was
        seen (``arrival``; where that is not known, its event time). For a stream that does not end, draw a run:
        ``stream.run().time_diagram()``.

        Parameters
        ----------
        key : optional
            The key whose windows are drawn; with several columns, a tuple. Default: the one with the most rows.
        value : str, optional
            The aggregate that the windows show; default: the first.
        step : str, optional
            The name of the keyed step; default: the last. A stream without one shows its rows and its watermark.
        epochs : int
            Into about how many portions the rows are divided; a script has its own.

        Raises
        ------
        GraphError
            If the stream does not end, or has no such step, key or value.

        Examples
        --------
        >>> import flower as fl
        >>> flights = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed")
        >>> flights.window(fl.FixedWindows("6h")).groupby("origin").agg(n="count").time_diagram(key="JFK")
        <Diagram 'n of JFK', 154 epochs: .save('diagram.html') writes a page, .at(n) is a figure up to one>
        """
        return made("time_diagram", self)(key=key, value=value, step=step, epochs=row_count("time_diagram", epochs))

    @property
    def write(self) -> Write:
        """Sinks for it: ``stream.write.parquet(path)`` gives what can be run."""
        from flower.api.write import Write

        return Write(self)


def concat(*streams: Stream) -> Stream:
    """Put streams together: the rows of all, the columns in the order of the first.

    Raises
    ------
    SchemaError, DtypeError
        If they do not have the same columns.
    GraphError
        If they do not have the same windows, or there is none.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> one, two = (fl.read.frame(pd.DataFrame({"v": [v]})) for v in (1, 2))
    >>> sorted(fl.concat(one, two).collect()["v"])
    [1, 2]
    """
    if not streams:
        raise GraphError("concat() needs at least one stream", got="none", hint="write fl.concat(one, two)")
    for each in streams:
        if not isinstance(each, Stream):
            raise GraphError("concat() takes streams", got=type(each).__name__, hint="write fl.concat(one, two)")
    return streams[0] if len(streams) == 1 else Stream(Concat(tuple(each.node for each in streams)))


def function_of(fn: object, example: str) -> FrameFunction:
    """A function that a person gave."""
    if not callable(fn):
        raise GraphError("`fn` must be a function", got=repr(fn), hint=f"write {example}")
    from flower.graph.expressions import FrameFunction

    return FrameFunction(fn)


def _untimed(node: Node) -> EventTimeError:
    """The error for windows of rows that have no event time; says where it is missing."""
    required = "windows need rows with an event time"
    for each in walk(node):
        match each:
            case Read(source, event_time=None):
                return EventTimeError(
                    required,
                    got=f"{source.label} without one",
                    hint="name its column where it is read: event_time='column'; or use GlobalWindows()",
                )
            case Aggregate() if not each.timed:
                return EventTimeError(
                    required,
                    got="panes of GlobalWindows(), which end with time itself",
                    hint="give them the time of their rows: .window(fl.GlobalWindows(), timestamp_combiner='latest')",
                )
    return EventTimeError(required, got="rows that could not be processed", hint="use GlobalWindows()")


def _first_rows(stream: Stream, count: int, seconds: float) -> pd.DataFrame:
    """The first rows that come in so many seconds."""
    until = time.monotonic() + seconds
    run = stream.run()
    try:
        while (left := until - time.monotonic()) > 0 and run.state == "running" and run.metrics.rows_out < count:
            _wait(run, min(left, 0.02))
    finally:
        run.stop()
    if run.error is not None:
        raise run.error
    rows = run.panes()
    assert isinstance(rows, pd.DataFrame)
    return rows.head(count)


def _wait(run: Any, seconds: float) -> None:
    try:
        run.wait(seconds, progress=False)
    except TimeoutError:
        return
