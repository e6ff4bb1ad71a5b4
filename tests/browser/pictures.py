"""``python tests/browser/pictures.py FOLDER``, or ``make pictures``: a picture of each chart, light and dark."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
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
    one = several[several["city"] == "Berlin"]
    many = panes([f"city {number}" for number in range(12)])
    newest = several[several["window_end"] == several["window_end"].max()]
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
    return {**{name: Chart(plot) for name, plot in made.items()}, **diagrams()}


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


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 780, "height": 620})
        for name, chart in charts().items():
            for theme in ("light", "dark"):
                path = chart.save(folder / f"{name}.html", theme=theme)
                page.goto(path.as_uri())
                page.wait_for_function(DRAWN)
                page.wait_for_timeout(150)
                page.locator(".bk-Figure").first.screenshot(path=folder / f"{name}-{theme}.png")
                path.unlink()
        browser.close()


if __name__ == "__main__":
    main()
