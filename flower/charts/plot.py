"""``stream.plot``: charts of a stream that ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flower.charts.bars import bar
from flower.charts.lines import line
from flower.charts.page import Chart

if TYPE_CHECKING:
    from flower.api.stream import Stream


class Plot:
    """Charts of a stream's view: each runs the stream to its end and draws what `collect` gives.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> frame = pd.DataFrame({"carrier": ["AA", "UA", "AA"], "delay": [3, 20, 40]})
    >>> per_carrier = fl.read.frame(frame).groupby("carrier").agg(mean=("delay", "mean"))
    >>> per_carrier.plot.bar(x="carrier", y="mean")
    <Chart 'mean': .save('chart.html') writes a page, .figure is Bokeh's figure>
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def line(
        self,
        *,
        x: str,
        y: str,
        by: str | Sequence[str] | None = None,
        title: str | None = None,
        keys: int | Sequence[str] = 7,
    ) -> Chart:
        """Lines over `x`, one for each key; see `flower.charts.line`."""
        return Chart(line(self._stream.collect(), x=x, y=y, by=by, title=title, keys=keys))

    def bar(
        self,
        *,
        x: str,
        y: str,
        by: str | Sequence[str] | None = None,
        stacked: bool = False,
        title: str | None = None,
        keys: int | Sequence[str] = 7,
    ) -> Chart:
        """Bars over `x`, side by side or stacked; see `flower.charts.bar`."""
        return Chart(bar(self._stream.collect(), x=x, y=y, by=by, stacked=stacked, title=title, keys=keys))

    def __repr__(self) -> str:
        return f"charts of a stream: {', '.join(f'.{name}(x=..., y=...)' for name in ('line', 'bar'))}"
