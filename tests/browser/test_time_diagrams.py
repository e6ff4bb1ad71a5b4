"""Time diagrams in JupyterLab: stepped, replayed with other choices, asked why, and following a run."""

import re

import pandas as pd
import pytest
from bokeh.embed import json_item
from canvas import AROUND, painted
from playwright.sync_api import Page, expect

import flower as fl

SETUP = """
import flower as fl
from flower.notebook import live
live.install(get_ipython())
"""
FIGURE = "fl.teach.figure('book_fig2_11_right')"

# The texts of the panes that are shown, by kind; of the figure that was drawn last.
SHOWN = """kind => {
    const doc = Bokeh.documents.at(-1)
    const drawn = [...doc._all_models.values()].find(model => model.type === "GlyphRenderer" && model.name === kind)
    if (!drawn) return []
    const there = drawn.view.filter.booleans
    return [...drawn.data_source.data.text].filter((_, i) => there[i])
}"""
DRAWN = """() => window.Bokeh?.documents.at(-1)?.is_idle && document.querySelector(".flower-steps") !== null"""


def shown(page: Page, kind: str) -> list[str]:
    """What boxes of a kind say."""
    said: list[str] = page.evaluate(SHOWN, kind)
    return said


def waits_for(page: Page, kind: str, texts: list[str]) -> None:
    """Wait until the boxes of a kind say that."""
    page.wait_for_function(
        f"([kind, texts]) => JSON.stringify(({SHOWN})(kind)) === JSON.stringify(texts)", arg=[kind, texts]
    )


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_published_figure_steps_back_and_forth(opened, lab_page, lab_screenshot, theme):
    notebook = opened([SETUP, FIGURE])
    notebook.theme(theme).run(0).run(1)
    lab_page.wait_for_function(DRAWN)
    output = notebook.output(1)
    expect(output.locator(".flower-steps")).to_contain_text("epoch 22 of 22, at 2000-01-01 12:10:00")
    waits_for(lab_page, "on-time pane", ["5", "18"])
    waits_for(lab_page, "late pane", ["14"])
    assert shown(lab_page, "early pane") == ["7", "10", "4", "3", "12"]
    expect(output).to_contain_text("Streaming Systems, Figure 2-11 right")
    expect(output).to_contain_text("printed 3, right is 4")
    lab_screenshot(f"time-diagram-{theme.split()[-1].lower()}")
    output.get_by_role("button", name="first epoch").click()
    waits_for(lab_page, "on-time pane", [])
    waits_for(lab_page, "filling", ["5"])
    slider = output.get_by_role("slider", name="epoch")
    slider.focus()
    for _ in range(8):
        slider.press("ArrowRight")
    expect(output.locator(".flower-steps")).to_contain_text("epoch 9 of 22, at 2000-01-01 12:07:20")
    waits_for(lab_page, "filling", ["18", "3"])
    assert shown(lab_page, "early pane") == ["7", "10", "4"]
    assert shown(lab_page, "on-time pane") == ["5"]
    lab_screenshot(f"time-diagram-at-9-{theme.split()[-1].lower()}")
    output.get_by_role("button", name="one epoch back").click()
    waits_for(lab_page, "filling", ["18"])


NAMES = list(fl.teach.figures().index)
CASES = [(name, None) for name in NAMES]
CASES += [(name, variant) for name in NAMES for variant in fl.teach.figure(name).variants]

# The boxes of panes that are shown, and what is taken back: timing, top and text.
BOXES = """() => Bokeh.documents.at(-1).roots()[0].renderers.flatMap(({name, view, data_source: {data}}) =>
    ["early pane", "on-time pane", "late pane", "retraction"].includes(name) && !("x0" in data)
        ? [...data.text].map((text, i) => ({name, text, left: data.left?.[i], right: data.right?.[i],
                                            top: data.top?.[i] ?? data.y?.[i], there: view.filter.booleans[i]}))
        : [])"""
SHOW = """async item => {
    document.body.replaceChildren(Object.assign(document.createElement("div"), {id: "shown", style: "width: 900px"}))
    await Bokeh.embed.embed_item(item, "shown")
    const shown = Bokeh.documents.at(-1)
    if (!shown.is_idle) await new Promise(done => shown.idle.connect(() => done()))
    while (Bokeh.documents.length > 1) Bokeh.documents.shift().clear()
}"""


