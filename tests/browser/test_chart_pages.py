"""Saved charts in a real browser: they draw without a network, and show hostile names as text."""

import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from flower.charts import Bar, Line, save
from flower.charts.texts import short

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    r"$$\href{javascript:alert(4)}{x}$$",
    "@{value} ${x} &lt;b&gt; \"quoted' `ticks`",
]

DRAWN = "() => window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents.every(document => document.is_idle)"

# Where a point of the data is on the page: the scales of the first figure, its canvas, and the scroll position.
PLACE = """([x, y]) => {
    const view = Bokeh.index.roots[0]
    const box = view.canvas_view.el.getBoundingClientRect()
    return [box.left + view.frame.x_scale.compute(x), box.top + view.frame.y_scale.compute(y)]
}"""

# How many pixels of the first figure have a colour, read from its canvas.
COLOURED = """() => {
    let count = 0
    for (const canvas of Bokeh.index.roots[0].canvas_view.el.shadowRoot.querySelectorAll("canvas")) {
        if (!canvas.width) continue
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
        for (let i = 0; i < data.length; i += 4) {
            const spread = Math.max(data[i], data[i+1], data[i+2]) - Math.min(data[i], data[i+1], data[i+2])
            count += data[i + 3] > 0 && spread > 60
        }
    }
    return count
}"""


def hostile_panes() -> pd.DataFrame:
    start = pd.Timestamp("2013-03-08T00:00Z") + pd.to_timedelta([0, 1, 2] * len(HOSTILE), unit="h")
    return pd.DataFrame(
        {
            HOSTILE[2]: [key for key in HOSTILE for _ in range(3)],
            "window_start": start,
            "window_end": start + pd.Timedelta("1h"),
            "<b>rows</b>": [10 * key + hour for key in range(len(HOSTILE)) for hour in range(3)],
            "pane_timing": pd.Categorical(["on_time", "late", "early"] * len(HOSTILE)),
            "pane_index": [0, 1, 0] * len(HOSTILE),
        }
    )


def test_keys_are_hidden_axes_moved_and_marks_listed_by_keyboard(page, tmp_path):
    line = Line(x="window_end", y="<b>rows</b>", by=HOSTILE[2], title="rows")
    opened(page, save(line.figure(hostile_panes()), tmp_path / "keys.html", "keys"))
    toolbar = page.get_by_role("toolbar", name="controls of rows")
    keys = toolbar.get_by_role("button", name=re.compile("^show "))
    expect(keys).to_have_count(len(HOSTILE))
    assert toolbar.evaluate("bar => bar.offsetWidth") == 1  # not seen until it has the focus
    before = page.evaluate(COLOURED)
    page.keyboard.press("Tab")
    while not toolbar.evaluate("bar => bar.contains(document.activeElement)"):
        page.keyboard.press("Tab")
    expect(keys.first).to_be_focused()
    assert toolbar.evaluate("bar => bar.offsetWidth") > 300
    page.keyboard.press("Enter")
    expect(keys.first).to_have_attribute("aria-pressed", "false")
    page.wait_for_function(f"before => ({COLOURED})() < 0.9 * before", arg=before)
    page.keyboard.press("Space")
    expect(keys.first).to_have_attribute("aria-pressed", "true")
    ends = "() => { const {start, end} = Bokeh.documents[0].roots()[0].x_range; return end - start }"
    whole = page.evaluate(ends)
    toolbar.get_by_role("button", name="zoom in").press("Enter")
    assert page.evaluate(ends) == pytest.approx(whole / 2)
    toolbar.get_by_role("button", name="reset the axis").press("Enter")
    assert page.evaluate(ends) == pytest.approx(whole)
    toolbar.get_by_role("button", name="list marks").press("Enter")
    marks = page.get_by_role("list", name="the newest marks").get_by_role("listitem")
    expect(marks).to_have_count(3 * len(HOSTILE))
    expect(marks.filter(has_text=HOSTILE[0])).to_have_count(3)
    expect(marks.first).to_contain_text("pane: early, provisional (pane 0)")


def opened(page: Page, path: Path) -> None:
    page.goto(path.as_uri())
    page.wait_for_function(DRAWN)


@pytest.mark.usefixtures("keep_screenshot")
def test_a_saved_chart_draws_without_a_network_and_shows_hostile_names_as_text(page, tmp_path):
    frame = hostile_panes()
    by, y = HOSTILE[2], "<b>rows</b>"
    plots = [
        Line(x="window_end", y=y, by=by, title=HOSTILE[0]).figure(frame),
        Bar(x="window_end", y=y, by=by, title=HOSTILE[3]).figure(frame),
        Bar(x=by, y=y).figure(frame.groupby(by, as_index=False)[[y]].sum()),
    ]
    opened(page, save(plots, tmp_path / "hostile.html", HOSTILE[1]))
    assert page.title() == HOSTILE[1]
    expect(page.get_by_role("heading")).to_have_text(HOSTILE[1])
    assert page.evaluate(COLOURED) > 500
    entries = page.locator(".bk-Legend").first.locator(".bk-label")
    expect(entries).to_have_text([short(key) for key in reversed(HOSTILE)])
    end = pd.Timestamp("2013-03-08T02:00Z").value / 1e6
    for number, key in enumerate(HOSTILE):
        page.mouse.move(*page.evaluate(PLACE, [end, 10 * number + 1]))
        shown = page.locator(".bk-Tooltip")
        expect(shown.get_by_text(key, exact=True).first).to_be_visible()
        expect(shown.get_by_text("corrected by late rows (pane 1)")).to_be_visible()
        expect(shown.get_by_text("2013-03-08 01:00 to 02:00")).to_be_visible()
        expect(shown.get_by_text(y)).to_be_visible()
    assert page.locator("img").count() == 0


def test_a_click_on_a_legend_entry_hides_its_line(page, tmp_path):
    frame = hostile_panes().rename(columns={HOSTILE[2]: "key", "<b>rows</b>": "rows"})
    opened(page, save(Line(x="window_end", y="rows", by="key").figure(frame), tmp_path / "legend.html", "legend"))
    visible = """key => {
        const {renderers, right} = Bokeh.index.roots[0].model
        const {items} = right.find(panel => panel.type === "Legend")
        return items.find(item => item.label.value === key).renderers.map(renderer => renderer.visible)
    }"""
    key = HOSTILE[4]
    before = page.evaluate(COLOURED)
    entry = page.locator(".bk-Legend .bk-item").filter(has_text="@{value}")
    entry.click()
    page.wait_for_function(f"before => ({COLOURED})() < before", arg=before)
    assert page.evaluate(visible, short(key)) == [False] * 3
    entry.click()
    page.wait_for_function(f"before => ({COLOURED})() === before", arg=before)
    assert page.evaluate(visible, short(key)) == [True] * 3


def test_the_page_may_not_fetch_anything(page, complaints, tmp_path):
    frame = hostile_panes()
    opened(page, save(Line(x="window_end", y="<b>rows</b>").figure(frame), tmp_path / "policy.html", "policy"))
    refused = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective))
            new Image().src = "other.png"
        })"""
    )
    assert refused == "img-src"
    assert "violates the following Content Security Policy" in complaints.pop()
