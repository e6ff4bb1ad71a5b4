"""Charts of panes: Bokeh figures that know early, on-time and late panes, and pages of them that need no network."""

from flower.charts.bars import bar
from flower.charts.lines import line
from flower.charts.page import Chart, save

__all__ = ["Chart", "bar", "line", "save"]
