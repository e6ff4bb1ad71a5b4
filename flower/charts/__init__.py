"""Charts of panes: Bokeh figures that know early, on-time and late panes, and pages of them that need no network."""

from importlib.util import find_spec

if find_spec("bokeh") is None:
    raise ModuleNotFoundError("charts need Bokeh; pip install 'flower-streams[charts]'", name="bokeh")

from flower.api.display import register
from flower.charts.dashboard import Dashboard, dashboard
from flower.charts.diagram import Diagram, figure_diagram, run_diagram, time_diagram
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
from flower.charts.page import Chart, save
from flower.charts.plot import Plot

__all__ = [
    "Area",
    "Bar",
    "Barh",
    "Candlestick",
    "Chart",
    "Custom",
    "Dashboard",
    "Diagram",
    "Gauge",
    "Heatmap",
    "Hist",
    "Line",
    "Map",
    "Number",
    "Plot",
    "Scatter",
    "Stacked",
    "Step",
    "dashboard",
    "save",
]

register("plot", Plot)
register("time_diagram", time_diagram)
register("run_diagram", run_diagram)
register("figure_diagram", figure_diagram)
