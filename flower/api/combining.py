"""The verbs of a stream that bring in the rows of another, or of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flower.api.enriching import enrich_node
from flower.api.joining import join_asof_node, join_node
from flower.api.pipeline import Pipeline, step_errors
from flower.graph.enriching import Keeps
from flower.graph.joins import Direction, How
from flower.model.time import Duration

if TYPE_CHECKING:
    import pandas as pd

    from flower.api.stream import Stream


class Combining(Pipeline):
    """The part of `Stream` that brings in other rows."""

    __slots__ = ()

    def join(
        self,
        other: Stream,
        on: str | Sequence[str],
        how: How = "inner",
        *,
        within: tuple[Duration, Duration] | None = None,
        suffixes: tuple[str, str] = ("_x", "_y"),
    ) -> Stream:
        """Join the rows of another stream that have the same keys, in the same window or within an interval.

        Parameters
        ----------
        other : Stream
            The right side.
        on : str or sequence of str
            The key columns, of one name and dtype on both sides. Missing keys are equal, as in ``pandas.merge``.
        how : {"inner", "left", "right", "outer"}
            Which rows are given though nothing joins them, with missing values: none, those of this stream, of the
            other, of both.
        within : tuple of durations, optional
            How far the event time of the other row may be from that of this one, both bounds included:
            ``("-5min", "10min")``, from five minutes before to ten minutes after. None: both rows must be in one
            window, and both streams have the same ``.window(...)``.
        suffixes : tuple of str
            What is put behind the names of columns that both sides have, or that are among those below.

        Returns
        -------
        Stream
            The columns of this stream, those of the other without the keys, and ``event_time``. In windows also
            ``window_start``, ``window_end``, ``pane_timing``, ``pane_index`` and ``pane_final``.

        Raises
        ------
        ColumnError, DtypeError
            If a key is not there, or not of one dtype.
        GraphError
            If the streams do not end and nothing bounds the join in time, if they have different windows or such as
            cannot be joined in, if a side has panes that replace one another, or if it may be retracted and its rows
            cannot be told from one another, or the join is discarding.
        SchemaError
            If two columns of the result have one name.

        Notes
        -----
        In windows, rows are joined when the watermark of both passes the end of the window, and have its last
        microsecond as event time. Under an ``allowed_lateness``, late rows make the keys they come to fire again, once
        an epoch: with all their rows when accumulating; when retracting, after the rows that they had before, with
        ``pane_retraction``, so also a row that nothing had joined before a late one did; when discarding, with the
        pairs that a late row is part of, and late rows that nothing joins. ``pane_index`` counts how often a key has
        fired in a window, also without a row.

        Within an interval, two rows are joined as soon as both are there, and have the later event time of the two. A
        row that nothing joins is given when the watermark says that nothing will, with its own event time. A row that
        comes after the watermark goes to ``.dropped``. Rows are let go as the watermark passes.

        Either side may have panes of a retracting step. What is taken back is joined no more: in windows when the pane
        fires, and takes back its rows if it has fired before; within an interval at once, and the joined rows have
        ``pane_retraction``. Columns of the sides that tell retractions are left out. What is to take back a row that
        was never there waits for that row, and goes to ``.errors`` when the watermark lets go of it.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> def stream(times, **columns):
        ...     frame = pd.DataFrame({"t": pd.to_datetime(times, utc=True), "k": "a", **columns})
        ...     return fl.read.frame(frame, event_time="t").drop("t")
        >>> bids = stream(["2000-01-01 12:10", "2000-01-01 12:50"], bid=[1, 2])
        >>> sales = stream(["2000-01-01 12:55"], price=[7])
        >>> bids.join(sales, "k", within=("0s", "10min")).collect()
           k  bid  price                event_time
        0  a    2      7 2000-01-01 12:55:00+00:00
        >>> hour = fl.FixedWindows("1h")
        >>> bids.window(hour).join(sales.window(hour), "k").collect()[["k", "bid", "price", "window_start"]]
           k  bid  price              window_start
        0  a    1      7 2000-01-01 12:00:00+00:00
        1  a    2      7 2000-01-01 12:00:00+00:00
        """
        from flower.api.stream import Stream

        with step_errors(self.node, "join"):
            return Stream(join_node(self.node, other, on, how, within, suffixes))

    def join_asof(
        self,
        other: Stream,
        on: str | Sequence[str],
        *,
        tolerance: Duration | None = None,
        direction: Direction = "backward",
        suffixes: tuple[str, str] = ("_x", "_y"),
    ) -> Stream:
        """Join each row with the row of another stream that is nearest to it in event time, of those with its keys.

        Parameters
        ----------
        other : Stream
            Where the nearest row is looked for.
        on : str or sequence of str
            The key columns, of one name and dtype on both sides: ``by`` of ``pandas.merge_asof``.
        tolerance : str or pandas.Timedelta, optional
            How far away it may be at most; needed unless looking backward.
        direction : {"backward", "forward", "nearest"}
            The last row that is not later, the first that is not earlier, or the nearer of the two.
        suffixes : tuple of str
            What is put behind the names of columns that both sides have.

        Returns
        -------
        Stream
            Every row of this stream, with the columns of the other (missing where there is no such row) and
            ``event_time``, which stays its own.

        Raises
        ------
        ColumnError, DtypeError, SchemaError
            As of `join`.
        GraphError
            If the rows of a side have no event time, or how long to wait for them is not known.

        Notes
        -----
        A row is given when the watermark has passed it, or it and the tolerance. Rows of either side that come after
        the watermark go to ``.dropped``. Looking backward without a tolerance, the newest row of every key is held for
        ever: so a table that changes, as a stream of its versions, gives each row the version that was valid at its
        event time. A stream that has ended holds the other back no more. Panes of a retracting step may be on either
        side: a row waits longer than it may be taken back, so what is given stays; what takes back a row that was never
        there goes to ``.errors``.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> def stream(times, **columns):
        ...     frame = pd.DataFrame({"t": pd.to_datetime(times, utc=True), "k": "a", **columns})
        ...     return fl.read.frame(frame, event_time="t").drop("t")
        >>> trades = stream(["2000-01-01 12:10", "2000-01-01 12:50"], traded=[1, 2])
        >>> quotes = stream(["2000-01-01 12:05", "2000-01-01 12:09", "2000-01-01 12:55"], quote=[7, 8, 9])
        >>> trades.join_asof(quotes, "k", tolerance="10min").collect()
           k  traded  quote                event_time
        0  a       1      8 2000-01-01 12:10:00+00:00
        1  a       2   <NA> 2000-01-01 12:50:00+00:00
        """
        from flower.api.stream import Stream

        with step_errors(self.node, "join_asof"):
            return Stream(join_asof_node(self.node, other, on, tolerance, direction, suffixes))

    def enrich(
        self,
        table: pd.DataFrame | Stream,
        on: str | Sequence[str],
        how: Keeps = "left",
        *,
        columns: str | Sequence[str] | None = None,
        ttl: Duration | None = None,
        static: bool = False,
    ) -> Stream:
        """Add to each row the columns of the row of a table that has the same keys: a side input.

        Parameters
        ----------
        table : pandas.DataFrame or Stream
            A frame, as it is now, or a stream that has no event times and ends: a table that stays as it is. A stream
            with event times: a table that changes, each row a version of its key, valid from its event time on. Such a
            stream with a ``.window(...)``: a table of its own for each window.
        on : str or sequence of str
            The key columns, of one name and dtype in both. Missing keys are equal, as in ``pandas.merge``.
        how : {"left", "inner"}
            Whether a row that finds nothing in the table is kept, with missing values, or left out.
        columns : str or sequence of str, optional
            The columns of the table to add; None: all but the keys, and those that tell of a pane.
        ttl : str or pandas.Timedelta, optional
            How long a version is valid at most; None: until the next one of its key.
        static : bool
            Whether a table stays as it is though its rows have event times.

        Returns
        -------
        Stream
            The rows of this stream, each at most once, with their own event time and windows.

        Raises
        ------
        ColumnError, DtypeError
            If a key is not there, or not of one dtype.
        SchemaError
            If two rows of a table that stays as it is have the same keys: at once for a frame, else by the run, which
            fails. Or if a column that is added has the name of one of this stream.
        GraphError
            If the table neither ends nor has event times, or its windows cannot be looked into; if the table changes
            and this stream has no event times, or panes that replace one another; or, in windows, either may be
            retracted.

        Notes
        -----
        A table that stays as it is is read whole before the first row of the run, by the process that drives it, and
        held in memory by every worker: rows are looked up where they are, and nothing is exchanged. Until it is there
        no row is read; ``run.why()`` and ``run.metrics`` say so, and how many rows of it are. A row of it that cannot
        be processed fails the run. A run that goes on from a checkpoint reads it again, and refuses another one.

        Of a table that changes, a row gets the version that was valid at its own event time, whenever either came: of
        several of one time the last that came. It waits until the watermark of the table, too, has passed it: give the
        table's source an idle timeout if it is silent for long. This is ``join_asof`` looking backward, ``ttl`` its
        tolerance, but that columns keep their names, that no ``event_time`` is added, that windows stay, and ``how``.
        The newest version of every key is held for ever, or by ``ttl``.

        In windows, a row looks into the window of the table that its event time falls into, or the last instant of its
        own window if it has one. It waits for the first row of its key there, or for the watermark of both to pass the
        window's end, and takes the newest: the last in event time, of one time the last that came, so that of panes the
        last one fired. Such panes may replace one another. In ``collect()``, it waits for the end.

        Rows that wait hold the watermark back. Those of a table that never comes are given when the watermark or the
        end of the stream lets them, as ``how`` says, so also by ``run.drain()``; ``run.why()`` says who waits for what.
        Rows of either that come after the watermark, in windows after the window has expired, go to ``.dropped``.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> carriers = pd.DataFrame({"carrier": ["AA", "B6"], "airline": ["American", "JetBlue"]})
        >>> flights = fl.read.frame(pd.DataFrame({"carrier": ["B6", "ZZ", "AA"], "delay": [3, 0, 7]}))
        >>> flights.enrich(carriers, on="carrier").collect()
          carrier  delay   airline
        0      B6      3   JetBlue
        1      ZZ      0       NaN
        2      AA      7  American

        Prices that change:

        >>> def stream(times, **columns):
        ...     frame = pd.DataFrame({"t": pd.to_datetime(times, utc=True), "k": "a", **columns})
        ...     return fl.read.frame(frame, event_time="t").drop("t")
        >>> prices = stream(["2000-01-01 12:00", "2000-01-01 13:00"], price=[7, 8])
        >>> sales = stream(["2000-01-01 11:50", "2000-01-01 12:50", "2000-01-01 13:00"], sold=[1, 2, 3])
        >>> sales.enrich(prices, on="k").collect()
           k  sold  price
        0  a     1   <NA>
        1  a     2      7
        2  a     3      8
        """
        from flower.api.stream import Stream

        with step_errors(self.node, "enrich"):
            return Stream(enrich_node(self.node, table, on, how, columns, ttl, static))
