"""Pages of figures that stand alone: BokehJS is in the file, and the page may not ask anybody for anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bokeh.embed import file_html
from bokeh.plotting import figure
from bokeh.resources import INLINE

# BokehJS carries addresses of a CDN, for formulas that these figures do not have. The policy makes sure that a page
# fetches nothing, whatever the data says; its scripts and styles are those in the file.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)

TEMPLATE = """\
{% block preamble %}
    <meta http-equiv="Content-Security-Policy" content="{{ policy }}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
{% endblock %}
{% block postamble %}
    <style>
      html { overflow-y: scroll; }  /* a scrollbar that comes later would redraw the charts */
      html, body { height: auto; background: #fff; color: #222; }
      body { margin: 0 auto; max-width: 1100px; padding: 24px; font-family: system-ui, "DejaVu Sans", sans-serif; }
      h1 { font-size: 1.35rem; font-weight: 600; margin: 0 0 12px; }
    </style>
{% endblock %}
{% block contents %}
  <h1>{{ title | e }}</h1>
  {{ super() }}
  {% if script %}<script>{{ script }}</script>{% endif %}
{% endblock %}
"""


class Chart:
    """A figure that can be kept as a file.

    Parameters
    ----------
    figure : bokeh.plotting.figure
        Bokeh's own object, to be changed as one likes.
    """

    def __init__(self, figure: figure) -> None:
        self.figure = figure

    @property
    def title(self) -> str:
        """What stands above the figure."""
        return str(self.figure.name or "chart")

    def __repr__(self) -> str:
        return f"<Chart {self.title!r}: .save('chart.html') writes a page, .figure is Bokeh's figure>"

    def save(self, path: str | os.PathLike[str], title: str | None = None) -> Path:
        """Write a page with this chart; see `flower.charts.save`."""
        return save(self.figure, path, self.title if title is None else title)


def save(
    charts: Chart | figure | Sequence[Chart | figure], path: str | os.PathLike[str], title: str, *, script: str = ""
) -> Path:
    """Write a page that needs neither network nor Python.

    Parameters
    ----------
    charts : Chart, figure, or several of them
        What the page shows, from top to bottom.
    path : str or path
        The file to write; replaced if it is there.
    title : str
        The page's heading.
    script : str
        JavaScript of Flower's own that the page runs; never made of data.

    Returns
    -------
    pathlib.Path
        The file.
    """
    several = charts if isinstance(charts, Sequence) else [charts]
    figures = [chart.figure if isinstance(chart, Chart) else chart for chart in several]
    html = file_html(
        figures,
        INLINE,
        title,
        template=TEMPLATE,
        template_variables={"policy": POLICY, "script": script},
    )
    written = Path(path)
    written.write_text(html, encoding="utf-8")
    return written
