"""Snapshots and patches of figures; what BokehJS makes of them is tested in a browser."""

import json

import pandas as pd
import pytest
from bokeh.document import Document

from flower.charts.bars import bar_sketch
from flower.charts.lines import line_sketch
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


def drawn(frame):
    return line_sketch(frame, x="window_end", y="rows", by="key", keys=sorted(set(frame["key"])))


def events(drawing):
    return json.loads(drawing.patch().content)["events"]


def test_a_snapshot_is_a_document_with_the_figure():
    drawing = Drawing(drawn(panes(1, 2)))
    [root] = Document.from_json(drawing.snapshot()).roots
    assert root.name == "rows by key"
    assert len(root.renderers) == len(drawing.figure.renderers)


def test_new_values_are_a_patch_of_the_data_alone():
    drawing = Drawing(drawn(panes(1, 2)))
    before = drawing.figure
    drawing.snapshot()
    assert not drawing.redraw(drawn(panes(1, 2, 3)))
    assert drawing.figure is before
    assert {(event["kind"], event["attr"]) for event in events(drawing)} == {("ColumnDataChanged", "data")}
    assert [len(renderer.data_source.data["x"]) for renderer in before.renderers] == [3] * len(before.renderers)


def test_a_key_that_did_not_change_is_not_sent():
    drawing = Drawing(drawn(panes(1, 2)))
    new = panes(1, 2)
    new.loc[new["key"] == "a", "rows"] += 1
    drawing.redraw(drawn(new))
    of_a = {renderer.data_source.id for renderer in drawing.figure.renderers[2:]}
    assert {event["model"]["id"] for event in events(drawing)} == of_a


def test_the_same_values_are_nothing_to_send():
    drawing = Drawing(drawn(panes(1, float("nan"))))
    drawing.redraw(drawn(panes(1, float("nan"))))
    assert drawing.patch() is None


def test_a_patch_is_taken_once():
    drawing = Drawing(drawn(panes(1, 2)))
    drawing.redraw(drawn(panes(3, 4)))
    assert drawing.patch() is not None
    assert drawing.patch() is None


@pytest.mark.parametrize(
    "new",
    [
        drawn(panes(1, 2, keys=("a", "b", "c"))),
        drawn(panes(1, 2, keys=("a", "other"))),
        drawn(panes(1, 2, timing="late")),
        bar_sketch(panes(1, 2), x="window_end", y="rows", by="key"),
        drawn(panes()),
    ],
    ids=["a key more", "another key", "another note", "bars", "no rows"],
)
def test_other_parts_are_a_figure_of_their_own(new):
    drawing = Drawing(drawn(panes(1, 2)))
    drawing.redraw(drawn(panes(5, 6)))
    assert drawing.redraw(new)
    assert drawing.patch() is None
    [root] = Document.from_json(drawing.snapshot()).roots
    assert root.id == drawing.figure.id
    assert len(root.renderers) == len(new.layers)


def test_a_note_that_says_something_else_is_patched():
    def many(count):
        return bar_sketch(pd.DataFrame({"k": [f"k{n}" for n in range(count)], "v": range(count, 0, -1)}), x="k", y="v")

    drawing = Drawing(many(42))
    assert not drawing.redraw(many(43))
    texts = [event["new"] for event in events(drawing) if event["attr"] == "text"]
    assert texts == ["3 more values of k are left out"]


def test_layers_that_share_columns_are_sent_once():
    drawing = Drawing(drawn(panes(1, 2, timing="early")))
    assert not drawing.redraw(drawn(panes(3, 4, timing="early")))
    assert len(events(drawing)) == 4  # for each of two keys its line, provisional or not, and its points


def test_what_a_person_changes_in_the_figure_is_sent():
    drawing = Drawing(drawn(panes(1, 2)))
    drawing.snapshot()
    drawing.figure.background_fill_color = "red"
    [event] = events(drawing)
    assert (event["attr"], event["new"]) == ("background_fill_color", "red")


def test_a_closed_drawing_gathers_nothing_and_frees_the_figure():
    drawing = Drawing(drawn(panes(1, 2)))
    plot = drawing.figure
    drawing.close()
    assert plot.document is None
    plot.height = 10
    assert drawing.patch() is None


def test_bokehjs_is_that_of_the_installed_package():
    assert b"Bokeh" in bokehjs()[:5000]
