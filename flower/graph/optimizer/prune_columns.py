"""Projection pushdown: a source reads only the columns that somebody needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flower.graph import punctuations
from flower.graph.cogrouping import Sided
from flower.graph.deduplication import Deduplicate
from flower.graph.enriching import Enrich
from flower.graph.joins import Joining
from flower.graph.learning import Learn
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
    Require,
    Select,
    walk,
)
from flower.graph.optimizer.values import columns_used
from flower.graph.process import Process
from flower.model.custom import WindowFn
from flower.model.windows import Sessions


def prune_columns(outputs: tuple[Node, ...]) -> Mapping[Node, Node]:
    """Narrow each `Read` and `Select` to what later steps, keys, aggregates, outputs, times and watermark need.

    A function of frames needs all columns that reach it, and so do dropped rows, which show the rows as they came to
    their step. Errors need all columns of their step: a value that is not read is not checked. At least one column is
    kept, to count the rows by. The parts of a `Concat` are made equal again where they differ afterwards.

    Rows are never pruned: a predicate stays after its `Read`, because rows that it drops still advance the watermark.
    """
    needed = {node: columns for node, columns in _needed(outputs).items() if columns < set(node.schema.names)}
    changed: dict[Node, Node] = {}
    for node, columns in needed.items():
        kept = [name for name in node.schema.names if name in columns] or node.schema.names[:1]
        if len(kept) == len(node.schema):
            continue
        match node:
            case Read():
                changed[node] = replace(node, columns=tuple(kept))
            case Select():
                pairs = tuple(pair for pair in node.columns if pair[0] in kept)
                changed[node] = Select(node.input, pairs, name=node.name)
            case Concat():
                pairs = tuple((name, name) for name in kept)
                parts = tuple(Select(part, pairs, name=node.name) for part in node.parts)
                changed[node] = Concat(parts, name=node.name)
    return changed


def _needed(outputs: tuple[Node, ...]) -> dict[Node, set[str]]:
    """The columns of each node that somebody needs."""
    nodes = list(walk(outputs))
    needed: dict[Node, set[str]] = {node: set() for node in nodes}
    for node in outputs:
        needed[node].update(node.schema.names)
    for node in reversed(nodes):
        wanted = needed[node]
        if not wanted and isinstance(node, (Select, Concat)):
            # The column by which rows are counted has to come from its inputs.
            wanted.add(node.schema.names[0])
        match node:
            case Read():
                wanted.update(name for name in (node.event_time, node.arrival) if name is not None)
                wanted.update(punctuations.columns_of(node.watermark))
            case Select():
                old = dict(node.columns)
                needed[node.input].update(old[new] for new in wanted)
            case Filter() | Require():
                needed[node.input] |= wanted | columns_used(node.predicate, node.input.schema)
            case Assign():
                # A replaced column is kept, because it keeps its place.
                before, after = node.input.schema, node.schema
                used = (columns_used(value, after) for _, value in node.columns)
                needed[node.input] |= wanted.union(*used) & set(before.names)
            case MapFrames() | FlatMapRows() | Process():
                needed[node.input].update(node.input.schema.names)
            case Aggregate():
                needed[node.input].update(node.keys, (name for each in node.aggregations for name in each.columns))
                windows = node.grouping.windows
                if isinstance(windows, Sessions) and windows.gap is not None:
                    needed[node.input] |= columns_used(windows.gap, node.input.schema)
                if isinstance(windows, WindowFn):
                    needed[node.input].update(windows.columns)
            case Sided():
                needed[node.input].update(node.on, node.columns)
            case Enrich():
                needed[node.input].update(node.on, wanted & set(node.input.schema.names))
                needed[node.table].update(node.on, node.added)
            case Joining():
                # A column of both sides is kept on both, because it keeps its suffix.
                for side, each in enumerate(node.inputs):
                    sources = {column.name: (column.left, column.right)[side] for column in node.columns}
                    taken = {*node.on, *node.shared, *(sources.get(name) for name in wanted)}
                    needed[each].update(name for name in each.schema.names if name in taken)
            case Deduplicate():
                needed[node.input] |= wanted | set(node.keys)
            case Learn():
                needed[node.input].update(node.keys, node.x, () if node.y is None else (node.y,))
                needed[node.input] |= wanted - {node.result}
            case Dropped():
                for each in node.of.inputs:
                    needed[each].update(each.schema.names)
            case Errors():
                needed[node.of].update(node.of.schema.names)
            case _:
                for each in node.inputs:
                    needed[each] |= wanted
    return needed
