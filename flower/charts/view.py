"""The view of a run's panes, brought up to date by what is new: a chart looks at it many times."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flower.engine.results import aggregate_of
from flower.graph.nodes import Node
from flower.graph.schema import frame_of
from flower.model.panes import ABSORBS, RETRACTION, WINDOW_END, WINDOW_START

if TYPE_CHECKING:
    from flower.engine.run import Run

MOST = 50_000
"""Rows that a chart looks at; of more the newest."""


class View:
    """What a run's output shows now; each look costs what is new, and what is shown.

    Parameters
    ----------
    run : Run
        The run.
    step : str
        The name of the output, where there are several.
    keys : collection of str
        The columns that tell panes of one window apart; see `keys_of`.
    most : int
        Rows that are kept, the newest.

    Attributes
    ----------
    let_go : int
        Rows that are not shown, as they are too many.
    taken_back : int
        Windows of keys whose panes were taken back with no other in their place: marks that went.
    """

    def __init__(self, run: Run, step: str, keys: Collection[str] = (), most: int = MOST) -> None:
        self._run, self._step, self._most = run, step, most
        self._keys = list(keys)
        self._seen = 0
        self._rows: pa.RecordBatch | None = None
        self.let_go = self.taken_back = 0

    def refresh(self) -> bool:
        """Take what the run has given since; returns whether there was something."""
        fresh, self._seen = self._run.since(self._step, self._seen)
        if self._rows is not None and not fresh.rows:
            return False
        self.taken_back += _gone(fresh.rows, self._keys)
        whole = [self._rows] if self._rows is not None and not fresh.whole else []
        rows = fresh.viewed([*whole, *fresh.rows])
        self.let_go += max(len(rows) - self._most, 0)
        self._rows = rows.slice(max(len(rows) - self._most, 0))
        return True

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a frame; the windows that one absorbed, which nothing draws, are left empty: lists are dear."""
        assert self._rows is not None
        names = [name for name in self._rows.schema.names if name != ABSORBS]
        frame = frame_of(self._rows.select(names))
        return frame.assign(**{ABSORBS: False}) if ABSORBS in self._rows.schema.names else frame


def _gone(batches: Sequence[pa.RecordBatch], keys: Sequence[str]) -> int:
    """Of the windows of whole epochs that panes are taken back of those that no other pane takes the place of."""
    # A session goes only where a longer one comes: rows of sessions cannot be taken back.
    told = [batch for batch in batches if RETRACTION in batch.schema.names and ABSORBS not in batch.schema.names]
    if not any(pc.any(batch.column(RETRACTION)).as_py() for batch in told):
        return 0
    names = [*keys, *(name for name in (WINDOW_START, WINDOW_END) if name in told[0].schema.names)]
    rows = pd.concat([frame_of(batch.select([*names, RETRACTION])) for batch in told], ignore_index=True)
    # What is said last of a key and window.
    last = rows.drop_duplicates(names, keep="last") if names else rows.tail(1)
    return int(last[RETRACTION].sum())


def keys_of(node: Node) -> list[str]:
    """The columns that tell panes of one window apart, as far as the rows of ``node`` have them."""
    source = aggregate_of(node)
    return [] if source is None else [name for name in source.keys if name in node.schema.names]


def standing(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of panes that no retraction takes back.

    Examples
    --------
    >>> rows = {"k": ["a", "a", "a"], "n": [1, 1, 2], "pane_retraction": [False, True, False]}
    >>> standing(pd.DataFrame(rows))["n"].tolist()
    [2]
    """
    if RETRACTION not in frame.columns:
        return frame
    taken = frame[RETRACTION].to_numpy(bool)
    if not taken.any():
        return frame
    # A retraction is its pane, column for column.
    same = frame.groupby([name for name in frame.columns if name not in (RETRACTION, ABSORBS)], dropna=False)
    number = same.ngroup().to_numpy()
    panes = pd.Series(number[~taken])
    back = pd.Series(number[taken]).value_counts().reindex(panes.unique(), fill_value=0)
    # Of several that are alike the earliest are taken back.
    return frame[~taken][(panes.groupby(panes).cumcount() >= panes.map(back)).to_numpy()]


def combinations(node: Node) -> dict[str, str]:
    """How the values of each column of a step's panes combine, where they do."""
    source = aggregate_of(node)
    if source is None:
        return {}
    combine = {each.name: each.combiner.combines for each in source.aggregations}
    same = {field.name for field in node.schema if field in source.schema}
    return {name: how for name, how in combine.items() if how is not None and name in same}
