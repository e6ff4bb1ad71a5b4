"""``stream.plot``: the charts there are, as methods."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from flower.charts.chart_type import ChartType
from flower.charts.kinds.area import Area
from flower.charts.kinds.bar import Bar
from flower.charts.kinds.barh import Barh
from flower.charts.kinds.candlestick import Candlestick
from flower.charts.kinds.custom import Custom
from flower.charts.kinds.gauge import Gauge
from flower.charts.kinds.heatmap import Heatmap
from flower.charts.kinds.hist import Hist
from flower.charts.kinds.line import Line
from flower.charts.kinds.map import Map
from flower.charts.kinds.number import Number
from flower.charts.kinds.scatter import Scatter
from flower.charts.kinds.stacked import Stacked
from flower.charts.kinds.step import Step
from flower.charts.page import Chart
from flower.charts.view import combinations
from flower.engine.run import Run
from flower.errors import FlowerError

if TYPE_CHECKING:
    from flower.api.stream import Stream

FPS = 10.0
"""Updates a second of a live chart, at most."""

LIVE = """
    run : Run, optional
        The run to follow; None: in a notebook one is started, and stopped when the cell runs again; else the stream is
        run to its end.
    fps : float
        Updates a second of a live chart, at most.
"""


def verb(kind: type[ChartType], *, positional: bool = False) -> Callable[..., Any]:
    """A method that makes such a chart: its parameters and its docstring are those of the type."""
    hints = typing.get_type_hints(kind)
    declared = [each.replace(annotation=hints[each.name]) for each in inspect.signature(kind).parameters.values()]
    options = sorted(declared, key=lambda each: (each.default is not each.empty, each.name == "title"))
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if positional:
        options[0] = options[0].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run = inspect.Parameter("run", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Run | None)
    fps = inspect.Parameter("fps", inspect.Parameter.KEYWORD_ONLY, default=FPS, annotation=float)
    signature = inspect.Signature([own, *options, run, fps], return_annotation=Chart)

    def method(self: Plot, /, *args: Any, **given: Any) -> Any:
        bound = signature.bind(self, *args, **given).arguments
        bound.pop("self")
        run, fps = bound.pop("run", None), bound.pop("fps", FPS)
        return self._chart(kind(**bound), run, fps)

    text = inspect.getdoc(kind) or ""
    before, line, after = text.partition("\n\nRaises\n" if "\n\nRaises\n" in text else "\n\nExamples\n")
    method.__doc__ = f"{before}\n{inspect.cleandoc(LIVE)}{line}{after}"
    method.__name__ = kind.__name__.lower()
    method.__qualname__ = f"Plot.{method.__name__}"
    method.__module__ = __name__
    method.__signature__ = signature  # type: ignore[attr-defined]
    method.__annotations__ = {each.name: each.annotation for each in (*options, run, fps)} | {"return": Chart}
    return method


class Plot:
    """Charts of a stream's view.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> frame = pd.DataFrame({"carrier": ["AA", "UA", "AA"], "delay": [3, 20, 40]})
    >>> per_carrier = fl.read.frame(frame).groupby("carrier").agg(mean=("delay", "mean"))
    >>> per_carrier.plot.bar(x="carrier", y="mean")
    <Chart 'mean': .save('chart.html') writes a page, .figure is Bokeh's figure>
    """

    line = verb(Line)
    bar = verb(Bar)
    barh = verb(Barh)
    step = verb(Step)
    scatter = verb(Scatter)
    area = verb(Area)
    stacked = verb(Stacked)
    hist = verb(Hist)
    heatmap = verb(Heatmap)
    candlestick = verb(Candlestick)
    gauge = verb(Gauge)
    number = verb(Number)
    map = verb(Map)
    custom = verb(Custom, positional=True)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def _chart(self, kind: ChartType, run: Run | None, fps: float) -> Any:
        """A chart of what the stream gives once it has ended, or of what the run has given so far."""
        if run is None:
            view: Any = self._stream.collect()
        else:
            view = run.results
        if not isinstance(view, pd.DataFrame):
            if self._stream.node.name not in view:
                raise FlowerError(
                    "the run has several outputs, and none is this stream",
                    got=f"{self._stream.node.name!r} beside {', '.join(view)}",
                    hint="name the stream before the run starts: .named('large')",
                )
            view = view[self._stream.node.name]
        return Chart(kind.figure(view, combinations(self._stream.node)))

    def __repr__(self) -> str:
        kinds = [name for name, member in vars(Plot).items() if inspect.isfunction(member) and name[:1] != "_"]
        return f"charts of a stream: {', '.join(f'.{name}' for name in kinds)}"
