"""``fl.cogroup(...)``: several streams grouped together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flower.api.arguments import column_names
from flower.api.grouped import Named, aggregation, of_rows, require_aggregable, require_settled
from flower.errors import FlowerError, GraphError
from flower.graph.applied import applied_schema
from flower.graph.cogrouping import placed, together, with_function
from flower.graph.nodes import Aggregate, Aggregation, Apply, Node
from flower.graph.schema import names_text, require_columns, schema_of
from flower.model.combiners.of_side import SIDE, OfSide

if TYPE_CHECKING:
    from flower.api.stream import Stream


@contextmanager
def _cited() -> Iterator[None]:
    """Make errors cite what they are of."""
    try:
        yield
    except FlowerError as error:
        raise error.at("'cogroup'") from error.__cause__


class Cogrouped:
    """Several streams whose rows are grouped by the same keys; made by ``fl.cogroup(...)``."""

    __slots__ = ("_keys", "_sides")

    def __init__(self, sides: dict[str, Node], keys: tuple[str, ...]) -> None:
        self._sides, self._keys = sides, keys

    def agg(self, **sides: Mapping[str, Named]) -> Stream:
        """Aggregate the rows of each stream for each group of each window, in one row.

        Parameters
        ----------
        **sides : mapping of str to tuple or str
            For each stream, by its name, what ``groupby(...).agg(...)`` takes:
            ``bids={"bids": "count", "highest": ("price", "max")}``. A result has a name of its own among those of all.

        Returns
        -------
        Stream
            A row a group and pane, with the columns of ``groupby(...).agg(...)``. A group is there that any of the
            streams has; aggregates of a stream without a row in it are those of no rows: 0 for counts and sums, else
            missing.

        Raises
        ------
        ColumnError, DtypeError
            If a column is not there, or cannot be aggregated that way.
        GraphError
            If there is no such stream, a name is given twice, or as of ``groupby(...).agg(...)``.
        """
        from flower.api.stream import Stream

        with _cited():
            unknown = [name for name in sides if name not in self._sides]
            if unknown or not any(sides.values()):
                raise GraphError(
                    "agg() takes aggregates of the streams, by their names",
                    got=names_text(unknown) if unknown else "none",
                    hint=f"write .agg({next(iter(self._sides))}={{'rows': 'count'}}); there is "
                    f"{names_text(self._sides)}",
                )
            made = {
                label: [of_rows(self._sides[label], self._keys, aggregation(*each)) for each in given.items()]
                for label, given in sides.items()
            }
            names = [each.name for some in made.values() for each in some]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise GraphError(
                    "each result of agg() must have a name of its own, among those of all streams",
                    got=f"{names_text(twice)} more than once",
                    hint="give one of them another",
                )
            columns: dict[str, tuple[str, ...]] = {}
            for label, node in self._sides.items():
                taken = [name for each in made.get(label, ()) for name in each.columns]
                require_columns(node.schema, taken)
                columns[label] = tuple(dict.fromkeys(taken))
            every = together(self._sides, self._keys, columns)
            results = tuple(
                self._of_side(label, number, each)
                for number, label in enumerate(self._sides)
                for each in made.get(label, ())
            )
            require_aggregable(every, results)
            return Stream(Aggregate(every, self._keys, results))

    def _of_side(self, label: str, number: int, each: Aggregation) -> Aggregation:
        schema = self._sides[label].schema
        others = tuple(placed(label, name) for name in each.columns)
        fields = tuple(schema.field(name) for name in each.columns)
        return replace(each, column=SIDE, combiner=OfSide(each.combiner, label, number, others, fields, each.column))

    def apply(self, fn: Callable[..., Any], schema: Mapping[str, object] | pa.Schema | None = None) -> Stream:
        """Apply a function of yours to the rows of each group, a frame a stream, once for each pane.

        Parameters
        ----------
        fn : callable
            Takes a DataFrame for each stream, by its name: ``def matched(bids, sales): ...``. Their rows are as of
            ``groupby(...).apply(fn)``, without the keys; of no rows for a stream that has none in the group. Gives what
            a function there does.
        schema : mapping of str to dtype, optional
            The columns it gives. None: ``fn`` is called with frames without rows to see them.

        Returns
        -------
        Stream
            As of ``groupby(...).apply(fn)``.

        Raises
        ------
        UserFunctionError, DtypeError, SchemaError, GraphError
            As of ``groupby(...).apply(fn)``.

        Examples
        --------
        >>> import flower as fl, pandas as pd
        >>> bids = fl.read.frame(pd.DataFrame({"k": ["a", "a", "b"], "price": [1, 4, 3]}))
        >>> asks = fl.read.frame(pd.DataFrame({"k": ["a", "b"], "price": [3, 5]}))
        >>> def crossed(bids, asks):
        ...     return {"crossed": bool(bids["price"].max() >= asks["price"].min())}
        >>> fl.cogroup({"bids": bids, "asks": asks}, on="k").apply(crossed).collect()[["k", "crossed"]]
           k  crossed
        0  a     True
        1  b    False
        """
        from flower.api.stream import Stream, function_of

        with _cited():
            wrong = [label for label in self._sides if not label.isidentifier()]
            if wrong:
                raise GraphError(
                    "the streams that apply() gives to a function must have the names of arguments",
                    got=names_text(wrong),
                    hint="write fl.cogroup({'bids': bids, 'sales': sales}, on=...)",
                )
            columns = {
                label: tuple(name for name in node.schema.names if name not in self._keys)
                for label, node in self._sides.items()
            }
            own = function_of(fn, ".apply(lambda bids, sales: {'sold': len(sales)})")
            function = with_function(own, self._sides, columns)
            every = together(self._sides, self._keys, columns)
            rows = pa.schema([each for each in every.schema if each.name not in self._keys])
            output = applied_schema(function, rows) if schema is None else schema_of(schema)
            require_aggregable(every, ())
            return Stream(Apply.of(every, self._keys, function, output))

    def __repr__(self) -> str:
        on = ", ".join(self._keys)
        name = next(iter(self._sides))
        return f"{names_text(self._sides)} grouped by: {on}; go on with .agg({name}={{'rows': 'count'}}) or .apply(fn)"


def cogroup(streams: Mapping[str, Stream], on: str | Sequence[str]) -> Cogrouped:
    """Group the rows of several streams by the same keys, and windows: Beam's CoGroupByKey.

    Parameters
    ----------
    streams : mapping of str to Stream
        The streams, by the names that `agg` and `apply` call them. All have the same ``.window(...)``, with any
        trigger, accumulation and lateness; streams that end may have none.
    on : str or sequence of str
        The key columns, of one name and dtype in all.

    Returns
    -------
    Cogrouped
        To be aggregated with ``.agg(bids={"n": "count"}, sales={"sold": ("price", "sum")})``, or given to a function,
        a frame a stream, with ``.apply(fn)``.

    Raises
    ------
    ColumnError, DtypeError
        If a key is not there, or not of one dtype in all.
    GraphError
        If there is no stream, they have different windows, or panes that replace one another.

    Notes
    -----
    Unlike a join, nothing is paired: a group has the rows of each stream once. It is one aggregation, of the rows of
    all: it holds what `agg` of a stream holds, fires as its trigger says, counts a late row of any as late, takes rows
    back where a stream may, and the watermark is the least of all.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> def stream(times, **columns):
    ...     frame = pd.DataFrame({"t": pd.to_datetime(times, utc=True), **columns})
    ...     return fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1h"))
    >>> bids = stream(["2000-01-01 12:10", "2000-01-01 12:50"], k=["a", "b"], price=[1, 2])
    >>> sales = stream(["2000-01-01 12:55"], k=["a"], price=[7])
    >>> both = fl.cogroup({"bids": bids, "sales": sales}, on="k")
    >>> totals = both.agg(bids={"bids": "count", "highest": ("price", "max")}, sales={"sold": ("price", "sum")})
    >>> totals.select("k", "window_end", "bids", "highest", "sold").collect()
       k                window_end  bids  highest  sold
    0  a 2000-01-01 13:00:00+00:00     1        1     7
    1  b 2000-01-01 13:00:00+00:00     1        2     0
    """
    from flower.api.stream import Stream

    with _cited():
        example = "fl.cogroup({'bids': bids, 'sales': sales}, on='auction')"
        if not isinstance(streams, Mapping) or not streams:
            raise GraphError("cogroup() takes streams by name", got=repr(streams)[:80], hint=f"write {example}")
        for label, each in streams.items():
            if not isinstance(label, str) or not label or "." in label:
                raise GraphError("a stream's name must be text without a dot", got=repr(label), hint=f"write {example}")
            if not isinstance(each, Stream):
                raise GraphError("cogroup() takes streams", got=type(each).__name__, hint=f"write {example}")
            require_settled(each.node, "grouped")
        keys = column_names("cogroup", (on,) if isinstance(on, str) else tuple(on), example)
        sides = {label: each.node for label, each in streams.items()}
        assert together(sides, keys, dict.fromkeys(sides, ())).schema is not None
        return Cogrouped(sides, keys)
