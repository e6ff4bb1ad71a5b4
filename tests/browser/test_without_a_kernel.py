"""What a notebook shows that is opened again when the kernel that made it is gone."""

import re

import pytest
from playwright.sync_api import expect

SETUP = """
%load_ext flower
import pandas as pd
import flower as fl
rows = fl.read.rate(100, keys=1).assign(name=lambda f: f["key"].map({0: "<script>alert(1)</script>"}).astype("str"))
panes = rows.window(fl.FixedWindows("1s")).groupby("name").agg(n="count").named("counts")
run = panes.run(name="mine")
"""
SHOWN = [
    "panes.plot.line(x='window_end', y='n', by='name', run=run)",
    "panes.table(run=run)",
    "run",
    "run.time_diagram()",
    "fl.teach.figure('book_fig2_11_right')",
    "fl.dashboard([panes.plot.bar(x='window_end', y='n', run=run), panes.table(run=run)])",
]
CHART, TABLE, RUN, DIAGRAM, FIGURE, BOARD = range(1, 7)


def still(notebook, cell):
    return notebook.output(cell).locator(".flower-still")


# Of Notebook's own, without Flower as well: settings of a plugin, and a command, are asked for that it has not.
NOTEBOOKS = ("reading 'schema'", "Command 'filebrowser:open-path' not registered.")


@pytest.mark.parametrize("place", ["lab", "notebook"])
def test_every_kind_of_view_shows_how_it_last_looked(opened, lab, lab_page, lab_screenshot, complaints, place):
    notebook = opened([SETUP, *SHOWN], place)
    for cell in range(7):
        notebook.run(cell)
    for cell in (CHART, DIAGRAM, FIGURE, BOARD):
        expect(still(notebook, cell).locator("img[src^='data:image/png']").first).to_be_attached(timeout=60_000)
    for cell in range(1, 7):
        expect(notebook.output(cell).locator(".flower-view").first).to_be_visible()
        # What lives hides it, and leaves no gap.
        expect(still(notebook, cell)).to_be_hidden()
    expect(still(notebook, RUN)).to_contain_text(re.compile(r"mine running.*[1-9]\d* out", re.DOTALL), timeout=30_000)
    # The first may be of before any row; another comes in ten seconds.
    expect(still(notebook, TABLE)).to_contain_text("<script>alert(1)</script>", timeout=30_000)
    notebook.save()
    lab.end_kernels()
    complaints.clear()
    lab_page.goto("about:blank")
    if place == "lab":
        notebook.open()
    else:
        notebook.open_in_notebook()
    for cell in range(1, 7):
        expect(still(notebook, cell)).to_be_visible()
        expect(notebook.output(cell).locator(".flower-view")).to_have_count(0)
    for cell in (CHART, DIAGRAM, FIGURE, BOARD):
        assert still(notebook, cell).locator("img").first.evaluate("img => img.naturalWidth") > 300
    expect(still(notebook, RUN).locator("img")).to_have_attribute("src", re.compile("^data:image/svg"))
    expect(still(notebook, BOARD).locator("table")).to_contain_text("<script>alert(1)</script>")
    lab_screenshot(f"without-a-kernel-{place}")
    lab_page.locator(".jp-Notebook .jp-Cell").nth(FIGURE).scroll_into_view_if_needed()
    lab_screenshot(f"without-a-kernel-{place}-below")
    own = ("model not found", *(NOTEBOOKS if place == "notebook" else ()))  # the first is of the widgets
    assert [said for said in complaints if not any(text in said for text in own)] == []
    complaints.clear()
