"""Every kind of chart in JupyterLab and Notebook 7: it grows, is refined, and shows names as text."""

import pytest
from laboratory import bundles
from playwright.sync_api import expect

SETUP = """
import flower as fl
from flower.notebook import live
live.install(get_ipython())
KEYS = ["<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>", "plain"]
rows = fl.read.rate(300, keys=3).assign(
    name=lambda frame: frame["key"].map(dict(enumerate(KEYS))).astype("str"),
    lon=lambda frame: frame["key"] * 20.0, lat=lambda frame: frame["key"] * 10.0,
)
windows = rows.window(fl.FixedWindows("1s"), trigger=fl.AfterWatermark(early=fl.AfterProcessingTime("200ms")))
panes = windows.groupby("name").agg(
    n="count", open=("value", "first"), high=("value", "max"), low=("value", "min"), close=("value", "last"),
    lon=("lon", "max"), lat=("lat", "max"),
)
total = windows.agg(
    n="count", open=("value", "first"), high=("value", "max"), low=("value", "min"), close=("value", "last")
)
run, of_all = panes.run(), total.run()

def own(frame):
    from bokeh.plotting import figure
    plot = figure(height=200, width=400)
    plot.line(frame["window_end"], frame["n"])
    return plot
"""
OVER = "x='window_end', y='n', by='name'"
CHARTS = {
    "line": f"panes.plot.line({OVER}, last='20s', run=run, fps=3)",
    "step": f"panes.plot.step({OVER}, run=run, fps=3)",
    "scatter": "panes.plot.scatter(x='low', y='high', by='name', run=run, fps=3)",
    "area": f"panes.plot.area({OVER}, run=run, fps=3)",
    "stacked": f"panes.plot.stacked({OVER}, keys=2, run=run, fps=3)",
    "bar": f"panes.plot.bar({OVER}, stacked=True, run=run, fps=3)",
    "barh": "total.plot.barh(x='window_end', y='n', run=of_all, fps=3)",
    "hist": "panes.plot.hist(x='close', by='name', run=run, fps=3)",
    "heatmap": "panes.plot.heatmap(x='window_end', y='name', value='n', run=run, fps=3)",
    "candlestick": "total.plot.candlestick(x='window_end', run=of_all, fps=3)",
    "gauge": "total.plot.gauge(y='n', high=400, run=of_all, fps=3)",
    "number": "total.plot.number(y='close', run=of_all, fps=3)",
    "map": "panes.plot.map(lon='lon', lat='lat', size='n', by='name', run=run, fps=3)",
    "custom": "total.plot.custom(own, run=of_all, fps=3)",
}

# What the charts of the page draw, as one text each.
DRAWN = """() => (window.Bokeh?.documents ?? []).map(doc => JSON.stringify(
    [...doc._all_models.values()].filter(model => model.type === "ColumnDataSource")
        .map(({data}) => Object.values(data).map(column => [column.length, [...column].slice(-3)]))))"""
LABELS = "all => all.map(each => each.getAttribute('aria-label'))"
PANES = """() => new Set((window.Bokeh?.documents ?? []).flatMap(doc => [...doc._all_models.values()])
    .filter(model => model.type === "ColumnDataSource" && model.data.pane)
    .flatMap(model => [...model.data.pane])).size"""


@pytest.mark.parametrize("place", ["lab", "notebook"])
def test_every_kind_grows_and_is_refined_and_shows_names_as_text(opened, lab_page, lab_screenshot, complaints, place):
    notebook = opened([SETUP, *CHARTS.values(), "run.stop(); of_all.stop()\nNone"], place)
    lab_page.evaluate(
        "() => { jupyterapp.shell.currentWidget.content.notebookConfig = "
        "{...jupyterapp.shell.currentWidget.content.notebookConfig, windowingMode: 'none'} }"
    )
    notebook.run(0)
    for number in range(1, len(CHARTS) + 1):
        notebook.run(number)
    lab_page.wait_for_function(f"() => ({DRAWN})().length === {len(CHARTS)}")
    named = lab_page.get_by_role("figure")
    expect(named).to_have_count(len(CHARTS))
    assert all(label and label != "chart" for label in named.evaluate_all(LABELS)[:-1])
    before = lab_page.evaluate(DRAWN)
    lab_page.wait_for_function(
        f"before => ({DRAWN})().every((drawn, at) => drawn !== before[at])", arg=before, timeout=60_000
    )
    lab_page.wait_for_function(f"() => ({PANES})() >= 2")  # early ones, and some on time
    expect(lab_page.locator(".bk-Legend").get_by_text("<script>alert(1)</script>").first).to_be_attached()
    assert lab_page.locator(".flower-view img").count() == 0
    lab_screenshot(f"kinds-{place}")
    notebook.theme("JupyterLab Dark")
    expect(lab_page.locator(".flower-chart.flower-dark")).to_have_count(len(CHARTS), timeout=30_000)
    lab_screenshot(f"kinds-{place}-dark")
    notebook.run(len(CHARTS) + 1)
    for number in range(1, len(CHARTS) + 1):
        expect(notebook.output(number).locator("img")).to_be_visible(timeout=30_000)
    outputs = [bundles(cell) for cell in notebook.save()["cells"][1:-1]]
    assert [set(one) for [one] in outputs] == [{"image/png", "text/plain"}] * len(CHARTS)
    if place == "notebook":
        # Of its own, without Flower as well: settings of a plugin, and a command, are asked for that it has not.
        own = ("reading 'schema'", "Command 'filebrowser:open-path' not registered.")
        complaints[:] = [each for each in complaints if not any(text in each for text in own)]
