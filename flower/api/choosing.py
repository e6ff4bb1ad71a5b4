"""The verbs of a stream that choose among its rows by key or by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flower.api.arguments import at_least_one, column_names
from flower.api.grouped import aggregated, require_settled
from flower.api.pipeline import Pipeline, step_errors
from flower.errors import GraphError
from flower.graph.deduplication import Deduplicate
from flower.graph.nodes import Assign, Filter, Node, Require, Select
from flower.graph.schema import names_text, require_columns
from flower.model.combiners import Latest
from flower.model.panes import PANE_COLUMNS
from flower.model.time import Duration, duration_us
from flower.model.triggers import AfterCount, AfterWatermark
from flower.model.windows import GlobalWindows

if TYPE_CHECKING:
    from flower.api.stream import Stream
    from flower.graph.expressions import Expr, FrameFunction


class Choosing(Pipeline):
    """The part of `Stream` that chooses rows."""

    __slots__ = ()

    def require(self, condition: object) -> Stream:
        """Keep the rows where ``condition`` holds; where it does not, or is missing, the row goes to ``.errors``.

        Parameters
        ----------
        condition : str, pandas.col expression or callable
            As for `filter`.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> rows = fl.read.frame(pd.DataFrame({"carrier": ["AA", "??"]})).require("carrier in ['AA', 'UA']")
        >>> rows.collect()
          carrier
        0      AA
        >>> rows.errors.collect()[["step", "reason", "row"]]
                step           reason                 row
        0  require-1  not as required  {"carrier": "??"}
        """
        from flower.api.stream import Stream
        from flower.graph.expressions import predicate

        with step_errors(self.node, Require.verb):
            return Stream(Require(self.node, predicate(condition, self.node.schema)))

    def deduplicate(self, *keys: str, within: Duration, error: float | None = None) -> Stream:
        """Give the first row of each key, and leave out those that repeat it within a time.

        Parameters
        ----------
        *keys : str
            The columns whose values say that two rows are one; missing values are equal to one another.
        within : str or pandas.Timedelta
            How far apart two rows may be in event time, before or after, and still be one.
        error : float, optional
            Remember rows in a sketch, which may leave out a row that repeats none: at most so often, of all of these.
            None: keys are remembered as they are, and compared.

        Returns
        -------
        Stream
            The rows that repeat no row given before, with their columns, event times and windows.

        Raises
        ------
        ColumnError
            If a column is not there.
        DtypeError
            If a key is a list, or a category.
        EventTimeError
            If the rows have no event time.
        GraphError
            If rows may be taken back, or are panes that replace one another; if ``error`` is no probability.

        Notes
        -----
        A row is given at once, so the first is the one that came first: in an earlier epoch; within an epoch, by event
        time, then partition, then position there. `collect` takes all rows as of one epoch. What was given is
        remembered until the watermark has passed it by ``within``. Rows that come after the watermark are not compared,
        as what they would repeat may be forgotten: they go to ``.dropped``.

        **By sketch**, what is remembered takes a few bytes a row in place of its keys and times: Bloom filters, one of
        which goes when the watermark has passed all that is in it. No row is given that repeats another. Of those that
        repeat none, ``error`` are left out at most, as the keys of others look like theirs. Times count in slices of
        half of ``within``: rows up to one and a half of it apart may be one. Rows of one epoch are compared exactly,
        but for that.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> times = pd.to_datetime(["2000-01-01 12:00", "2000-01-01 12:04", "2000-01-01 12:30"], utc=True)
        >>> orders = fl.read.frame(pd.DataFrame({"t": times, "order": "a", "try": [1, 2, 3]}), event_time="t")
        >>> orders.deduplicate("order", within="10min").collect()
                                  t order  try
        0 2000-01-01 12:00:00+00:00     a    1
        1 2000-01-01 12:30:00+00:00     a    3
        """
        from flower.api.stream import Stream

        node = self.node
        with step_errors(node, Deduplicate.verb):
            names = column_names("deduplicate", keys, ".deduplicate('order', within='10min')")
            require_columns(node.schema, names)
            apart = duration_us(within, "within")
            if error is not None and not (isinstance(error, float) and 1e-9 <= error <= 0.5):
                raise GraphError(
                    "`error` must be a share of rows, from 1e-9 to 0.5, or None",
                    got=repr(error)[:80],
                    hint="write error=0.001",
                )
            require_settled(node, "deduplicated")
            return Stream(Deduplicate(node, names, apart, error))

    def latest(self, *keys: str, ttl: Duration | None = None) -> Stream:
        """Give the row of the latest event time of each key: a view in which a newer row replaces the one before.

        Parameters
        ----------
        *keys : str
            Key columns; none: the latest of all rows.
        ttl : str or pandas.Timedelta, optional
            A key is let go when the watermark is this far past its newest row; what comes later begins it anew. None:
            all keys are held for ever.

        Returns
        -------
        Stream
            A row a key, as after ``groupby(*keys).agg(...)``: its values, missing ones too, in columns that may be
            missing, and its event time. It fires for each epoch that brings rows of the key. After `window`, the latest
            row in each window, which fires as the window says.

        Raises
        ------
        EventTimeError
            If the rows have no event time.
        GraphError
            If there is no column besides the keys, or rows may be taken back.

        Notes
        -----
        Of several rows of one event time it is that of the last partition, then position. A row that comes late changes
        nothing but counts as one that came.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> times = pd.to_datetime(["2000-01-01 12:10", "2000-01-01 12:05", "2000-01-01 12:20"], utc=True)
        >>> rows = pd.DataFrame({"t": times, "plane": ["a", "a", "b"], "at": ["LHR", "JFK", "SFO"]})
        >>> planes = fl.read.frame(rows, event_time="t").drop("t")
        >>> planes.latest("plane").collect()[["plane", "at", "event_time"]]
          plane   at                event_time
        0     a  LHR 2000-01-01 12:10:00+00:00
        1     b  SFO 2000-01-01 12:20:00+00:00
        """
        from flower.api.stream import Stream

        node = self.node
        with step_errors(node, "latest"):
            names = column_names("latest", keys, ".latest('plane')") if keys else ()
            require_columns(node.schema, names)
            values = [name for name in node.schema.names if name not in names and name not in PANE_COLUMNS]
            if not values:
                raise GraphError("latest() needs a column besides the keys", got=f"only {names_text(names)}")
            stream = Stream(node)
            if node.windowing is None:
                whenever = AfterWatermark(early=AfterCount(1))
                stream = stream.window(GlobalWindows(), trigger=whenever, timestamp_combiner="latest", ttl=ttl)
            elif ttl is not None:
                raise GraphError(
                    "`ttl` of latest() is for a stream without windows",
                    got=node.windowing.source,
                    hint="leave it out: what is held goes with its window",
                )
        return aggregated(stream, names, {name: (name, Latest()) for name in values})

    def partition(self, branches: Mapping[str, object], *, rest: str = "rest") -> dict[str, Stream]:
        """Part a stream into several: every row goes to exactly one of them.

        Parameters
        ----------
        branches : mapping of str to str, pandas.col expression or callable
            For each branch which rows are its: a condition, as for `filter`. A row goes to the first branch whose
            condition holds; where a condition is missing, it does not hold.
        rest : str
            The branch of the rows for which no condition holds.

        Returns
        -------
        dict of str to Stream
            The branches in their order, last ``rest``, with the columns of this stream.

        Raises
        ------
        ColumnError, DtypeError
            If a condition does not fit the columns, or gives anything but bools.
        GraphError
            If two branches have one name.

        Notes
        -----
        A row of which a condition cannot be told, as its function raises or an integer is divided by zero, goes to no
        branch, but to the ``.errors`` of all of them, once. Branches that are run together, ``fl.run(*parts.values())``
        or put together by `join` or ``fl.concat``, share what is before them.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> flights = fl.read.frame(pd.DataFrame({"delay": [90, -3, 20, 4]}))
        >>> parts = flights.partition({"late": "delay > 15", "early": "delay < 0"}, rest="on time")
        >>> {name: part.collect()["delay"].tolist() for name, part in parts.items()}
        {'late': [90, 20], 'early': [-3], 'on time': [4]}
        """
        with step_errors(self.node, "partition"):
            return _parted(self.node, branches, rest)


def _parted(node: Node, branches: Mapping[str, object], rest: str) -> dict[str, Stream]:
    """Each row gets the name of its branch in a column, by which the branches are told apart."""
    from flower.api.stream import Stream
    from flower.graph.expressions import Call, Column, Compare, FrameFunction, Literal, predicate

    if not isinstance(branches, Mapping):
        raise GraphError(
            "partition() takes a condition for each branch by its name",
            got=repr(branches),
            hint="write .partition({'late': 'delay > 15'}, rest='on time')",
        )
    at_least_one("partition", branches, ".partition({'late': 'delay > 15'})")
    for name in (*branches, rest):
        if not isinstance(name, str) or not name:
            raise GraphError("a branch must have a name", got=repr(name))
    if rest in branches:
        raise GraphError(
            "every branch must have a name of its own",
            got=f"{rest!r} for a condition and for the rest",
            hint="name the rest with rest='others'",
        )
    told: list[tuple[str, Expr | FrameFunction]] = []
    conditions: dict[str, Expr] = {}
    for name, condition in branches.items():
        tree = predicate(condition, node.schema)
        if isinstance(tree, FrameFunction):
            held = tree.field(name, node.schema)
            column = _free(f"is_{name}", node, told)
            told.append((column, tree))
            predicate(Column(column), Assign(node, tuple(told)).schema)
            tree = Column(column) if not held.nullable else Call("coalesce", (Column(column), Literal(False)))
        conditions[name] = tree
    chosen = (Call("where", (tree, Literal(name), Literal(None))) for name, tree in conditions.items())
    told.append((_free("branch", node, told), Call("coalesce", (*chosen, Literal(rest)))))
    named, branch = Assign(node, tuple(told)), Column(told[-1][0])
    whole = tuple((name, name) for name in node.schema.names)
    return {
        name: Stream(Select(Filter(named, Compare("==", branch, Literal(name))), whole)) for name in (*branches, rest)
    }


def _free(name: str, node: Node, told: list[tuple[str, Expr | FrameFunction]]) -> str:
    """A name that no column has."""
    while name in node.schema.names or name in dict(told):
        name += "_"
    return name
