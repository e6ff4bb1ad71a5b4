"""``python tests/browser/pictures.py FOLDER [NAME ...]``, or ``make pictures``: the documentation's pictures.

Of each kind of chart, of time diagrams and of dashboards, light and dark. The data are the same each time; the letters
are those of the machine's fonts.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from bokeh.plotting import figure
from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from conftest import FLAGS, chromium  # noqa: E402

import flower as fl  # noqa: E402
from flower.charts import (  # noqa: E402
    Area,
    Bar,
    Barh,
    Candlestick,
    Chart,
    Custom,
    Gauge,
    Heatmap,
    Hist,
    Line,
    Map,
    Number,
    Scatter,
    Stacked,
    Step,
)
from flower.charts.dashboard import Dashboard  # noqa: E402

DRAWN = "() => window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents.every(document => document.is_idle)"
CITIES = {
    "Berlin": (13.4, 52.5),
    "Lagos": (3.4, 6.5),
    "Lima": (-77.0, -12.0),
    "Oslo": (10.8, 59.9),
    "Pune": (73.9, 18.5),
}


def panes(keys: list[str], windows: int = 24) -> pd.DataFrame:
    """Panes of five minutes: the last two early, one late."""
    random = np.random.default_rng(7)
    start = pd.Timestamp("2026-03-08T10:00Z") + pd.to_timedelta(np.arange(windows) * 5, unit="min")
    timing = np.array(["on_time"] * (windows - 2) + ["early"] * 2, object)
    timing[windows // 2] = "late"
    frames = []
    for number, key in enumerate(keys):
        walk = 40 + 12 * number + np.cumsum(random.normal(0, 4, windows))
        spread = np.abs(random.normal(0, 4, windows))
        opened = np.r_[walk[0], walk[:-1]]
        frames.append(
            pd.DataFrame(
                {
                    "city": key,
                    "window_start": start,
                    "window_end": start + pd.Timedelta("5min"),
                    "rows": np.maximum(walk, 1).round(),
                    "open": opened,
                    "high": np.maximum(opened, walk) + spread,
                    "low": np.minimum(opened, walk) - spread,
                    "close": walk,
                    "pane_timing": pd.Categorical(timing, categories=["early", "on_time", "late"]),
                    "pane_index": (timing == "late").astype("int64"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def charts() -> dict[str, Chart]:
    """A chart of each type."""
    several = panes(list(CITIES))
    one = several[several["city"] == "Lagos"]
    many = panes([f"city {number}" for number in range(12)])
    newest = several[several["window_end"] == several["window_end"].max()]
    newest = newest.assign(pane_timing=newest["pane_timing"].mask(newest["city"] != "Lima", "on_time"))
    newest = newest.assign(pane_timing=newest["pane_timing"].mask(newest["city"] == "Lagos", "late"))
    where = newest.assign(
        lon=[CITIES[each][0] for each in newest["city"]], lat=[CITIES[each][1] for each in newest["city"]]
    )
    values = pd.DataFrame({"delay": np.random.default_rng(7).gamma(2, 9, 4000), "city": np.tile(list(CITIES), 800)})
    over = {"x": "window_end", "y": "rows", "by": "city"}
    made = {
        "line": Line(**over).figure(several),
        "step": Step(**over).figure(several[several["city"].isin(["Berlin", "Pune"])]),
        "scatter": Scatter(x="open", y="close", by="city").figure(several),
        "area": Area(**over).figure(several[several["city"].isin(["Berlin", "Pune"])]),
        "stacked": Stacked(**over, keys=5).figure(many),
        "bar": Bar(**over, stacked=True, keys=5).figure(many),
        "barh": Barh(x="city", y="rows").figure(newest),
        "hist": Hist(x="delay", by="city", keys=3).figure(values),
        "heatmap": Heatmap(x="window_end", y="city", value="rows").figure(many),
        "candlestick": Candlestick(x="window_end").figure(one),
        "gauge": Gauge(y="rows", high=100, unit="rows/s").figure(one),
        "number": Number(y="rows", unit="rows/s").figure(one),
        "map": Map(lon="lon", lat="lat", size="rows", by="city").figure(where),
    }
    made["custom"] = Custom(fn=whiskers).figure(several)
    return {**{name: Chart(plot) for name, plot in made.items()}, **diagrams()}


def whiskers(frame: pd.DataFrame) -> figure:
    """A figure of one's own: what half of a city's windows are between, and their median."""
    spread = frame.groupby("city")["rows"].quantile([0.25, 0.5, 0.75]).unstack()
    plot = figure(x_range=list(spread.index), height=440, sizing_mode="stretch_width", toolbar_location=None)
    plot.title.text = "rows of a window: median, and half of them"
    plot.segment(spread.index, spread[0.25], spread.index, spread[0.75], line_width=14, color="#56B4E9")
    plot.scatter(spread.index, spread[0.5], size=16, color="#222222", marker="dash", line_width=3)
    # The colours that a dark theme exchanges (flower/charts/style.py).
    plot.background_fill_color = plot.border_fill_color = plot.outline_line_color = None
    plot.title.text_color, plot.grid.grid_line_color = "#222222", "#E6E6E6"
    plot.axis.major_label_text_color, plot.axis.axis_line_color = "#555555", "#B0B0B0"
    plot.axis.major_tick_line_color, plot.axis.minor_tick_line_color = "#B0B0B0", None
    return plot


def dashboards() -> dict[str, Dashboard]:
    """Charts and a table side by side."""
    several = panes(["Berlin", "Lagos", "Lima"])
    over = {"x": "window_end", "y": "rows", "by": "city"}
    shown = several.loc[several["window_end"] > several["window_end"].max() - pd.Timedelta("15min")]
    table = shown.sort_values(["window_end", "city"], ascending=False)
    parts = [Line(**over).figure(several), Bar(**over, stacked=True).figure(several)]
    field = Heatmap(x="window_end", y="city", value="rows").figure(several)
    columns = ["city", "window_end", "rows", "pane_timing"]
    board = fl.dashboard([Chart(each) for each in parts], [Chart(field), table[columns]], title="rows by city")
    return {"dashboard": board}


def diagrams() -> dict[str, Chart]:
    """Time diagrams of three published figures and of two days of flights."""
    flights = fl.read.parquet(
        fl.datasets.flights, event_time="departure", arrival="observed", watermark=fl.BoundedDisorder("3h")
    )
    windows = flights.filter("observed < '2013-03-08'").window(fl.FixedWindows("6h"), allowed_lateness="1h")
    return {
        "time-diagram-early-late": fl.teach.figure("book_fig2_11_right").time_diagram(),
        "time-diagram-retracting": fl.teach.figure("book_fig2_14_retracting").time_diagram(),
        "time-diagram-sessions": fl.teach.figure("book_fig4_7_sessions_1m_retracting").time_diagram(),
        "time-diagram-flights": windows.groupby("origin").agg(n="count").time_diagram(key="JFK"),
    }


def small(png: bytes) -> bytes:
    """The picture with a palette of its own: a third of the bytes, and nobody sees it."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    packed = io.BytesIO()
    picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 780, "height": 620})
        for name, shown in {**charts(), **dashboards()}.items():
            if sys.argv[2:] and name not in sys.argv[2:]:
                continue
            whole = isinstance(shown, Dashboard)
            width = 1280 if whole else 1000 if name.startswith("time-diagram") else 780
            page.set_viewport_size({"width": width, "height": 620})
            for theme in ("light", "dark"):
                path = shown.save(folder / f"{name}.html", theme=theme)
                page.goto(path.as_uri())
                page.wait_for_function(DRAWN)
                page.wait_for_timeout(150)
                part = page.locator("body" if whole else ".bk-Figure").first
                (folder / f"{name}-{theme}.png").write_bytes(small(part.screenshot()))
                path.unlink()
        browser.close()


if __name__ == "__main__":
    main()
