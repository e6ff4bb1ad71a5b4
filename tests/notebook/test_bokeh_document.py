"""Snapshots and patches of figures; what BokehJS makes of them is tested in a browser."""

import json

import pandas as pd
import pytest
from bokeh.document import Document

from flower.charts import Bar, Line
from flower.charts.chart_type import Seen
from flower.notebook.bokeh_document import Drawing, bokehjs


def panes(*values, timing="on_time", keys=("a", "b")):
    end = pd.Timestamp("2000-01-01T01:00Z") + pd.to_timedelta(range(len(values)), unit="h")
    frames = [
        pd.DataFrame(
            {
                "key": key,
                "window_start": end - pd.Timedelta("1h"),
                "window_end": end,
                "rows": [value + rank for value in values],
                "pane_timing": pd.Categorical([timing] * len(values)),
                "pane_index": 0,
            }
        )
        for rank, key in enumerate(keys)
    ]
    return pd.concat(frames, ignore_index=True)


LINES = Line(x="window_end", y="rows", by="key", keys=3)


def drawn(frame, kind=LINES):
    return Drawing(kind, Seen(frame))


def events(drawing):
    return json.loads(drawing.patch().content)["events"]


def data_of(drawing):
    return [
        {
            name: [None if cell != cell else cell for cell in column]
            for name, column in renderer.data_source.data.items()
        }
        for renderer in drawing.figure.renderers
    ]


def test_a_snapshot_is_a_document_with_the_figure():
    drawing = drawn(panes(1, 2))
    [root] = Document.from_json(drawing.snapshot()).roots
    assert root.name == "rows by key"
    assert len(root.renderers) == len(drawing.figure.renderers)


def test_new_panes_are_sent_and_not_those_that_were_there():
    drawing = drawn(panes(1, 2))
    before = drawing.figure
    drawing.snapshot()
    assert not drawing.follow(Seen(panes(1, 2, 3)))
    assert drawing.figure is before
    sent = [event for event in events(drawing) if event["kind"] == "ColumnsStreamed"]
    assert len(sent) == 4  # for each of two keys its line and its points
    assert data_of(drawing) == data_of(drawn(panes(1, 2, 3)))


def test_a_pane_that_changed_is_patched_and_nothing_else_sent():
    drawing = drawn(panes(*range(10)))
    new = panes(*range(10))
    new.loc[(new["key"] == "a") & (new["rows"] == 9), "rows"] = 8
    drawing.follow(Seen(new))
    assert {event["kind"] for event in events(drawing)} == {"ColumnsPatched"}
    assert data_of(drawing) == data_of(drawn(new))


def test_panes_that_leave_at_the_front_roll_out():
    drawing = drawn(panes(*range(10)))
    new = panes(*range(12))
    new = new[new["window_end"] > new["window_end"].min() + pd.Timedelta("1h")]
    drawing.follow(Seen(new))
    streamed = [event for event in events(drawing) if event["kind"] == "ColumnsStreamed"]
    assert {event["rollover"] for event in streamed} == {10}
    assert data_of(drawing) == data_of(drawn(new))


def test_more_that_leave_than_come_are_sent_whole():
    # BokehJS rolls typed arrays over, but never shortens them, and the columns would differ in length.
    drawing = drawn(panes(*range(10)))
    new = panes(*range(11))
    new = new[new["window_end"] > new["window_end"].min() + pd.Timedelta("5h")]
    drawing.follow(Seen(new))
    kinds = {event["kind"] for event in events(drawing)}
    assert "ColumnDataChanged" in kinds and not kinds & {"ColumnsStreamed", "ColumnsPatched"}
    assert data_of(drawing) == data_of(drawn(new))


@pytest.mark.parametrize("rows", [(1, 2, 3), (7,), (), (9, 9, 9, 9)])
def test_any_view_follows_any_other(rows):
    drawing = drawn(panes(1, 2))
    for values in ((4, 5, 6), rows, (1, 2)):
        assert not drawing.follow(Seen(panes(*values)))
        assert data_of(drawing) == data_of(drawn(panes(*values)))


def test_a_pane_taken_back_leaves():
    drawing = drawn(panes(1, 2, 3))
    left = panes(1, 2, 3).drop([1])
    drawing.follow(Seen(left))
    assert data_of(drawing) == data_of(drawn(left))


def test_the_same_values_are_nothing_to_send():
    drawing = drawn(panes(1, float("nan")))
    drawing.follow(Seen(panes(1, float("nan"))))
    assert drawing.patch() is None


def test_a_patch_is_taken_once():
    drawing = drawn(panes(1, 2))
    drawing.follow(Seen(panes(3, 4)))
    assert drawing.patch() is not None
    assert drawing.patch() is None


def test_what_a_snapshot_holds_is_not_sent_again():
    drawing = drawn(panes(1, 2))
    drawing.follow(Seen(panes(1, 2, 3)))
    drawing.snapshot()
    assert drawing.patch() is None


@pytest.mark.parametrize(
    "new",
    [panes(1, 2, keys=("a", "b", "c")), panes(1, 2, keys=("a", "other")), panes(1, 2, timing="late"), panes()],
    ids=["a key more", "another key", "another note", "no rows"],
)
def test_keys_and_notes_come_and_go_in_the_same_figure(new):
    drawing = drawn(panes(1, 2))
    before = drawing.figure
    before.background_fill_color = "red"
    assert not drawing.follow(Seen(new))
    assert drawing.figure is before
    shown = {item.label.value for item in before.legend[0].items if item.visible}
    assert shown == set(new["key"])


def test_a_note_that_says_something_else_is_patched():
    def many(count):
        return Seen(pd.DataFrame({"k": [f"k{n}" for n in range(count)], "v": range(count, 0, -1)}))

    drawing = Drawing(Bar(x="k", y="v"), many(42))
    assert not drawing.follow(many(43))
    texts = [event["new"] for event in events(drawing) if event.get("attr") == "text"]
    assert texts == ["3 more values of k are left out"]


def test_what_a_person_changes_in_the_figure_is_sent():
    drawing = drawn(panes(1, 2))
    drawing.snapshot()
    drawing.figure.background_fill_color = "red"
    [event] = events(drawing)
    assert (event["attr"], event["new"]) == ("background_fill_color", "red")


def test_a_closed_drawing_gathers_nothing_and_frees_the_figure():
    drawing = drawn(panes(1, 2))
    plot = drawing.figure
    drawing.close()
    assert plot.document is None
    plot.height = 10
    assert drawing.patch() is None


def test_bokehjs_is_that_of_the_installed_package():
    assert b"Bokeh" in bokehjs()[:5000]
