"""What a cell shows of a stream: its first rows in a table that sorts, and what a step changed."""

from playwright.sync_api import expect

SETUP = """
%load_ext flower
import pandas as pd
import flower as fl
rows = fl.read.frame(pd.DataFrame({"k": ["a", "<b>b</b>", "c"], "n": [2, 10, 1]}))
"""
CELL = "%%flow some --from rows\nfilter 'n > 0'"


def test_a_preview_sorts_by_mouse_and_keyboard_and_marks_what_a_new_line_changed(opened, lab_page, lab_screenshot):
    notebook = opened([SETUP, CELL])
    notebook.run(0).run(1)
    output = notebook.output(1)
    table = output.get_by_role("table")
    expect(output).to_contain_text("bounded")
    expect(table.locator("tbody td:nth-child(2)")).to_have_text(["2", "10", "1"])
    expect(table.locator("thead")).to_contain_text("int64")
    table.get_by_role("button", name="sort by n").click()
    expect(table.locator("tbody td:nth-child(2)")).to_have_text(["1", "2", "10"])
    table.get_by_role("button", name="sort by n").press("Enter")
    expect(table.locator("tbody td:nth-child(1)")).to_have_text(["<b>b</b>", "a", "c"])
    expect(table.locator("td.flower-differs")).to_have_count(0)
    lab_page.evaluate(
        """() => {
            const {sharedModel} = jupyterapp.shell.currentWidget.content.widgets[1].model
            sharedModel.setSource(sharedModel.getSource() + "\\nassign m='n * 2', n='n % 10'")
        }"""
    )
    notebook.run(1)
    # The column that is new, and the number that was another one.
    expect(table.locator("td.flower-differs")).to_have_text(["4", "0", "20", "2"])
    expect(output).to_contain_text("Marked: what was otherwise when the cell last ran.")
    lab_screenshot("preview-changed")
