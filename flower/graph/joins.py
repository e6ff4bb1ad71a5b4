"""Steps that join two streams by keys: which columns they give, and when rows of the two belong together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, Self, get_args

import pyarrow as pa

from flower.errors import DtypeError, GraphError, SchemaError
from flower.graph.nodes import Node, Stateful, column_of, with_reason
from flower.graph.schema import dtype_name, names_text
from flower.model.calendar import CalendarWindows
from flower.model.panes import (
    EVENT_TIME,
    FINAL,
    INDEX,
    INSTANT,
    PANE_COLUMNS,
    RETRACTION,
    TIMING,
    TIMING_TYPE,
    WINDOW_END,
    WINDOW_START,
)
from flower.model.triggers import ON_TIME_ONLY
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, GlobalWindows, SlidingWindows, by_clock

How = Literal["inner", "left", "right", "outer"]
"""Which rows a join keeps though nothing joins them: none, those of one side, or all."""

Direction = Literal["backward", "forward", "nearest"]
"""Where an as-of join looks: at or before a row, at or after it, or either way."""

SIDE = "side"
SIDES = ("left", "right")


@dataclass(frozen=True)
class Joined:
    """A column of joined rows: that of the left side, of the right, or, of a key, of whichever row there is."""

    name: str
    left: str | None
    right: str | None


@dataclass(frozen=True, eq=False)
class Joining(Stateful):
    """Rows of ``left`` with rows of ``right`` that have the same keys ``on``; see the subclasses.

    Missing keys are equal to one another, as in ``pandas.merge``.
    """

    left: Node
    right: Node
    on: tuple[str, ...]
    suffixes: tuple[str, str]
    kind = "join"
    places: ClassVar[tuple[str, str]] = ("on the left", "on the right")
    """How errors say where a column is."""

    @property
    def keeps(self) -> How:
        """Which rows are kept though nothing joins them."""
        raise NotImplementedError

    def _inputs(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, left=inputs[0], right=inputs[1])

    def _windowing(self) -> Windowing | None:
        return None

    @property
    def windowed(self) -> bool:
        """Whether rows must be in one window to be joined."""
        return False

    @cached_property
    def shared(self) -> frozenset[str]:
        """The columns, keys aside, that get a suffix: both sides have them, or the step gives one of that name."""
        left, right = (set(names) - set(self.on) for names in self.plain)
        return frozenset(left & right | set(self.given) & (left | right))

    @cached_property
    def plain(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The columns of each side without those that tell a retraction from the row that it takes back."""
        from flower.graph.retracting import retraction_columns

        left, right = (
            tuple(name for name in node.schema.names if name not in retraction_columns(node)) for node in self.inputs
        )
        return left, right

    @property
    def given(self) -> tuple[str, ...]:
        """The names of columns that the step adds."""
        if self.windowed:
            return PANE_COLUMNS
        return (RETRACTION, EVENT_TIME) if self.retracting else (EVENT_TIME,)

    @cached_property
    def columns(self) -> tuple[Joined, ...]:
        """The columns that come from the rows: those of the left, then those of the right without the keys."""

        def named(name: str, side: int) -> str:
            return name + self.suffixes[side] if name in self.shared else name

        made = [
            Joined(name, name, name) if name in self.on else Joined(named(name, 0), name, None)
            for name in self.plain[0]
        ]
        made += [Joined(named(name, 1), None, name) for name in self.plain[1] if name not in self.on]
        names = [each.name for each in made]
        wrong = sorted({name for name in names if names.count(name) > 1 or name in self.given})
        if wrong:
            raise SchemaError(
                "every column of a join must have a name of its own",
                got=f"{names_text(wrong)} more than once",
                hint=f"rename them before, or give other suffixes than {self.suffixes!r}",
            )
        return tuple(made)

    @cached_property
    def rows(self) -> pa.Schema:
        """The fields of `columns`."""
        require_same_keys(self.on, self.left.schema, self.right.schema, self.places)
        self._check_retractions()
        sides = [node.schema for node in self.inputs]
        maybe = (self.keeps in ("right", "outer"), self.keeps in ("left", "outer"))
        fields = []
        for each in self.columns:
            if each.left is not None and each.right is not None:
                left, right = (column_of(schema, each.name).nullable for schema in sides)
                nullable = {"inner": left and right, "left": left, "right": right, "outer": left or right}[self.keeps]
                fields.append(column_of(sides[0], each.name).with_nullable(nullable))
                continue
            side = 0 if each.left is not None else 1
            field = column_of(sides[side], each.left or each.right or "")
            fields.append(field.with_name(each.name).with_nullable(field.nullable or maybe[side]))
        return pa.schema(fields)

    def _retracting(self) -> bool:
        return False

    def _check_retractions(self) -> None:
        from flower.graph.retracting import require_joinable

        for side, node in zip(SIDES, self.inputs, strict=True):
            if node.retracting:
                require_joinable(node, self.on, side)

    def _dropped_schema(self) -> pa.Schema:
        # A dropped row stands in the columns of its side; those of the other are missing.
        fields = [each.with_nullable(True) for each in self.rows]
        fields = [each.with_name(f"input_{SIDE}") if each.name == SIDE else each for each in fields]
        return with_reason([*fields, pa.field(SIDE, pa.large_string(), nullable=False)], windows=self.windowed)


