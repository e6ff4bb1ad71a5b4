"""The view of a run's panes, brought up to date by what is new: a chart looks at it many times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flower.engine.results import aggregate_of
from flower.graph.nodes import Node
from flower.graph.schema import frame_of
from flower.model.panes import ABSORBS, RETRACTION

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
    most : int
        Rows that are kept, the newest.

    Attributes
    ----------
    let_go : int
        Rows that are not shown, as they are too many.
    taken_back : int
        Panes that were taken back.
    """

    def __init__(self, run: Run, step: str, most: int = MOST) -> None:
        self._run, self._step, self._most = run, step, most
        self._seen = 0
        self._rows: pa.RecordBatch | None = None
        self.let_go = self.taken_back = 0

    def refresh(self) -> bool:
        """Take what the run has given since; returns whether there was something."""
        fresh, self._seen = self._run.since(self._step, self._seen)
        if self._rows is not None and not fresh.rows:
            return False
        for batch in fresh.rows:
            if RETRACTION in batch.schema.names:
                self.taken_back += pc.sum(batch.column(RETRACTION)).as_py() or 0
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
