"""Dashboards in a real browser: one time axis, one selection, as a saved page and live in JupyterLab."""

import contextlib

import pandas as pd
import pytest
from laboratory import bundles
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

import flower as fl
from flower.charts import Bar, Chart, Heatmap, Line

DRAWN = "() => window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents.every(document => document.is_idle)"

# A mark of a figure on the page, once it is painted there: the scales of the figure and its canvas.
PLACE = """async ([at, x, y]) => {
    const [view] = [Bokeh.index.get_by_id?.(Bokeh.documents[0].roots()[at].id)
        ?? Bokeh.index.roots.find(each => each.model === Bokeh.documents[0].roots()[at])]
    view.el.scrollIntoView({block: "center"})
    for (const _ of Array(3)) await new Promise(requestAnimationFrame)
    const box = view.canvas_view.el.getBoundingClientRect()
    return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)]
}"""
RANGES = "() => Bokeh.documents.flatMap(doc => doc.roots()).map(({x_range}) => [x_range.start, x_range.end])"
# The keys whose points each figure draws.
KEYS = """() => Bokeh.documents.flatMap(doc => doc.roots()).map(plot => [...new Set(plot.renderers.flatMap(renderer => {
    const {key} = renderer.data_source.data
    if (!key || !renderer.visible) return []
    const {filter} = renderer.view
    return filter.type === "IndexFilter" ? [...filter.indices].map(at => key[at]) : [...key]
}))].sort())"""


def panes() -> pd.DataFrame:
    hours = list(range(6))
    start = pd.Timestamp("2026-03-08T10:00Z") + pd.to_timedelta(hours * 3, unit="h")
    return pd.DataFrame(
        {
            "city": [city for city in ("Berlin", "Lima", "Oslo") for _ in hours],
            "window_start": start,
            "window_end": start + pd.Timedelta("1h"),
            "rows": [10 * number + hour for number in (1, 2, 3) for hour in hours],
            "pane_timing": pd.Categorical(["on_time"] * 18, categories=["early", "on_time", "late"]),
            "pane_index": 0,
        }
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.usefixtures("keep_screenshot")
def test_a_saved_dashboard_moves_its_axes_together_and_filters_by_what_is_selected(page, tmp_path, theme):
    frame = panes()
    over = {"x": "window_end", "y": "rows", "by": "city"}
    lines, bars = Line(**over).figure(frame), Bar(**over, stacked=True).figure(frame[frame["window_end"].dt.hour > 11])
    field = Heatmap(x="window_end", y="city", value="rows").figure(frame)
    board = fl.dashboard([Chart(lines), Chart(bars)], [Chart(field), frame], title="<b>cities</b>")
    page.set_viewport_size({"width": 1400, "height": 1100})
    page.goto(board.save(tmp_path / "board.html", theme=theme).as_uri())
    page.wait_for_function(DRAWN)
    page.wait_for_function(f"() => new Set(({RANGES})().map(String)).size === 1")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(18)

    page.evaluate("() => Bokeh.documents[0].roots()[1].x_range.setv({start: 1772971200000, end: 1772978400000})")
    assert page.evaluate(RANGES) == [[1772971200000, 1772978400000]] * 3
    page.evaluate("() => Bokeh.documents[0].roots()[0].x_range.setv({start: 1772960000000, end: 1772990000000})")
    assert page.evaluate(RANGES) == [[1772960000000, 1772990000000]] * 3

    # A point of Lima: its line alone stays in the bars, its rows in the table.
    page.mouse.click(*page.evaluate(PLACE, [0, pd.Timestamp("2026-03-08T13:00Z").value / 1e6, 22]))
    expect(rows).to_have_count(6)
    expect(page.get_by_role("status")).to_have_text("only city: Lima")
    assert page.evaluate(KEYS) == [["Berlin", "Lima", "Oslo"], ["Lima"], ["Lima"]]
    page.get_by_role("button", name="show all").press("Enter")
    expect(rows).to_have_count(18)
    assert page.evaluate(KEYS)[1] == ["Berlin", "Lima", "Oslo"]

    # A key of the table, by keyboard.
    oslo = page.get_by_role("button", name="only Oslo").first
    oslo.focus()
    page.keyboard.press("Enter")
    expect(oslo).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(KEYS) == [["Oslo"]] * 3
    expect(rows).to_have_count(18)
    oslo.press("Enter")
    assert page.evaluate(KEYS)[0] == ["Berlin", "Lima", "Oslo"]

    # A box around several windows.
    page.evaluate(
        "() => { const tools = Bokeh.documents[0].roots()[0].toolbar.tools; "
        "tools.find(tool => tool.type === 'BoxSelectTool').active = true }"
    )
    start = page.evaluate(PLACE, [0, pd.Timestamp("2026-03-08T12:30Z").value / 1e6, 31])
    end = page.evaluate(PLACE, [0, pd.Timestamp("2026-03-08T14:30Z").value / 1e6, 35])
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    expect(page.get_by_role("status")).to_have_text(
        "only city: Oslo, window_end from 2026-03-08 13:00 to 2026-03-08 14:00"
    )
    expect(rows).to_have_count(2)
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(22, 22, 22)" if theme == "dark" else "rgb(255, 255, 255)")


def test_a_table_is_sorted_by_click_and_by_keyboard_and_has_names(page, tmp_path):
    frame = panes().sample(frac=1, random_state=1, ignore_index=True)
    frame.loc[0, "rows"] = 5
    chart = Line(x="window_end", y="rows", by="city").figure(frame)
    page.goto(fl.dashboard(Chart(chart), frame).save(tmp_path / "table.html").as_uri())
    page.wait_for_function(DRAWN)
    expect(page.get_by_role("figure", name="rows by city")).to_be_visible()
    expect(page.get_by_role("table", name="table")).to_be_visible()
    column = page.locator("tbody tr td:nth-child(4)")
    as_they_came = column.all_text_contents()
    assert as_they_came == [str(value) for value in frame["rows"]]
    head = page.get_by_role("columnheader", name="sort by rows")
    expect(head).to_have_attribute("aria-sort", "none")
    page.get_by_role("button", name="sort by rows").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    # As numbers: 5 comes before 10.
    assert column.all_text_contents() == sorted(as_they_came, key=int)
    page.keyboard.press("Enter")  # the button has kept the focus
    expect(head).to_have_attribute("aria-sort", "descending")
    assert column.all_text_contents() == sorted(as_they_came, key=int, reverse=True)
    page.keyboard.press("Space")
    expect(head).to_have_attribute("aria-sort", "none")
    assert column.all_text_contents() == as_they_came
    page.get_by_role("button", name="sort by city").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="sort by window_start")).to_be_focused()


