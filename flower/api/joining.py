"""``stream.join(...)`` and ``stream.join_asof(...)``: what they are given, checked."""

from __future__ import annotations

from collections.abc import Sequence

from flower.api.arguments import column_names, one_of
from flower.api.grouped import require_settled
from flower.errors import GraphError
from flower.graph.joins import DIRECTIONS, HOWS, Direction, How, Join, JoinAsof
from flower.graph.nodes import Node
from flower.graph.schema import require_columns
from flower.model.time import Duration, duration_text, duration_us

FOR_EVER = 2**61
"""An interval's bound in microseconds, 73,000 years, beyond which it is none."""


def join_node(
    left: Node,
    other: object,
    on: str | Sequence[str],
    how: How,
    within: tuple[Duration, Duration] | None,
    suffixes: tuple[str, str],
) -> Join:
    """The step of ``stream.join(other, ...)``, given the stream's node."""
    right, keys = _both(Join.verb, left, other, on)
    one_of("how", how, HOWS)
    interval = None
    if within is not None:
        interval = _interval(within)
        if left.windowing is not None or right.windowing is not None:
            raise GraphError(
                "a join is in windows or within an interval, not both",
                got=f"within={within!r} and windows",
                hint="leave out `within`, or call .join() before .window()",
            )
    return Join(left, right, keys, _suffixes(suffixes), how, interval)


def join_asof_node(
    left: Node,
    other: object,
    on: str | Sequence[str],
    tolerance: Duration | None,
    direction: Direction,
    suffixes: tuple[str, str],
) -> JoinAsof:
    """The step of ``stream.join_asof(other, ...)``, given the stream's node."""
    right, keys = _both(JoinAsof.verb, left, other, on)
    one_of("direction", direction, DIRECTIONS)
    most = None if tolerance is None else duration_us(tolerance, "tolerance")
    for windowing in (left.windowing, right.windowing):
        if windowing is not None:
            raise GraphError(
                "an as-of join has no windows", got=windowing.source, hint="call .join_asof() before .window()"
            )
    return JoinAsof(left, right, keys, _suffixes(suffixes), most, direction)


def _both(verb: str, left: Node, other: object, on: str | Sequence[str]) -> tuple[Node, tuple[str, ...]]:
    from flower.api.stream import Stream

    if not isinstance(other, Stream):
        raise GraphError(f"{verb}() takes another stream", got=type(other).__name__, hint=f"write .{verb}(other, 'k')")
    keys = column_names(verb, (on,) if isinstance(on, str) else tuple(on), f".{verb}(other, on='carrier')")
    for each in (left, other.node):
        require_columns(each.schema, keys)
        require_settled(each, "joined")
    return other.node, keys


def _suffixes(suffixes: object) -> tuple[str, str]:
    if not isinstance(suffixes, tuple | list) or len(suffixes) != 2 or not all(isinstance(s, str) for s in suffixes):
        raise GraphError("`suffixes` must be two texts", got=repr(suffixes), hint="write suffixes=('_left', '_right')")
    return (suffixes[0], suffixes[1])


def _interval(within: object) -> tuple[int, int]:
    if not isinstance(within, tuple | list) or len(within) != 2:
        raise GraphError(
            "`within` must be two durations: how far the other row may be from this one, at least and at most",
            got=repr(within),
            hint="write within=('-5min', '10min'), for five minutes before to ten minutes after",
        )
    low, high = (duration_us(each, "within", minimum=-FOR_EVER) for each in within)
    if low > high or high > FOR_EVER:
        raise GraphError(
            "`within` must go from an earlier to a later time",
            got=f"{duration_text(low)} to {duration_text(high)}",
            hint="write within=('-5min', '10min'), for five minutes before to ten minutes after",
        )
    return low, high
