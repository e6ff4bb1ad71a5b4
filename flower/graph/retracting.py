"""Steps after a retracting one: whose rows may take back others, and what may be made of them.

A retraction is the row that it takes back, column for column but ``pane_retraction``. A step that treats both alike
keeps them a pair; one that may not is refused when it is followed by an aggregation, which would take back what never
came. That a row is a retraction is told beside its columns: ``pane_retraction`` may be renamed or left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flower.errors import GraphError
from flower.graph.cogrouping import Sided
from flower.graph.expressions import Column, Expr, FrameFunction, Logical
from flower.graph.nodes import Aggregate, Assign, Concat, Filter, MapFrames, Node, Require, Select, Stateful, step_text
from flower.graph.schema import names_text
from flower.model.combiners import Combiner
from flower.model.custom import WindowFn
from flower.model.panes import FINAL, RETRACTION
from flower.model.windows import CountWindows, by_clock

_FINAL_ONLY = f"take the final pane of each window only, with .filter({FINAL!r}) right after the retracting step"


def subtracting(combiner: Combiner) -> Combiner:
    """The combiner to use where rows may be taken back; `require_subtractable` has seen that there is one."""
    found = combiner.retractable()
    assert found is not None
    return found


def only_final(predicate: Expr | FrameFunction, names: frozenset[str] = frozenset({FINAL})) -> bool:
    """Whether a filter keeps final panes only, as far as its expression tells; ``names`` say which are."""
    if isinstance(predicate, Logical) and predicate.operator == "and":
        return any(only_final(each, names) for each in predicate.operands)
    return isinstance(predicate, Column) and predicate.columns() <= names


def keeps_final_only(node: Filter) -> bool:
    """Whether no row of a filter can be taken back any more, since all are final panes."""
    return only_final(node.predicate, _columns_of_panes(node.input, FINAL))


def require_subtractable(node: Aggregate) -> None:
    """See whether an aggregation can take back rows of its input, which may be retracted.

    Raises
    ------
    GraphError
        If it cannot; says why and what to do.
    """
    for each in node.aggregations:
        if each.combiner.retractable() is None:
            raise GraphError(
                f"aggregate {each.name!r} must be able to take back rows, for the panes before it can be retracted",
                got=f"{each.combiner!r}, which cannot",
                hint=f"{_FINAL_ONLY}; or use an aggregate that can, such as 'sum', 'count' or 'mean'",
            )
    how = node.grouping
    wrong = None
    if how.accumulation == "discarding":
        wrong = "accumulation='discarding'", "an increment cannot take back what an earlier one told"
    elif by_clock(how.windows):
        wrong = repr(how.windows), "a retraction would come into a later window than the row that it takes back"
    elif isinstance(how.windows, CountWindows):
        wrong = repr(how.windows), "a window that is full has fired, and takes no row back"
    elif isinstance(how.windows, WindowFn):
        wrong = (
            repr(how.windows),
            "they may place a retraction elsewhere than the row that it takes back",
        )
    elif how.windows.merging:
        wrong = repr(how.windows), "a session cannot be taken apart when a row that joined it is taken back"
    elif how.timestamp_combiner != "end_of_window":
        wrong = f"timestamp_combiner={how.timestamp_combiner!r}", "it would depend on rows that are taken back"
    elif how.trigger.finishes:
        wrong = f"{how.trigger!r}", "a window that finishes takes no retractions any more"
    elif how.ttl_us is not None:
        wrong = "a ttl", "what has been let go cannot be taken back"
    if wrong is not None:
        raise GraphError(
            "the windows of rows that can be retracted must be able to take them back",
            got=f"{wrong[0]}: {wrong[1]}",
            hint=f"{_FINAL_ONLY}; or leave that out",
        )
    _require_alike(node.input)
    signs = retraction_columns(node.input)
    for name in (*node.keys, *(name for each in node.aggregations for name in each.columns)):
        if name in signs:
            raise GraphError(
                "a retraction must be grouped and aggregated as the row that it takes back",
                got=f"the column {name!r}, which tells them apart",
                hint="use other columns: the aggregation takes rows back by itself",
            )


def require_joinable(node: Node, keys: tuple[str, ...], side: str) -> None:
    """See whether rows of a side of a join, which may be retracted, can be told from one another and taken back.

    Raises
    ------
    GraphError
        If they cannot; says why and what to do.
    """
    _require_alike(node)
    signs = retraction_columns(node)
    if wrong := [key for key in keys if key in signs]:
        raise GraphError(
            "a retraction must be joined as the row that it takes back",
            got=f"the key {wrong[0]!r}, which tells them apart",
            hint="join on other columns",
        )
    if wrong := [field.name for field in node.schema if field.name not in signs and pa.types.is_nested(field.type)]:
        raise GraphError(
            f"rows of a {side} side that may be retracted must have plain columns, by which they are found again",
            got=f"{names_text(wrong)}: lists or structs",
            hint=f"leave them out with .drop(); or {_FINAL_ONLY}",
        )
    for step in _retracted(node):
        if step.grouping.timestamp_combiner != "end_of_window":
            raise GraphError(
                f"panes of a {side} side that may be retracted must keep their event time",
                got=f"timestamp_combiner={step.grouping.timestamp_combiner!r} in {step_text(step)}",
                hint=f"leave that out; or {_FINAL_ONLY}",
            )


def _retracted(node: Node) -> Iterator[Aggregate]:
    """The aggregations whose panes are among rows that may be retracted."""
    if isinstance(node, Aggregate):
        yield node
    elif node.retracting:
        for each in node.inputs:
            yield from _retracted(each)


def _require_alike(node: Node) -> None:
    """Refuse steps up to ``node`` that may treat a retraction unlike the row that it takes back."""
    for step in _between(node):
        if isinstance(step, MapFrames):
            raise _unlike(step, "map_frames(), which may look at several rows", "flat_map_rows() or expressions")
        for value in _values(step):
            if isinstance(value, FrameFunction):
                got = f"`{value}`, a function of the frame, which may look at several rows"
                raise _unlike(step, got, "an expression, such as 'delay > 15', or flat_map_rows()")
            used = value.columns() & retraction_columns(step.inputs[0])
            if used:
                raise _unlike(step, f"`{value}`, which tells them apart", f"an expression without {min(used)!r}")


def _unlike(step: Node, got: str, other: str) -> GraphError:
    return GraphError(
        f"step {step_text(step)}, between a retracting step and an aggregation or a join, must treat each row and its "
        "retraction alike",
        got=got,
        hint=f"use {other}; or {_FINAL_ONLY}",
    )


def _values(step: Node) -> list[Expr | FrameFunction]:
    match step:
        case Filter(predicate=predicate) | Require(predicate=predicate):
            return [predicate]
        case Assign(columns=columns):
            return [value for _, value in columns]
    return []


def _between(node: Node) -> Iterator[Node]:
    """The steps up to the aggregations and joins whose rows may be retractions."""
    if not node.retracting or isinstance(node, Stateful):
        return
    yield node
    for each in node.inputs:
        yield from _between(each)


def retraction_columns(node: Node) -> frozenset[str]:
    """The columns that tell retractions from the rows that they take back."""
    return _columns_of_panes(node, RETRACTION) if node.retracting else frozenset()


def _columns_of_panes(node: Node, name: str) -> frozenset[str]:
    """The names under which a column of the panes is known; what a function gives is not followed."""
    match node:
        case Aggregate():
            return frozenset({name}) & frozenset(node.schema.names)
        case Stateful():
            return frozenset({RETRACTION}) if name == RETRACTION and node.retracting else frozenset()
        case Select(columns=columns):
            before = _columns_of_panes(node.input, name)
            return frozenset(new for new, old in columns if old in before)
        case Assign(columns=columns):
            known = _columns_of_panes(node.input, name)
            for new, value in columns:
                known = known | {new} if isinstance(value, Column) and value.columns() <= known else known - {new}
            return known
        case Sided():
            before = _columns_of_panes(node.input, name)
            return frozenset(each for each in node.output.names if node.own(each) in before)
        case Concat(parts=parts):
            every = [_columns_of_panes(part, name) for part in parts]
            if name == FINAL:
                return frozenset.intersection(*every)
            return frozenset.union(*every)
        case _ if len(node.inputs) == 1 and node.schema.equals(node.inputs[0].schema):
            return _columns_of_panes(node.inputs[0], name)
    return frozenset()
