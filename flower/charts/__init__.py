"""Charts of panes: Bokeh figures that know early, on-time and late panes, and pages of them that need no network."""

from importlib.util import find_spec

if find_spec("bokeh") is None:
    raise ModuleNotFoundError("charts need Bokeh; pip install 'flower-streams[charts]'", name="bokeh")

from flower.api.display import register
from flower.charts.bars import bar
from flower.charts.lines import line
from flower.charts.page import Chart, save
from flower.charts.plot import Plot

__all__ = ["Chart", "Plot", "bar", "line", "save"]

register("plot", Plot)
