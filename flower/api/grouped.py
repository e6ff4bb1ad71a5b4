"""``stream.groupby(...)``: aggregates of groups, and which of them are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from flower.api.learning import Learners
from flower.api.pipeline import step_errors
from flower.errors import EventTimeError, GraphError
from flower.graph.applied import applied_schema
from flower.graph.enriching import Enrich
from flower.graph.expressions import Expr, FrameFunction
from flower.graph.joins import Join, Joining
from flower.graph.nodes import Aggregate, Aggregation, Apply, Dropped, Errors, Filter, Node
from flower.graph.process import Process
from flower.graph.retracting import only_final
from flower.graph.schema import require_columns, schema_of
from flower.graph.state import Kind
from flower.model.combiners import Chosen, Combiner, Sample, Top, combiner_of, names
from flower.model.panes import FINAL
from flower.model.time import Duration
from flower.model.triggers import ON_TIME_ONLY
from flower.model.windowing import Windowing
from flower.model.windows import GlobalWindows

if TYPE_CHECKING:
    from flower.api.stream import Stream

Named = str | Combiner | tuple[str, str | Combiner] | pd.NamedAgg
"""How a person gives an aggregate: ``("column", "sum")``, or ``"count"`` for rows."""


class Grouped(Learners):
    """A stream whose rows are grouped by keys; made by ``stream.groupby(...)``."""

    __slots__ = ("_keys", "_stream")

    def __init__(self, stream: Stream, keys: tuple[str, ...]) -> None:
        self._stream, self._keys = stream, keys

    def _learners(self) -> tuple[Stream, tuple[str, ...]]:
        return self._stream, self._keys

    def agg(self, **aggregations: Named) -> Stream:
        """Aggregate each group of each window.

        Parameters
        ----------
        **aggregations : tuple of str, or str
            For each result its column and how: ``total=("delay", "sum")``, with sum, count, size, mean, min, max,
            std, var, sem, prod, any, all, first, last, nunique, median, mode or list; ``fl.Quantile(0.9)``,
            ``fl.Top(3)``, ``fl.Sample(5)``, ``fl.MaxBy("price")``, ``fl.WeightedMean("seats")``, ``fl.Rate("sum")``, or
            a `Combiner` of your own. ``rows="count"`` counts rows; ``("delay", "count")`` those that are not missing.

        Returns
        -------
        Stream
            A row a group and pane: the keys, ``window_start``, ``window_end``, the results, ``pane_timing``,
            ``pane_index``, ``pane_final``, for sessions ``pane_absorbs``, ``event_time``. Without `window`, a group's
            rows are all in one window.

        Raises
        ------
        ColumnError
            If a column is not there.
        DtypeError
            If a column cannot be aggregated that way.
        GraphError
            If the stream is unbounded and nothing tells when to give results, or if its rows are panes that replace
            one another.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> stream = fl.read.frame(pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]}))
        >>> stream.groupby("k").agg(total=("v", "sum"), rows="count").collect()[["k", "total", "rows"]]
           k  total  rows
        0  a      4     2
        1  b      2     1
        """
        return aggregated(self._stream, self._keys, aggregations)

    def pivot(
        self,
        columns: str,
        values: str | None = None,
        *,
        categories: Sequence[str | int | bool],
        aggfunc: str | Combiner = "mean",
    ) -> Stream:
        """Aggregate each group of each window with a column of its own for each of some values.

        Parameters
        ----------
        columns : str
            The column whose values become columns: of texts, integers or bools.
        values : str, optional
            The column that is aggregated; None where ``aggfunc`` needs none, as ``"size"``.
        categories : sequence of str, int or bool
            The values that become columns, which are called so, in this order. They are given, so that the columns are
            known before any row.
        aggfunc : str or Combiner
            How, as for `agg`.

        Returns
        -------
        Stream
            A row a group and pane, as after `agg`. Rows with another value in ``columns``, or none, go to
            ``stream.errors``.

        Raises
        ------
        ColumnError, DtypeError, GraphError
            As for `agg`; if two columns would have one name.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> rows = pd.DataFrame({"day": [1, 1, 2, 1], "carrier": ["AA", "UA", "AA", "AA"], "delay": [4, 2, 9, 8]})
        >>> wide = fl.read.frame(rows).groupby("day").pivot("carrier", "delay", categories=["AA", "UA"])
        >>> wide.collect()[["day", "AA", "UA"]]
           day   AA   UA
        0    1  6.0  2.0
        1    2  9.0  NaN
        """
        from flower.api.pivoting import pivoted

        return pivoted(self._stream, self._keys, columns, values, categories, aggfunc)

    def apply(
        self, fn: Callable[[pd.DataFrame], Any], schema: Mapping[str, object] | pa.Schema | None = None
    ) -> Stream:
        """Apply a function of yours to the rows of each group, once for each pane that its window fires.

        Parameters
        ----------
        fn : callable
            Takes a DataFrame of the group's rows in the window (those since its last pane, where panes are discarding),
            by event time, without the keys; of no rows where a pane without any fires. Gives a DataFrame: any number of
            rows; or one row, as a Series or dict of columns, or as a scalar, in the column ``value``. Indexes are left
            behind.
        schema : mapping of str to dtype, optional
            The columns it gives. None: ``fn`` is called with a frame without rows to see them.

        Returns
        -------
        Stream
            What ``fn`` gives, each row with the keys, ``window_start``, ``window_end`` and the other columns of its
            pane, as after `agg`. A group for which ``fn`` raises, or gives what does not fit, goes to ``stream.errors``
            with its keys and window; the others go on.

        Raises
        ------
        UserFunctionError, DtypeError, SchemaError
            If ``fn`` does not tell its columns for a frame without rows, and ``schema`` does not.
        GraphError
            As for `agg`; if its columns have names of keys or of the columns of panes; if there is no column besides
            the keys.

        Notes
        -----
        All rows of a window are held until it expires: where an aggregate does, `agg` needs far less. The view of a
        window is that of its last pane that gave rows.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> stream = fl.read.frame(pd.DataFrame({"k": ["a", "b", "a", "a"], "v": [1, 2, 5, 3]}))
        >>> stream.groupby("k").apply(lambda rows: rows.nlargest(2, "v")).collect()[["k", "v"]]
           k  v
        0  a  5
        1  a  3
        2  b  2
        >>> stream.groupby("k").apply(lambda rows: {"spread": float(rows["v"].max() - rows["v"].min())}).collect()[
        ...     ["k", "spread"]
        ... ]
           k  spread
        0  a     4.0
        1  b     0.0
        """
        return applied(self._stream, self._keys, fn, schema)

    def process(
        self,
        cls: Callable[..., Any],
        *,
        state: Mapping[str, Kind] | None = None,
        timers: Mapping[str, str] | None = None,
        schema: Mapping[str, object] | pa.Schema,
        vectorised: bool = False,
        allowed_lateness: Duration = "unbounded",
    ) -> Stream:
        """Process the rows of each key with code of yours, which remembers what it likes and may set timers.

        Parameters
        ----------
        cls : class or callable
            A class with ``on_rows(self, key, rows, state, timers)``, called once an epoch for each key that has rows,
            and ``on_timer(self, name, key, time, state, timers)``, called for each timer that fires; or a function,
            which is ``on_rows``. It is made anew, without arguments, for every epoch: what it keeps is in ``state``.
        state : mapping of str to Value, List, Map or Set
            What is remembered of each key: ``{"n": fl.state.Value("int64", default=0)}`` is ``state.n``, which may be
            read, set and deleted. It is kept as Arrow columns of these dtypes.
        timers : mapping of str to {"event", "processing"}
            The timers of each key, by name: ``timers.quiet.set(time)``, ``.after("10min")``, ``.clear()``; ``.time``
            is when it is set for, None: it is not.
        schema : mapping of str to dtype
            The columns of what is given. With a column ``event_time``, they say which event times the rows have.
        vectorised : bool
            Whether it is called for many keys at once, see below.
        allowed_lateness : str or pandas.Timedelta, or "unbounded"
            How far behind the watermark a row may be; those further behind go to ``stream.dropped``.

        Returns
        -------
        Stream
            What is given, each row with its keys and ``event_time``: of ``on_rows``, that of the newest of the rows; of
            ``on_timer``, the time of a timer of event time, and of one of processing time the event time of what set
            it.

        Raises
        ------
        GraphError
            If a class lacks a method; if timers of event time are set for rows without one; after `window`, or after
            panes that may be replaced or taken back.
        DtypeError, SchemaError
            If a dtype is none, or a column has the name of a key.

        Notes
        -----
        **Calls.** ``key`` is the key, a tuple if there are several columns. ``rows`` is a DataFrame without the keys,
        by event time, then partition and position. A call gives nothing (None), a DataFrame, one row (a Series, a dict,
        or a scalar if there is one column), or an iterable of dicts: it may be a generator.

        **Timers.** When the rows of an epoch have been processed and its watermark is known, the timers of a key that
        are due fire, in order of their time and then their name. One of event time is due when the watermark has come
        to it, one of processing time when the clock has. A time that has passed already is due at once, and what is
        given for one of event time is of that time, so that a window after it may find it late; what a timer sets is
        due in the same epoch, if it is due at all. When the stream ends, all fire. A timer of event time holds the
        watermark of what is given back at its time; one of processing time at the event time of what set it. After
        100,000 firings of a key in an epoch, those that follow are errors.

        **A batch**, which `collect` runs, ends before anything is called: ``on_rows`` gets all rows of a key, then all
        timers fire. ``collect(as_stream=True)`` follows the watermark.

        **Failures.** A call that raises, or that gives or keeps what does not fit, is as if it had not been: its rows
        go to ``stream.errors``, state and timers stay as they were (the timer that was to fire is cleared), and
        everything else goes on.

        **Vectorised**, the methods are ``on_rows(self, rows, state, timers)`` and ``on_timer(self, name, time, state,
        timers)``, called with frames of all keys concerned, whose index is the key (a MultiIndex of several): ``rows``
        by key, then as above; ``state`` and ``timers`` with one row a key. A column of ``state`` has the dtype of its
        value, missing where there is none; lists, dicts and sets are objects. The columns of ``timers`` are
        ``datetime64[us, UTC]``, NaT where a timer is not set; so is the Series ``time``; ``timers.attrs["now"]`` is the
        clock. Both frames are changed in place. What is given is a frame with the key as its index. Keys must not
        depend on one another: of keys that fail the others are found by calling again with fewer.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> class Silence:
        ...     def on_rows(self, key, rows, state, timers):
        ...         state.n += len(rows)
        ...         timers.quiet.set(rows["t"].max() + pd.Timedelta("10min"))
        ...
        ...     def on_timer(self, name, key, time, state, timers):
        ...         return {"silent_after": state.n}
        >>> times = pd.to_datetime(["2024-01-01T12:00", "2024-01-01T12:05", "2024-01-01T13:00"], utc=True)
        >>> rows = fl.read.frame(pd.DataFrame({"t": times, "k": ["a", "a", "b"]}), event_time="t")
        >>> rows.groupby("k").process(
        ...     Silence,
        ...     state={"n": fl.state.Value("int64", default=0)},
        ...     timers={"quiet": "event"},
        ...     schema={"silent_after": "int64"},
        ... ).collect()
           k  silent_after                event_time
        0  a             2 2024-01-01 12:15:00+00:00
        1  b             1 2024-01-01 13:10:00+00:00
        """
        from flower.api.processing import processed

        return processed(self._stream, self._keys, cls, state, timers, schema, vectorised, allowed_lateness)

    def __repr__(self) -> str:
        return f"{self._stream!r}\ngrouped by: {', '.join(self._keys)}; go on with .agg(total=('column', 'sum'))"


def aggregated(stream: Stream, keys: tuple[str, ...], aggregations: dict[str, Named]) -> Stream:
    """Add the step of ``stream.groupby(*keys).agg(**aggregations)``."""
    from flower.api.stream import Stream

    node = stream.node
    with step_errors(node, Aggregate.verb):
        made = tuple(of_rows(node, keys, aggregation(name, value)) for name, value in aggregations.items())
        if not made:
            raise GraphError(
                "agg() needs at least one aggregate", got="none", hint="write .agg(total=('delay', 'sum'))"
            )
        require_columns(node.schema, [*keys, *(name for each in made for name in each.columns)])
        require_aggregable(node, made)
        return Stream(Aggregate(node, keys, made))


def applied(
    stream: Stream,
    keys: tuple[str, ...],
    fn: Callable[[pd.DataFrame], Any],
    schema: Mapping[str, object] | pa.Schema | None,
) -> Stream:
    """Add the step of ``stream.groupby(*keys).apply(fn)``."""
    from flower.api.stream import Stream, function_of

    node = stream.node
    with step_errors(node, Apply.verb):
        function = function_of(fn, ".apply(lambda rows: rows.nlargest(3, 'delay'))")
        rows = [field for field in node.schema if field.name not in keys]
        if not rows:
            raise GraphError(
                "apply() needs a column besides the keys",
                got=f"only {', '.join(map(repr, keys))}",
                hint="count the rows with .agg(rows='count')",
            )
        output = applied_schema(function, pa.schema(rows)) if schema is None else schema_of(schema)
        _require_end(node)
        require_settled(node, "grouped")
        return Stream(Apply.of(node, keys, function, output))


def aggregation(name: str, value: object) -> Aggregation:
    """An aggregate as a person gives it."""
    if isinstance(value, pd.NamedAgg) and value == pd.NamedAgg(value.column, value.aggfunc):
        value = (value.column, value.aggfunc)
    column, how = value if isinstance(value, tuple) and len(value) == 2 else (None, value)
    if not isinstance(how, str | Combiner) or not isinstance(column, str | None):
        raise GraphError(
            f"aggregate {name!r} must be a column and how to aggregate it",
            got=repr(value),
            hint=f"write {name}=('column', 'sum'), with {', '.join(names())}",
        )
    combiner = combiner_of(how)
    if column is None and combiner.needs_column and not _takes_rows(combiner):
        raise GraphError(
            f"aggregate {name!r} must have a column",
            got=repr(value),
            hint=f"write {name}=('column', {combiner.name!r})",
        )
    return Aggregation(name, column, combiner)


def require_aggregable(node: Node, made: tuple[Aggregation, ...]) -> None:
    """Refuse aggregates that would never come, have no length to divide by, or count rows more than once."""
    _require_ends(node, made)
    _require_end(node)
    require_settled(node, "aggregated")


def _takes_rows(combiner: Combiner) -> bool:
    """Whether it can be asked for whole rows."""
    return isinstance(combiner, Sample) or (isinstance(combiner, Top) and combiner.by is not None)


def of_rows(node: Node, keys: tuple[str, ...], made: Aggregation) -> Aggregation:
    """The aggregation with the columns of the rows that it gives, if it has no column."""
    if made.column is not None or not isinstance(made.combiner, Chosen):
        return made
    columns = tuple(name for name in node.schema.names if name not in keys)
    if not columns:
        raise GraphError(
            f"aggregate {made.name!r} needs a column besides the keys", got=f"only {', '.join(map(repr, keys))}"
        )
    return Aggregation(made.name, None, made.combiner.of_rows(columns))


def _require_ends(node: Node, made: tuple[Aggregation, ...]) -> None:
    """Refuse what needs times of rows that have none, and what is divided by the length of a window without ends."""
    for each in made:
        if each.combiner.timed and not node.timed:
            raise EventTimeError(
                f"aggregate {each.name!r} needs rows with an event time",
                got=f"{each.combiner!r} of rows without one",
                hint="name its column where it is read: event_time='column'",
            )
        if each.combiner.windowed and (node.windowing is None or isinstance(node.windowing.windows, GlobalWindows)):
            raise GraphError(
                f"aggregate {each.name!r} needs windows that have a length",
                got=f"{each.combiner!r} in the global window",
                hint="call .window(fl.FixedWindows('1min')) before",
            )
        if each.combiner.windowed and node.windowing is not None and node.windowing.trigger.driven_by_data:
            raise GraphError(
                f"aggregate {each.name!r} cannot be asked for before its pane, as the trigger does",
                got=f"{each.combiner!r} with {node.windowing.trigger!r}",
                hint="aggregate 'count' or 'sum', and divide in .assign() after",
            )


def _require_end(node: Node) -> None:
    """Refuse to wait for ever."""
    windowing = node.windowing
    if node.bounded:
        return
    if windowing is None:
        got = "an unbounded stream without a window"
    elif (
        isinstance(windowing.windows, GlobalWindows) and not windowing.trigger.gives_early and windowing.ttl_us is None
    ):
        trigger = "the default trigger" if windowing.trigger == ON_TIME_ONLY else repr(windowing.trigger)
        got = f"an unbounded stream in GlobalWindows() with {trigger}"
    else:
        return
    raise GraphError(
        "an aggregation must be told when to give results",
        got=got,
        hint="call .window(fl.FixedWindows('1h')) before; or, for results on the way, .window(fl.GlobalWindows(), "
        "trigger=fl.AfterWatermark(early=fl.AfterProcessingTime('1s'))), or with ttl='1h', for keys that fall silent; "
        "or read a source that ends",
    )


def require_settled(node: Node, what: str) -> None:
    """Refuse panes of which one replaces another: their rows would count twice if they were ``what``."""
    for keyed, predicates in _panes(node):
        windowing = keyed.grouping
        if not _fires_again(windowing) or any(only_final(each) for each in predicates):
            continue
        if isinstance(keyed, Join) and keyed.retracting:
            continue
        closed = "" if not windowing.allowed_lateness_us else "closing_behavior='fire_always' there and "
        raise GraphError(
            f"panes that replace one another cannot be {what}, for their rows would count more than once",
            got=f"accumulating panes of {windowing.source}",
            hint="use accumulation='retracting' or 'discarding' there"
            if isinstance(keyed, Join)
            else "use accumulation='retracting' or 'discarding' there; or take the final pane of each window only, "
            f"with {closed}.filter({FINAL!r}) before this step",
        )


def _fires_again(windowing: Windowing) -> bool:
    again = windowing.trigger.gives_early or windowing.allowed_lateness_us > 0
    return windowing.accumulation == "accumulating" and again


def _panes(
    node: Node, predicates: tuple[Expr | FrameFunction, ...] = ()
) -> Iterator[tuple[Aggregate | Join, tuple[Expr | FrameFunction, ...]]]:
    """Each keyed step whose panes are among the rows, with the filters that they have passed since."""
    match node:
        case Aggregate():
            yield node, predicates
        case Join() if node.windowed:
            yield node, predicates
        case Dropped() | Errors() | Joining() | Process():
            return
        case Filter():
            yield from _panes(node.input, (node.predicate, *predicates))
        case Enrich():
            yield from _panes(node.input, predicates)
        case _:
            for each in node.inputs:
                yield from _panes(each, predicates)