def test_every_published_figure_is_drawn_with_the_panes_that_it_prints(page, tmp_path):
    page.goto(fl.teach.figure(NAMES[0]).time_diagram().save(tmp_path / "d.html").as_uri())
    page.wait_for_function(DRAWN)
    for name, variant in CASES:
        figure = fl.teach.figure(name, variant)
        page.evaluate(SHOW, json_item(figure.time_diagram().figure))
        boxes, panes = page.evaluate(BOXES), figure.panes
        assert all(each["there"] for each in boxes), name
        at = panes["processing_time"].dt.tz_localize(None).astype("datetime64[us]").astype("int64") / 1000
        expected = [
            (when, f"\N{MINUS SIGN}{value}" if back else str(value))
            for when, value, back in zip(at, panes["value"], panes["pane_retraction"], strict=True)
        ]
        # What is taken back stands a little below the pane that takes its place.
        assert sorted((each["top"], each["text"]) for each in boxes) == sorted(expected), name
        for each in {each["name"]: each for each in boxes if each["left"] is not None}.values():  # one of each timing
            edge = painted(page, each["left"] + 0.04 * (each["right"] - each["left"]), each["top"])["ink"]
            assert edge[AROUND - 2 : AROUND + 3, AROUND - 6 : AROUND + 7].max() > 80, (name, each)


def test_a_saved_page_steps_without_kernel_or_network(page, tmp_path, keep_screenshot):
    hostile = "</script><script>alert(1)</script>"
    times = pd.to_datetime(["2000-01-01 00:10", "2000-01-01 01:10", "2000-01-01 02:10"], utc=True)
    rows = fl.read.frame(pd.DataFrame({"t": times, "k": hostile, "v": [1, 2, 4]}), event_time="t")
    totals = rows.window(fl.FixedWindows("1h")).groupby("k").agg(total=("v", "sum"))
    page.goto(totals.time_diagram().save(tmp_path / "d.html").as_uri())
    page.wait_for_function(DRAWN)
    expect(page.get_by_role("heading")).to_contain_text(hostile[:30])
    waits_for(page, "on-time pane", ["1", "2", "4"])
    page.get_by_role("button", name="one epoch back").click()
    waits_for(page, "on-time pane", ["1"])
    waits_for(page, "filling", ["2"])
    expect(page.get_by_role("slider", name="epoch")).to_have_attribute("aria-valuetext", re.compile("epoch 2 of 3"))


def test_it_plays_to_its_end(opened, lab_page):
    notebook = opened([SETUP, FIGURE])
    notebook.run(0).run(1)
    lab_page.wait_for_function(DRAWN)
    output = notebook.output(1)
    output.get_by_role("button", name="play the epochs").click()
    waits_for(lab_page, "late pane", [])
    waits_for(lab_page, "late pane", ["14"])
    expect(output.locator(".flower-steps")).to_contain_text("epoch 22 of 22", timeout=30_000)
    expect(output.get_by_role("button", name="play the epochs")).to_contain_text("play")


def test_sliders_run_the_same_rows_again(opened, lab_page, lab_screenshot):
    notebook = opened([SETUP, FIGURE])
    notebook.run(0).run(1)
    lab_page.wait_for_function(DRAWN)
    output = notebook.output(1)
    windows, trigger, lateness = (
        output.get_by_role("slider", name=name) for name in ("windows", "trigger", "allowed lateness")
    )
    expect(windows).to_have_attribute("aria-valuetext", "2min, as published")
    expect(trigger).to_have_attribute("aria-valuetext", "every minute, watermark, every late row, as published")
    expect(lateness).to_have_attribute("aria-valuetext", "unbounded, as published")
    output.get_by_role("combobox", name="accumulation").select_option("discarding")
    waits_for(lab_page, "late pane", ["9"])
    assert shown(lab_page, "on-time pane") == ["5", "8"]
    # By keyboard alone, from one control to the next; each stays focused while the rows run again.
    windows.focus()
    for said in ("3min", "4min", "all time"):
        lab_page.keyboard.press("ArrowRight")
        expect(windows).to_have_attribute("aria-valuetext", said)
    lab_page.keyboard.press("Tab")
    expect(trigger).to_be_focused()
    lab_page.keyboard.press("End")
    waits_for(lab_page, "early pane", ["5", "7", "3", "4", "8", "3", "9", "8", "1"])
    expect(trigger).to_be_focused()
    expect(trigger).to_have_attribute("aria-valuetext", "every row")
    lab_screenshot("time-diagram-sliders")
    # Back to two minutes, with a lateness that the last row does not have.
    windows.fill("2")
    output.get_by_role("combobox", name="accumulation").select_option("accumulating")
    waits_for(lab_page, "late pane", ["14"])
    lateness.focus()
    lab_page.keyboard.press("Home")
    waits_for(lab_page, "late pane", [])
    lab_page.keyboard.press("End")
    waits_for(lab_page, "late pane", ["14"])


