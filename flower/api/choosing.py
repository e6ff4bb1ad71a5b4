"""The verbs of a stream that choose among its rows by key or by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flower.api.arguments import column_names
from flower.api.grouped import require_settled
from flower.api.pipeline import Pipeline, step_errors
from flower.graph.deduplication import Deduplicate
from flower.graph.schema import require_columns
from flower.model.time import Duration, duration_us

if TYPE_CHECKING:
    from flower.api.stream import Stream


class Choosing(Pipeline):
    """The part of `Stream` that chooses rows."""

    __slots__ = ()

    def deduplicate(self, *keys: str, within: Duration) -> Stream:
        """Give the first row of each key, and leave out those that repeat it within a time.

        Parameters
        ----------
        *keys : str
            The columns whose values say that two rows are one; missing values are equal to one another.
        within : str or pandas.Timedelta
            How far apart two rows may be in event time, before or after, and still be one.

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
            If rows may be taken back, or are panes that replace one another.

        Notes
        -----
        A row is given at once, so the first is the one that came first: in an earlier epoch; within an epoch, by event
        time, then partition, then position there. `collect` takes all rows as of one epoch. What was given is
        remembered until the watermark has passed it by ``within``. Rows that come after the watermark are not compared,
        as what they would repeat may be forgotten: they go to ``.dropped``.

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
            require_settled(node, "deduplicated")
            return Stream(Deduplicate(node, names, apart))
