"""What a run keeps of its outputs for a person: the panes in order of emission, bounded, and the view of them."""

from __future__ import annotations

import copy
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.graph.joins import Join
from flower.graph.nodes import Aggregate, Apply, Assign, Filter, Node, Require, Select, WindowInto
from flower.graph.schema import frame_of
from flower.model import arrays
from flower.model.panes import PANE_COLUMNS, WINDOW_END, Combination, in_order, settled, view_of

KEPT_ROWS = 1_000_000
"""Rows that a run keeps of what it emitted."""
FINE = 256
"""Epochs after which their batches are put together: a batch of ten rows takes five kilobytes."""
COARSE_ROWS = 65_536
"""Rows of the batches that are put together, at most, unless an epoch gave more."""


@dataclass(frozen=True)
class Fresh:
    """Rows that are new to somebody; ``whole``: all there are, as some of those in between were let go."""

    rows: list[pa.RecordBatch]
    whole: bool
    viewed: Callable[[list[pa.RecordBatch]], pa.RecordBatch]


class Results:
    """The rows of one output so far.

    Where the rows are panes, `view` is what a table of them shows: each (key, window) once. Other rows are shown as
    they came.
    """

    def __init__(self, node: Node, *, kept_rows: int | None = KEPT_ROWS, batch: bool = False) -> None:
        self.schema = node.schema
        self.let_go = 0
        self.windows_let_go = 0
        """Rows of the view that are gone: those of the oldest windows of a stream without end."""
        self._kept_rows = sys.maxsize if kept_rows is None else kept_rows
        self._endless = not node.bounded
        self._log: deque[pa.RecordBatch] = deque()
        self._logged = 0
        self._panes = None if batch else _panes(node)
        source = _source_of(node)
        self._settled = source is not None and settled(node.schema, source.grouping)
        self._sorted = _sorted_by(node)
        self._view: list[pa.RecordBatch] = []
        self._seen = 0
        self._compact = 0
        self._fine = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Take the rows of an epoch."""
        if not len(rows):
            return
        self._log.append(rows)
        self._logged += len(rows)
        while self._logged > self._kept_rows and len(self._log) > 1:
            gone = self._log.popleft()
            self._logged -= len(gone)
            self.let_go += len(gone)
        if self._panes is not None:
            self._see(rows)
        self._fine += 1
        if self._fine >= FINE:
            self._coarsen()

    def _see(self, rows: pa.RecordBatch) -> None:
        self._view.append(rows)
        self._seen += len(rows)
        if self._seen > 2 * self._compact + self._kept_rows and (self._endless or not self._settled):
            self._view = [self._newest(self._viewed())]
            self._seen = self._compact = len(self._view[0])

    def _newest(self, view: pa.RecordBatch) -> pa.RecordBatch:
        """Of a view in the order of its windows' ends, the newest windows that are enough rows, if there is no end."""
        if not self._endless or len(view) <= self._kept_rows or view.column(WINDOW_END).null_count:
            return view
        end = arrays.numbers(view.column(WINDOW_END))
        first = int(np.searchsorted(end, end[-self._kept_rows]))
        self.windows_let_go += first
        return view.take(pa.array(np.arange(first, len(view))))  # a slice would keep the whole

    def snapshot(self) -> Results:
        """The same rows as of now, so that a person may look at them while others are added."""
        same = copy.copy(self)
        same._log, same._view = deque(self._log), list(self._view)
        return same

    def stored(self) -> dict[str, object]:
        """What a checkpoint keeps: batches that are large and stay, so that each is written once."""
        same = self._coarsen()
        return {
            "log": tuple(self._log),
            "let_go": self.let_go,
            "view": None if same else tuple(self._view),
            "compact": self._compact,
            "windows_let_go": self.windows_let_go,
        }

    def _coarsen(self) -> bool:
        """Put small batches together; whether those of the view are those of the log."""
        same = not self.let_go and not self._compact
        most = min(COARSE_ROWS, self._kept_rows // 16)  # batches are let go whole
        self._log = deque(_coarser(self._log, most))
        if self._panes is not None:
            self._view = list(self._log) if same else _coarser(self._view, most)
        self._fine = 0
        return same

    def restore(self, told: Mapping[str, Any]) -> bool:
        """Take over what `stored` gave; False: those were other rows, and nothing is taken."""
        view = told["log"] if told["view"] is None else told["view"]
        if any(batch.schema != self.schema for batch in (*told["log"], *view)):
            return False
        self._log, self._logged = deque(told["log"]), sum(map(len, told["log"]))
        self.let_go, self._compact = told["let_go"], told["compact"]
        self.windows_let_go = told["windows_let_go"]
        if self._panes is not None:
            self._view, self._seen = list(view), sum(map(len, view))
        return True

    def _viewed(self) -> pa.RecordBatch:
        return self.viewed(self._view)

    def viewed(self, batches: list[pa.RecordBatch]) -> pa.RecordBatch:
        """The view of batches of rows, a view of earlier ones perhaps the first of them."""
        rows = _whole(batches, self.schema)
        return rows if self._panes is None else self._panes(rows)

    def since(self, seen: int) -> tuple[Fresh, int]:
        """What was added beyond the first ``seen`` rows, and how many rows there were in all."""
        total = self.let_go + self._logged
        if seen < self.let_go:
            return Fresh(list(self._log if self._panes is None else self._view), True, self.viewed), total
        rows: list[pa.RecordBatch] = []
        left = total - seen
        for batch in reversed(self._log):
            if left <= 0:
                break
            rows.append(batch.slice(max(0, len(batch) - left)))  # a checkpoint may have put epochs together
            left -= len(batch)
        return Fresh(rows[::-1], False, self.viewed), total

    def panes(self) -> pd.DataFrame:
        """All rows that are kept, in order of emission."""
        return frame_of(_whole(list(self._log), self.schema))

    def view(self) -> pd.DataFrame:
        """The view of the panes, sorted by window end, then keys; rows that are no panes as they came."""
        if self._panes is not None and self._settled:
            return frame_of(in_order(pa.Table.from_batches(self._view, self.schema), self._sorted))
        if self._panes is not None:
            return frame_of(self._viewed())
        rows = _whole(list(self._log), self.schema)
        if self._sorted:
            rows = rows.sort_by([(name, "ascending") for name in self._sorted])
        return frame_of(rows)


def _coarser(batches: Iterable[pa.RecordBatch], most: int) -> list[pa.RecordBatch]:
    """The same rows in few batches, of which the early ones stay the same as rows are added."""
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        kept.append(batch)
        while len(kept) > 1 and len(kept[-2]) < 2 * len(kept[-1]) and len(kept[-2]) + len(kept[-1]) <= most:
            kept[-2:] = [pa.concat_batches(kept[-2:])]
    return kept


def _whole(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    if not batches:
        return pa.RecordBatch.from_pylist([], schema=schema)
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def aggregate_of(node: Node) -> Aggregate | None:
    """The aggregation whose panes the rows of ``node`` still are."""
    source = _source_of(node)
    return source if isinstance(source, Aggregate) else None


def _source_of(node: Node) -> Aggregate | Join | None:
    """The keyed step whose panes the rows of ``node`` still are; those of a join in windows are panes as well."""
    while not isinstance(node, Aggregate):
        if isinstance(node, Join):
            return node if node.windowed else None
        if not isinstance(node, (Filter, Require, Assign, Select, WindowInto)):
            return None
        if isinstance(node, Select) and any(new != old for new, old in node.columns if old in PANE_COLUMNS):
            return None
        node = node.input
    return node


def _panes(node: Node) -> Callable[[pa.RecordBatch], pa.RecordBatch] | None:
    """Makes the view of panes that ``node`` gives; None if its rows are no panes any more."""
    source = _source_of(node)
    if source is None:
        return None
    names, keys, windowing = set(node.schema.names), _keys(source), source.grouping
    if not names.issuperset(keys) or not names.issuperset(set(source.schema.names) & set(PANE_COLUMNS)):
        return None
    if isinstance(source, Join):
        return lambda rows: view_of(rows, keys, windowing, several=True)
    combine = {
        each.name: cast("Combination", each.combiner.combines)
        for each in source.aggregations
        if each.combiner.combines is not None and node.schema == source.schema
    }
    several = isinstance(source, Apply)
    return lambda rows: view_of(rows, keys, windowing, combine, several=several)


def _keys(source: Aggregate | Join) -> tuple[str, ...]:
    return source.on if isinstance(source, Join) else source.keys


def _sorted_by(node: Node) -> list[str]:
    source = _source_of(node)
    if source is None:
        return []
    return [name for name in ("window_end", "window_start", *_keys(source)) if name in node.schema.names]