@dataclass(frozen=True, eq=False)
class Join(Joining):
    """Rows of two streams that have the same keys and lie in one window, or within an interval of one another.

    Parameters
    ----------
    how : {"inner", "left", "right", "outer"}
        Which rows are kept though nothing joins them.
    within : tuple of int or None
        The least and the greatest distance, in microseconds, of a right row's event time from the left's; None: both
        must be in one window.
    """

    how: How
    within: tuple[int, int] | None
    verb = "join"

    @property
    def keeps(self) -> How:
        """``how``."""
        return self.how

    @property
    def windowed(self) -> bool:
        """Whether there is no interval."""
        return self.within is None

    @cached_property
    def grouping(self) -> Windowing:
        """The windowing of both sides, else the global window."""
        return self.left.windowing or Windowing(GlobalWindows())

    def _schema(self) -> pa.Schema:
        if self.within is not None:
            if not super()._timed():
                raise _untimed(self)
            back = [pa.field(RETRACTION, pa.bool_(), nullable=False)] if self.retracting else []
            return pa.schema([*self.rows, *back, pa.field(EVENT_TIME, INSTANT, nullable=False)])
        self._check_windows()
        whole = isinstance(self.grouping.windows, GlobalWindows)
        return pa.schema(
            [
                *self.rows,
                pa.field(WINDOW_START, INSTANT, nullable=whole),
                pa.field(WINDOW_END, INSTANT, nullable=whole),
                pa.field(TIMING, TIMING_TYPE, nullable=False),
                pa.field(INDEX, pa.int64(), nullable=False),
                pa.field(FINAL, pa.bool_(), nullable=False),
                *([pa.field(RETRACTION, pa.bool_(), nullable=False)] if self.retracting else []),
                pa.field(EVENT_TIME, INSTANT, nullable=whole),
            ]
        )

    def _check_windows(self) -> None:
        if self.left.windowing != self.right.windowing:
            raise GraphError(
                "both sides of a join must have the same windowing",
                got=f"{_windows(self.left)} on the left, {_windows(self.right)} on the right",
                hint="call .window() with the same arguments on both; or join rows that are near one another with "
                "within=('-5min', '5min')",
            )
        windowing, got = self.grouping, None
        if not isinstance(windowing.windows, FixedWindows | SlidingWindows | CalendarWindows | GlobalWindows):
            got = f"{windowing.windows!r}, which differ between the sides"
        elif by_clock(windowing.windows):
            got = f"{windowing.windows!r}, windows of processing time"
        elif windowing.trigger != ON_TIME_ONLY:
            got = f"{windowing.trigger!r}"
        elif windowing.timestamp_combiner != "end_of_window" or windowing.ttl_us is not None:
            got = windowing.source
        if got is not None:
            raise GraphError(
                "a join needs windows of event time, one for all rows, the default trigger, timestamp combiner and ttl",
                got=got,
                hint="call .window(fl.FixedWindows('1h')) on both sides; or give within=('-5min', '5min')",
            )
        if self.retracting and windowing.accumulation == "discarding":
            raise GraphError(
                "a join of rows that may be retracted cannot be discarding",
                got="an increment, which cannot take back what an earlier one told",
                hint="leave out accumulation='discarding'",
            )
        if not self.bounded and isinstance(windowing.windows, GlobalWindows):
            raise GraphError(
                "a join of streams that do not end must be bounded in time",
                got="no window" if self.left.windowing is None else repr(windowing.windows),
                hint="call .window(fl.FixedWindows('1h')) on both sides; or give within=('-5min', '5min'); or use "
                ".join_asof() for the nearest earlier row",
            )

    def _retracting(self) -> bool:
        if not self.windowed:
            return any(node.retracting for node in self.inputs)
        how = self.grouping
        # What fires once fires what is left, and takes nothing back.
        again = any(node.retracting for node in self.inputs) and how.allowed_lateness_us > 0
        return how.accumulation == "retracting" or again

    def _timed(self) -> bool:
        return super()._timed() and not (self.windowed and isinstance(self.grouping.windows, GlobalWindows))