def test_a_page_takes_the_colours_that_the_system_asks_for_and_follows_them(page, tmp_path):
    chart = Chart(Line(x="window_end", y="rows", by="city").figure(panes()))
    page.emulate_media(color_scheme="dark")
    page.goto(chart.save(tmp_path / "auto.html").as_uri())
    page.wait_for_function(DRAWN)
    ink = "() => Bokeh.documents[0].roots()[0].below[0].axis_label_text_color"
    page.wait_for_function(f"() => ({ink})() === '#EAEAEA'")
    paper = "() => getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(22, 22, 22)"
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"() => ({ink})() === '#222222'")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    page.goto(chart.save(tmp_path / "light.html", theme="light").as_uri())
    page.wait_for_function(DRAWN)
    assert page.evaluate(paper) == "rgb(255, 255, 255)"


SETUP = """
import flower as fl
from flower.notebook import live
live.install(get_ipython())
rows = fl.read.rate(200, keys=3).assign(name=lambda frame: frame["key"].map(dict(enumerate("abc"))).astype("str"))
windows = rows.window(fl.FixedWindows("1s"), trigger=fl.AfterWatermark(early=fl.AfterProcessingTime("200ms")))
panes = windows.groupby("name").agg(n="count", largest=("value", "max"))
run = panes.run()
over = {"x": "window_end", "by": "name", "run": run}
lines, bars = panes.plot.line(y="largest", **over), panes.plot.bar(y="n", **over)
board = fl.dashboard([lines, bars], panes.table(40, run=run), title="<b>live</b>")
board
"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_live_dashboard_filters_and_moves_together_while_it_grows_and_ends_as_a_page(
    opened, lab_page, lab_screenshot, theme
):
    notebook = opened([SETUP, "run.stop()\nNone", "None"])
    notebook.theme(theme).run(0)
    output = notebook.output(0)
    expect(output.locator(".flower-chart")).to_have_count(2)
    expect(output.locator("tbody tr").nth(3)).to_be_visible()
    lab_page.wait_for_function(f"() => new Set(({RANGES})().map(String)).size === 1")
    expect(output.get_by_role("heading", name="<b>live</b>")).to_be_visible()
    expect(output.get_by_role("figure", name="largest by name")).to_be_visible()
    expect(output.get_by_role("table", name="newest rows of run-1")).to_be_visible()
    # Of a row that was there some cells have changed, its key has not.
    expect(output.locator("tr:has(td.flower-changed):has(td:first-child:not(.flower-changed))").first).to_be_visible()
    chosen = output.get_by_role("button", name="only b", pressed=True)
    for _ in range(5):  # the row may leave the table between being found and being pressed
        output.get_by_role("button", name="only b").first.press("Enter")
        with contextlib.suppress(PlaywrightTimeoutError):
            chosen.first.wait_for(timeout=5_000)
            break
    lab_page.wait_for_function(f'() => JSON.stringify(({KEYS})()) === \'[["b"],["b"]]\'')
    before = lab_page.evaluate(RANGES)
    lab_page.wait_for_function(f"before => ({RANGES})()[0][1] > before", arg=before[0][1])
    lab_page.wait_for_function(f"() => new Set(({RANGES})().map(String)).size === 1")
    assert lab_page.evaluate(KEYS) == [["b"], ["b"]]
    # Where a person zoomed to stays.
    lab_page.evaluate(
        "() => { const {x_range} = Bokeh.documents[0].roots()[0]; x_range.setv({start: x_range.start + 500}) }"
    )
    zoomed = lab_page.evaluate(RANGES)
    assert zoomed[0] == zoomed[1]
    moment = lab_page.evaluate("() => Bokeh.documents[0].roots()[0].x_range.reset_end")
    lab_page.wait_for_function(
        "moment => Bokeh.documents.every(doc => doc.roots()[0].x_range.reset_end > moment)", arg=moment
    )
    assert lab_page.evaluate(RANGES) == zoomed
    lab_screenshot(f"dashboard-{theme.split()[-1].lower()}")
    output.get_by_role("button", name="show all").click()
    lab_page.wait_for_function(f'() => JSON.stringify(({KEYS})()[0]) === \'["a","b","c"]\'')
    notebook.run(1)
    expect(output.locator("img")).to_have_count(2)
    expect(output.locator("tbody tr").nth(3)).to_be_visible()
    expect(output.get_by_role("heading", name="<b>live</b>")).to_be_visible()
    lab_screenshot(f"dashboard-still-{theme.split()[-1].lower()}")
    [kept] = bundles(notebook.save()["cells"][0])
    assert set(kept) == {"text/html", "text/plain"}
