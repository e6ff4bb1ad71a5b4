"""Time diagrams: what is drawn of the published figures, of flights and of a run is what the numbers say."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower import teach
from flower.charts.diagram import Diagram, diagram_figure
from flower.charts.timeline import EVER, POINTS
from flower.errors import GraphError
from flower.testing import ManualClock, TestStream

NAMES = list(teach.figures().index)
CASES = [(name, None) for name in NAMES]
CASES += [(name, variant) for name in NAMES for variant in teach.figure(name).variants]


def drawn(figure: Any, name: str) -> tuple[pd.DataFrame, list[bool]]:
    """The columns of what a figure draws under a name, and which rows are shown."""
    for renderer in figure.renderers:
        if renderer.name == name:
            return pd.DataFrame(renderer.data_source.data), list(renderer.view.filter.booleans)
    return pd.DataFrame(), []


def milliseconds(times: pd.Series) -> list[float | None]:
    stamps = times.dt.tz_localize(None).to_numpy("datetime64[us]").astype("int64") / 1000
    return [None if pd.isna(time) else stamp for time, stamp in zip(times, stamps, strict=True)]


def in_order(boxes: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(boxes, key=str)


@pytest.mark.parametrize(("name", "variant"), CASES, ids=[f"{name}-{variant or 'figure'}" for name, variant in CASES])
def test_the_boxes_of_every_figure_are_its_panes(name: str, variant: str | None) -> None:
    told = teach.figure(name, variant)
    diagram = told.time_diagram()
    figure, panes = diagram.figure, told.panes
    timings = bool(panes.query("not pane_retraction")["pane_timing"].notna().all())
    boxes, back = [], []
    for kind in ("early", "on_time", "late"):
        box, there = drawn(figure, f"{kind.replace('_', '-')} pane")
        assert all(there)
        for each in box.itertuples():
            boxes.append((each.left, each.right, each.top, each.text, kind if timings else None))
            assert each.bottom <= each.top
    taken, _ = drawn(figure, "retraction")
    back = [(each.y, each.text) for each in taken.itertuples()]
    left, right = (milliseconds(panes[name]) for name in ("window_start", "window_end"))
    low, high = figure.x_range.start, figure.x_range.end
    wide = (high - low) / 1.05  # the global window is as wide as the picture
    expected, expected_back = [], []
    for start, end, top, pane in zip(
        left, right, milliseconds(panes["processing_time"]), panes.itertuples(), strict=True
    ):
        if pane.pane_retraction:
            expected_back.append((top, f"\N{MINUS SIGN}{pane.value}"))
            continue
        # Windows of processing time lie across, and begin where the clock was.
        bounded = start is not None and not diagram.timeline.by_clock
        sides = (start, end) if bounded else (low + 0.025 * wide, high - 0.025 * wide)
        expected.append((*sides, top, str(pane.value), pane.pane_timing if timings else None))
    boxes, expected = in_order(boxes), in_order(expected)
    assert [box[2:] for box in boxes] == [box[2:] for box in expected]
    np.testing.assert_allclose([box[:2] for box in boxes], [box[:2] for box in expected], atol=1)
    assert sorted(back) == sorted(expected_back)


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_of_every_figure_are_where_it_has_them(name: str) -> None:
    told = teach.figure(name)
    figure = told.time_diagram().figure
    kinds = {kind: drawn(figure, kind)[0] for kind in ("row", "late row", "dropped row")}
    rows = told.rows
    every = pd.concat([frame for frame in kinds.values() if len(frame)])
    expected = sorted(
        zip(milliseconds(rows["event_time"]), milliseconds(rows["processing_time"]), rows["value"], strict=True)
    )
    assert sorted((row.x, row.y, int(row.text)) for row in every.itertuples()) == expected
    values = rows.set_index("id")["value"]
    assert sorted(kinds["dropped row"].get("text", [])) == sorted(str(values[each]) for each in told.dropped)


def test_a_figure_up_to_an_epoch_shows_what_was_then() -> None:
    diagram = teach.figure("book_fig2_11_right").time_diagram()
    figure = diagram.at(8)
    filling, there = drawn(figure, "filling")
    now = filling[there]
    assert list(now["text"]) == ["18", "3"]
    assert set(now["top"]) == {pd.Timestamp("2000-01-01 12:07:20").timestamp() * 1000}
    early, there = drawn(figure, "early pane")
    assert list(early["text"][there]) == ["7", "10", "4"]
    late, there = drawn(figure, "late pane")
    assert list(late["text"]) == ["14"] and not any(there)
    _, rows = drawn(figure, "row")
    assert sum(rows) == 6
    assert diagram.at(-1).renderers[0].view.filter.booleans == diagram.figure.renderers[0].view.filter.booleans


def test_a_box_begins_at_the_pane_before_it_or_at_its_windows_first_row() -> None:
    shown = teach.figure("book_fig2_11_right").time_diagram().timeline
    panes = shown.panes[shown.panes["end"] == pd.Timestamp("2000-01-01 12:04").value // 1000]
    edges = [[f"{pd.Timestamp(us, unit='us'):%M:%S}" for us in panes[name]] for name in ("bottom", "top")]
    assert edges == [["05:40", "06:00", "07:00"], ["06:00", "07:00", "07:30"]]
    last = shown.filling.iloc[-1]
    assert f"{pd.Timestamp(last['bottom'], unit='us'):%M:%S}" == "08:00"
    sessions = teach.figure("book_fig4_7_sessions_1m_retracting").time_diagram().timeline.panes
    real = sessions[~sessions["retraction"]]
    merged = real[real["text"] == "36"].iloc[0]
    assert merged["bottom"] == real[real["text"] == "22"]["top"].iloc[0]


def test_hovering_a_pane_lists_its_rows() -> None:
    accumulating = teach.figure("book_fig2_11_right").time_diagram().figure
    assert list(drawn(accumulating, "on-time pane")[0]["rows"]) == ["1 row: 5", "3 rows: 7, 3, 8"]
    # A late row is in the pane that it makes.
    assert list(drawn(accumulating, "late pane")[0]["rows"]) == ["2 rows: 5, 9"]
    discarding = teach.figure("book_fig2_13_discarding").time_diagram().figure
    assert list(drawn(discarding, "on-time pane")[0]["rows"]) == ["1 row: 5", "1 row: 8"]


def test_windows_that_count_tell_of_no_rows_that_may_not_be_theirs() -> None:
    rows = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed")
    shown = rows.window(fl.CountWindows(500)).agg(n="count").time_diagram(epochs=20).timeline
    assert set(shown.panes["rows"]) == {""} and set(shown.panes["text"][:-1]) == {"500"}


def test_every_value_of_a_filling_window_is_that_of_its_rows() -> None:
    stream = TestStream({"v": "int64"}, event_time="t")
    for second, v in ((1, 3), (2, 4), (12, 5), (3, 6)):
        stream = stream.epoch(lambda s, second=second, v=v: s.add([{"v": v, "t": f"2000-01-01T00:00:{second:02}Z"}]))
    filling = stream.window(fl.FixedWindows("10s")).agg(total=("v", "sum")).time_diagram().timeline.filling
    told = [
        (each.since, each.until, each.text, each.rows) for each in filling.sort_values(["since", "end"]).itertuples()
    ]
    assert told == [(0, 1, "3", 1), (1, 3, "7", 2), (2, EVER, "5", 1), (3, EVER, "13", 3)]


def flights() -> fl.Stream:
    rows = fl.read.parquet(
        fl.datasets.flights, event_time="departure", arrival="observed", watermark=fl.BoundedDisorder("2h")
    )
    return (
        rows.window(fl.FixedWindows("6h"), allowed_lateness="1h")
        .groupby("origin")
        .agg(n="count", mean=("delay", "mean"))
    )


def test_the_panes_of_flights_are_those_of_their_run() -> None:
    shown = flights().time_diagram(key="LGA").timeline
    assert shown.keys == ("JFK", "EWR", "LGA") and shown.title == "n of LGA"
    panes = flights().collect(as_stream=True)
    # Which rows meet which watermark is the same; how rows fall into epochs is not.
    on_time = panes[(panes["origin"] == "LGA") & (panes["pane_timing"] == "on_time")]
    drawn_ = shown.panes[shown.panes["timing"] == 1]
    assert len(drawn_) == len(on_time)
    assert drawn_["value"].max() == on_time["n"].max()
    rows = shown.rows
    assert (rows["processing_time"] >= rows["event_time"]).all()
    assert set(rows["kind"]) == {0, 1, 2}
    assert (np.diff(shown.clock) >= 0).all() and 100 <= len(shown.clock) <= 200


def test_another_value_and_key_are_chosen_by_name() -> None:
    shown = flights().time_diagram(key="JFK", value="mean", epochs=20).timeline
    assert shown.title == "mean of JFK" and len(shown.clock) <= 30
    with pytest.raises(GraphError, match="no row has that `key`; got 'X'; there is JFK, EWR, LGA"):
        flights().time_diagram(key="X", epochs=5)
    with pytest.raises(GraphError, match="must be an aggregate of the step; got 'v'; there is 'n', 'mean'"):
        flights().time_diagram(value="v", epochs=5)
    with pytest.raises(GraphError, match="`step` must be the name of a keyed step"):
        flights().time_diagram(step="v", epochs=5)


def test_a_stream_without_windows_shows_its_rows_and_its_watermark() -> None:
    rows = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed")
    diagram = rows.filter("origin == 'JFK'").time_diagram(epochs=10)
    assert diagram.timeline.title == "rows" and len(diagram.timeline.rows) == 1470
    assert len(drawn(diagram.figure, "watermark")[0]) > 5


def test_more_rows_than_can_be_drawn_are_thinned_and_that_is_said() -> None:
    times = pd.date_range("2000-01-01", periods=POINTS + 500, freq="s", tz="UTC")
    stream = fl.read.frame(pd.DataFrame({"t": times, "v": 1}), event_time="t")
    shown = stream.window(fl.FixedWindows("10min")).agg(n="count").time_diagram(epochs=10).timeline
    assert len(shown.rows) == POINTS and shown.notes == ("3,000 of 3,500 rows",)
    assert shown.panes["value"].sum() == POINTS + 500


def test_an_unbounded_stream_is_refused_with_the_remedy() -> None:
    with pytest.raises(GraphError, match=re.escape("stream.run().time_diagram()")):
        fl.read.rate(10).window(fl.FixedWindows("1s")).agg(n="count").time_diagram()


def test_a_run_is_drawn_by_running_its_epochs_again() -> None:
    clock = ManualClock()
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z")
    run = (
        rows.window(fl.FixedWindows("2s")).groupby("key").agg(total=("value", "sum")).run(clock=clock, name="r").pause()
    )
    for _ in range(4):
        clock.advance("2s")
        run.step()
    shown = run.time_diagram(key=1).timeline
    panes = run.panes()
    run.stop()
    assert isinstance(panes, pd.DataFrame)
    assert shown.panes["value"].tolist() == panes[panes["key"] == 1]["total"].tolist() != []
    assert (shown.panes["top"] >= shown.panes["end"]).all()


def test_why_is_asked_of_an_earlier_epoch() -> None:
    diagram = teach.figure("book_fig2_11_right").time_diagram()
    window = pd.Timestamp("2000-01-01T12:02Z"), pd.Timestamp("2000-01-01T12:04Z")
    assert [diagram.why(epoch, window).status for epoch in (8, 21)] == ["open", "passed"]
    assert diagram.why(8, window).rows == 1


def test_choices_treat_the_same_rows_otherwise() -> None:
    figure = teach.figure("102_fig9_discarding")
    accumulating = figure.changed(accumulation="accumulating")
    published = teach.figure("paper_fig13_102_fig7right")
    assert accumulating.pipeline().collect(as_stream=True)["value"].tolist() == published.panes["value"].tolist()
    for control, options in figure.choices.items():
        for option in options:
            figure.changed(**{control.replace(" ", "_"): option})
    with pytest.raises(GraphError, match="`accumulation` has other choices; got 'x'"):
        figure.changed(accumulation="x")


def test_a_figure_is_among_its_choices_or_as_published() -> None:
    for name in teach.figures().index:
        for variant in (None, *teach.figure(name).variants):
            figure = teach.figure(name, variant)
            for control, chosen in figure.chosen.items():
                assert figure.choices[control].count(chosen) == 1
                assert ("as published" in figure.choices[control]) == (chosen == "as published")
            again = figure.changed(**{name.replace(" ", "_"): chosen for name, chosen in figure.chosen.items()})
            assert (again.windows, again.options) == (figure.windows, figure.options)
    assert teach.figure("book_fig2_11_right").chosen == {
        "windows": "2min",
        "trigger": "every minute, watermark, every late row",
        "allowed lateness": "unbounded",
        "accumulation": "accumulating",
    }


def test_hostile_keys_are_text_in_a_page(tmp_path: Any) -> None:
    hostile = "</script><script>alert(1)</script>"
    times = pd.to_datetime(["2000-01-01", "2000-01-02"], utc=True)
    stream = fl.read.frame(pd.DataFrame({"t": times, "k": hostile}), event_time="t")
    diagram = stream.window(fl.FixedWindows("1D")).groupby("k").agg(n="count").time_diagram()
    page = diagram.save(tmp_path / "d.html").read_text()
    assert "alert(1)</script>" not in page and "flowerPages()" in page
    assert isinstance(diagram, Diagram) and diagram_figure(diagram.timeline, title="a").name == "a"