@dataclass(frozen=True, eq=False)
class JoinAsof(Joining):
    """Each row of ``left`` with the row of ``right`` of the same keys that is nearest in event time, or with none.

    Parameters
    ----------
    tolerance : int or None
        How far apart, in microseconds, they may be; None: any distance.
    direction : {"backward", "forward", "nearest"}
        Where to look from the left row.
    """

    tolerance: int | None
    direction: Direction
    verb = "join_asof"

    @property
    def keeps(self) -> How:
        """All rows of the left side."""
        return "left"

    def _schema(self) -> pa.Schema:
        if not self._timed():
            raise _untimed(self)
        if self.tolerance is None and self.direction != "backward":
            raise GraphError(
                f"an as-of join that looks {self.direction} must know for how long to wait",
                got="no tolerance",
                hint="give tolerance='10min'; or look backward, the default",
            )
        return pa.schema([*self.rows, pa.field(EVENT_TIME, INSTANT, nullable=False)])


def _untimed(node: Joining) -> GraphError:
    side = next(name for name, each in zip(SIDES, node.inputs, strict=True) if not each.timed)
    return GraphError(
        "rows that are joined by their event times must have them",
        got=f"a {side} side without event time",
        hint="name its column where it is read: event_time='column'",
    )


def _windows(side: Node) -> str:
    return "no window" if side.windowing is None else f".window({side.windowing.source})"


def _conversion(key: str, one: pa.Field, other: pa.Field) -> str:
    """What makes one key of the dtype of the other."""
    if (
        pa.types.is_timestamp(one.type)
        and pa.types.is_timestamp(other.type)
        and (one.type.tz is None) != (other.type.tz is None)
    ):
        call = ".dt.tz_localize('UTC')"
    else:
        told = {dtype_name(one), dtype_name(other)}
        call = f".astype({('str' if 'str' in told else dtype_name(one))!r})"  # anything can be text
    keyword = f"{key}=" if key.isidentifier() else f"**{{{key!r}: "
    return f".assign({keyword}lambda rows: rows[{key!r}]{call}{'' if key.isidentifier() else '}'})"


def require_same_keys(on: tuple[str, ...], left: pa.Schema, right: pa.Schema, places: tuple[str, str]) -> None:
    """Refuse keys that are not of one dtype on both sides, or of one that keys cannot have."""
    for key in on:
        one, other = column_of(left, key), column_of(right, key)
        if one.type != other.type:
            raise DtypeError(
                f"key {key!r} must have one dtype on both sides",
                got=f"{dtype_name(one)} {places[0]}, {dtype_name(other)} {places[1]}",
                hint=f"convert one of them before: {_conversion(key, one, other)}",
            )
        if pa.types.is_nested(one.type) or pa.types.is_dictionary(one.type):
            raise DtypeError(
                "a key must be a number, text, a bool, a time or a duration",
                got=f"column {key!r} of {dtype_name(one)}",
                hint="take other columns",
            )


HOWS = get_args(How)
DIRECTIONS = get_args(Direction)