def test_a_window_that_is_clicked_says_what_it_waits_for(opened, lab_page, lab_screenshot):
    notebook = opened([SETUP, FIGURE])
    notebook.run(0).run(1)
    lab_page.wait_for_function(DRAWN)
    output = notebook.output(1)
    slider = output.get_by_role("slider", name="epoch")
    slider.fill("8")
    waits_for(lab_page, "filling", ["18", "3"])
    # Where the box is, in pixels of the page.
    x, y = lab_page.evaluate(
        """() => {
            const find = views => {
                for (const view of views) {
                    if (view.model.type === "Figure") return view
                    const inner = find(view.child_views ?? [])
                    if (inner) return inner
                }
            }
            const view = find(Bokeh.index.roots ?? Object.values(Bokeh.index))
            const frame = view.frame ?? view.plot_view.frame
            const x = frame.x_scale.compute(Date.UTC(2000, 0, 1, 12, 2, 10))
            const y = frame.y_scale.compute(Date.UTC(2000, 0, 1, 12, 7, 12))
            const {left, top} = view.el.getBoundingClientRect()
            return [left + x, top + y]
        }"""
    )
    lab_page.mouse.click(x, y)
    said = output.locator(".flower-why")
    expect(said).to_contain_text("The window that ends at 2000-01-01T12:04:00Z, key 'TeamX'")
    expect(said).to_contain_text("AfterProcessingTime(align='1min') fires an early pane")
    lab_screenshot("time-diagram-why")
    # The same by keyboard, of the other window that fills.
    other = output.get_by_role("button", name="12:06:00 to 12:08:00")
    other.focus()
    other.press("Enter")
    expect(said).to_contain_text("The window that ends at 2000-01-01T12:08:00Z, key 'TeamX'")
    slider.fill("0")
    expect(output.locator(".flower-windows button")).to_have_count(1)


def test_a_run_is_followed_while_a_cell_computes_and_hostile_keys_are_text(opened, lab, lab_page):
    notebook = opened(
        [
            SETUP,
            """
names = ["<script>alert(1)</script>", "$$\\\\href{javascript:alert(3)}{x}$$"]
rows = fl.read.rate(200, keys=2).assign(name=lambda frame: frame["key"].map(dict(enumerate(names))).astype("str"))
run = rows.window(fl.FixedWindows("1s")).groupby("name").agg(n="count").run()
diagram = run.time_diagram()
diagram
""",
            "import pathlib\nwhile not pathlib.Path('enough').exists():\n    sum(range(1000))",
            "run.stop()\nNone",
        ]
    )
    notebook.run(0).run(1)
    lab_page.wait_for_function(DRAWN)
    output = notebook.output(1)
    for text in ("<script>alert(1)</script>", "$$\\href{javascript:alert(3)}{x}$$"):
        expect(output.get_by_label("key").locator("option", has_text=text)).to_have_count(1)
    panes = f"n => ({SHOWN})('on-time pane').length > n"
    lab_page.wait_for_function(panes, arg=1)
    notebook.run(2, wait=False)
    computes = notebook.cell(2).locator(".jp-InputPrompt")
    expect(computes).to_have_text("[*]:")
    for _ in range(3):
        lab_page.wait_for_function(panes, arg=len(shown(lab_page, "on-time pane")))
    expect(computes).to_have_text("[*]:")
    (lab.notebooks / "enough").touch()
    notebook.wait_until_idle().run(3)
    (lab.notebooks / "enough").unlink()
    expect(output.locator(".flower-chart .flower-note")).to_have_text(re.compile("stopped"), timeout=60_000)
    last = output.locator(".flower-steps")
    expect(last).to_contain_text(re.compile(r"epoch (\d+) of \1,"))
    assert len(shown(lab_page, "on-time pane")) > 1
