"""Pages of figures that stand alone: BokehJS is in the file, and the page may not ask anybody for anything."""

from __future__ import annotations

import json
import os
import typing
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bokeh.embed import file_html
from bokeh.plotting import figure
from bokeh.resources import INLINE

from flower.charts.style import DARK
from flower.errors import FlowerError

# BokehJS carries addresses of a CDN, for formulas that these figures do not have. The policy makes sure that a page
# fetches nothing, whatever the data says; its scripts and styles are those in the file.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)

TEMPLATE = """\
{% macro placed(part) %}
  {% if part.root is defined %}
    <div class="part">{{ embed(docs[0].roots[part.root]) }}</div>
  {% elif part.table is defined %}
    <div class="part" data-table="{{ part.table }}"></div>
  {% else %}
    <div class="{{ part.way }}">{% for each in part.parts %}{{ placed(each) }}{% endfor %}</div>
  {% endif %}
{% endmacro %}
{% block preamble %}
    <meta http-equiv="Content-Security-Policy" content="{{ policy }}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
{% endblock %}
{% block postamble %}
    <style>
      html { overflow-y: scroll; }  /* a scrollbar that comes later would redraw the charts */
      html, body { height: auto; background: #fff; color: #222; color-scheme: light; }
      html.dark, .dark body { background: #161616; color: #eaeaea; color-scheme: dark; }
      body { margin: 0 auto; max-width: {{ width }}px; padding: 24px;
        font-family: system-ui, "DejaVu Sans", sans-serif; }
      h1 { font-size: 1.35rem; font-weight: 600; margin: 0 0 12px; }
      .row { display: flex; gap: 20px; }
      .row > * { flex: 1 1 0; min-width: 0; }
      .part { margin-bottom: 16px; }
      .flower-note { font-size: 12px; opacity: .75; padding: 3px 0; }
    </style>
{% endblock %}
{% block contents %}
  <h1>{{ title | e }}</h1>
  <div id="bar"></div>
  {{ placed(layout) }}
{% endblock %}
{% block inner_body %}
  {{ super() }}
  <script type="application/json" id="said">{{ said }}</script>
  <script>(() => {
{{ own }}
  })()</script>
  {% if script %}<script>{{ script }}</script>{% endif %}
{% endblock %}
"""

Theme = Literal["auto", "light", "dark"]
"""The colours of a page: "auto" takes those that its reader's system asks for."""


@cache
def front(name: str) -> str:
    """The text of a script of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


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

    def save(self, path: str | os.PathLike[str], title: str | None = None, *, theme: Theme = "auto") -> Path:
        """Write a page with this chart; see `flower.charts.save`."""
        return save(self.figure, path, self.title if title is None else title, theme=theme)


def save(
    charts: Chart | figure | Sequence[Chart | figure],
    path: str | os.PathLike[str],
    title: str,
    *,
    theme: Theme = "auto",
    script: str = "",
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
    theme : {"auto", "light", "dark"}
        The colours; "auto": those that the reader's system asks for.
    script : str
        JavaScript of Flower's own that the page runs; never made of data.

    Returns
    -------
    pathlib.Path
        The file.
    """
    several = charts if isinstance(charts, Sequence) else [charts]
    figures = [chart.figure if isinstance(chart, Chart) else chart for chart in several]
    return write(figures, path, title, theme=theme, script=script)


def write(
    parts: Sequence[Any],
    path: str | os.PathLike[str],
    title: str,
    *,
    theme: Theme,
    links: bool = False,
    script: str = "",
) -> Path:
    """Write a page of figures and tables (as `cells_of` makes them) one below the other, lists of them side by side."""
    if theme not in typing.get_args(Theme):
        raise FlowerError("`theme` must be auto, light or dark", got=repr(theme))
    figures: list[figure] = []
    tables: list[dict[str, Any]] = []

    def placed(part: Any, way: str) -> dict[str, Any]:
        if isinstance(part, Sequence):
            other = "row" if way == "column" else "column"
            return {"way": way, "parts": [placed(each, other) for each in part]}
        if isinstance(part, dict):
            tables.append(part)
            return {"table": len(tables) - 1}
        figures.append(part)
        return {"root": len(figures) - 1}

    layout = placed(parts, "column")
    said = {"tables": tables, "dark": DARK, "theme": theme, "links": links}
    html = file_html(
        figures,
        INLINE,
        title,
        template=TEMPLATE,
        template_variables={
            "policy": POLICY,
            "layout": layout,
            "width": 1500 if any(isinstance(each, Sequence) for each in parts) else 1100,
            # Nothing in it can end the element that it stands in.
            "said": json.dumps(said).replace("<", "\\u003c"),
            "script": script,
            "own": front("front.js") + front("page.js"),
        },
    )
    written = Path(path)
    written.write_text(html, encoding="utf-8")
    return written
