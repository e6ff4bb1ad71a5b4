"""Live charts, tables and runs without a browser."""

import base64
import re
import threading
from xml.etree import ElementTree

import pandas as pd
import pytest

import flower as fl
from flower.charts.marks import kept_places
from flower.engine.metrics import Metrics
from flower.errors import ColumnError, FlowerError
from flower.notebook import showing
from flower.notebook.chart import LivePlot
from flower.notebook.run_view import RunView, facts_of
from flower.notebook.showing import WIDGET
from flower.notebook.table import LiveTable, cells_of, html_of
from flower.notebook.view_widget import PNG
from flower.notebook.waiting import cell_progress
from flower.testing import ManualClock

HOSTILE = "<script>alert(1)</script> $x$ \\(y\\)"


def stream(keys=("a", "b")):
    times = pd.to_datetime(["2000-01-01 00:10", "2000-01-01 00:20", "2000-01-01 01:10", "2000-01-01 02:30"], utc=True)
    frame = pd.concat([pd.DataFrame({"t": times, "key": key, "value": [1.0, 2.0, 3.0, 4.0]}) for key in keys])
    rows = fl.read.frame(frame.sort_values("t", ignore_index=True), event_time="t")
    return rows.window(fl.FixedWindows("1h")).groupby("key").agg(total=("value", "sum"))


def going():
    """Panes that a clock moved by hand brings."""
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z").rename(value="v")
    return rows.window(fl.FixedWindows("1s")).groupby("key").agg(total=("v", "sum"))


def paused():
    """A run that does an epoch, of two seconds, when it is told to."""
    clock = ManualClock()
    run = going().run(clock=clock).pause()

    def step():
        clock.advance("2s")
        run.step()

    return run, step


def test_a_chart_starts_a_run_and_shows_nothing_until_it_is_displayed(paper):
    chart = LivePlot(stream()).line(x="window_end", y="total", by="key")
    assert chart.view is None and paper.shown == []
    chart.run.wait()
    assert chart.figure.legend[0].items[0].label.value == "a"
    assert "finished" in repr(chart)


def test_displaying_a_chart_that_runs_publishes_a_widget_and_a_text(paper):
    run, _ = paused()
    chart = LivePlot(going()).line(x="window_end", y="total", by="key", run=run)
    chart.show()
    (data, _, name, update), (kept, _, beside, _) = paper.shown
    assert set(data) == {WIDGET, "text/plain"} and not update
    assert beside == f"{name}-kept" and chart.view.still in kept["text/html"] and not kept["text/plain"]
    assert data[WIDGET]["model_id"] == chart.view.model_id
    run.stop()


def test_a_tick_sends_new_panes_once(paper, sent):
    run, step = paused()
    chart = LivePlot(going()).line(x="window_end", y="total", by="key", run=run)
    chart.show()
    chart.tick(0.0)
    before = len(sent(chart.view))
    chart.tick(100.0)
    assert len(sent(chart.view)) == before
    chart.view.feed.heard(before)
    step()
    chart.tick(200.0)
    assert len(sent(chart.view)) == before + 1
    run.stop()


def test_the_end_is_sent_and_the_picture_replaces_the_widget(paper, sent):
    run, _ = paused()
    chart = LivePlot(going()).line(x="window_end", y="total", by="key", run=run)
    chart.show()
    run.stop()
    assert chart.tick(0.0) is None
    assert sent(chart.view)[-1]["ended"] is True
    chart.view._handle_custom_msg({"type": "picture", "width": 8, "height": 4}, [memoryview(PNG + b"rest")])
    (data, metadata, name, update), (kept, _, beside, _) = paper.shown[-2:]
    assert set(data) == {"image/png", "text/plain"} and update
    # What stood beside the widget for where it cannot live is no longer needed.
    assert kept == {"text/plain": ""} and beside == f"{name}-kept"
    assert base64.b64decode(data["image/png"]) == PNG + b"rest"
    assert metadata == {"image/png": {"width": 8, "height": 4}}
    assert name == paper.shown[0][2]


def test_a_chart_of_a_run_that_is_over_becomes_a_picture_unless_it_is_shown_again(paper):
    run = stream().run().wait()
    chart = LivePlot(stream()).line(x="window_end", y="total", by="key", run=run)
    chart.show()
    assert chart.view.get_state()["snapshot"]["ended"] is True
    chart.picture(PNG, 8, 4)
    assert set(paper.shown[-2][0]) == {"image/png", "text/plain"}
    chart.show()
    chart.picture(PNG + b"new", 8, 4)
    assert WIDGET in paper.shown[-3][0]
    assert "<img" in paper.shown[-1][0]["text/html"] and paper.shown[-1][2] == f"{paper.shown[-3][2]}-kept"


def test_a_chart_says_what_went_without_another_in_its_place(paper):
    clock = ManualClock()
    every = fl.Repeatedly(fl.AfterCount(1))
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z")
    windowed = rows.window(fl.FixedWindows("1h"), trigger=every, accumulation="retracting").groupby("key")
    # How many keys have so many rows: each count is left as its key gets another row.
    again = windowed.agg(rows="count").window(fl.FixedWindows("1h"), trigger=every, accumulation="retracting")
    panes = again.groupby("rows").agg(keys="count")
    run = panes.run(clock=clock).pause()
    chart = LivePlot(panes).bar(x="rows", y="keys", run=run)
    said = []
    for _ in range(3):
        clock.advance("500ms")
        run.step()
        said.append([title.text.text for title in chart.figure.above if title.visible and "taken" in title.text.text])
    gone = [f"taken back, with nothing in their place: {count}" for count in (1, 2)]
    assert said[0] == [] and [told[-len(text) :] for (told,), text in zip(said[1:], gone, strict=True)] == gone
    assert run.panes()["pane_retraction"].sum() >= 2
    run.stop()


def test_a_picture_of_a_run_that_goes_on_is_kept_beside_the_chart(paper):
    run, _ = paused()
    chart = LivePlot(going()).line(x="window_end", y="total", run=run, by="key")
    chart.show()
    chart.picture(PNG, 8, 4)
    data, _, name, update = paper.shown[-1]
    assert "<img" in data["text/html"] and (name, update) == (f"{paper.shown[0][2]}-kept", True)
    assert [bundle for bundle, _, where, _ in paper.shown if where == paper.shown[0][2]] == [paper.shown[0][0]]
    run.stop()


def test_tables_and_runs_keep_how_they_look_now_and_then_while_somebody_looks(paper, sent):
    run, step = paused()
    for made in (LiveTable(going(), 10, run), RunView(run)):
        paper.shown.clear()
        made.show()
        for now in (100.0, 101.0, 111.0):
            step()
            made.view.feed.heard(made.view.feed.sequence)
            made.tick(now)
        kept = [data["text/html"] for data, _, name, _ in paper.shown if name.endswith("-kept")]
        assert len(kept) == 3 and len(set(kept)) == 3 and all(made.view.still in html for html in kept)
        step()
        made.tick(130.0)  # nobody has heard the last one
        made.tick(150.0)
        assert sum(name.endswith("-kept") for _, _, name, _ in paper.shown) == 3
    run.stop()


def test_a_run_is_kept_with_its_steps_and_what_they_counted_as_an_image(paper):
    run, step = paused()
    step()
    html = RunView(run).look()
    data = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)[1]
    svg = base64.b64decode(data).decode()
    assert "8 rows" in svg and "8 pairs, 2 open" in svg
    assert ElementTree.fromstring(svg).tag.endswith("svg") and "<script" not in svg
    run.stop()


def test_a_column_that_is_not_there_is_an_error_before_anything_runs(paper):
    with pytest.raises(ColumnError, match="no column 'missing'"):
        LivePlot(stream()).line(x="window_end", y="missing", by="key")
    assert paper.made_ == []


def test_closing_stops_the_run_that_was_started_for_it_and_no_other(paper):
    own = LivePlot(fl.read.rate(100)).line(x="time", y="value")
    own.close()
    assert own.run.state == "stopped"
    run = fl.read.rate(100).run()
    LivePlot(fl.read.rate(100)).line(x="time", y="value", run=run).close()
    assert run.state == "running"
    run.stop()


def test_a_run_of_several_outputs_needs_the_name_of_the_stream(paper):
    one, two = stream().named("one"), stream(("c",)).named("two")
    run = fl.run(one, two).wait()
    assert set(LiveTable(two, 5, run).frame["key"]) == {"c"}
    with pytest.raises(FlowerError, match=r"hint|named"):
        LiveTable(stream(), 5, run)


@pytest.mark.parametrize("fps", [0, -1, 61, True, "10"])
def test_a_rate_out_of_range_is_refused(paper, fps):
    with pytest.raises(FlowerError, match="fps"):
        LivePlot(stream()).line(x="window_end", y="total", by="key", run=stream().run().wait(), fps=fps)


def test_a_key_keeps_its_colour_while_it_is_among_the_largest():
    assert kept_places([], ["a", "b"]) == ["a", "b"]
    assert kept_places(["a", "b"], ["b", "a"]) == ["a", "b"]
    assert kept_places(["a", "b", "c"], ["c", "d", "a"]) == ["a", "d", "c"]
    assert kept_places(["a"], ["b", "c", "a"]) == ["a", "b", "c"]


def test_a_table_shows_the_newest_window_first(paper):
    run = stream().run().wait()
    table = LiveTable(stream(), 3, run)
    made = table.snapshot()
    assert made["columns"] == ["key", "window_start", "window_end", "total", "pane_timing", "pane_index"]
    assert [row["cells"][:4] for row in made["rows"]] == [
        ["a", "2000-01-01 02:00", "2000-01-01 03:00", "4"],
        ["b", "2000-01-01 02:00", "2000-01-01 03:00", "4"],
        ["a", "2000-01-01 01:00", "2000-01-01 02:00", "3"],
    ]
    assert len({row["key"] for row in made["rows"]}) == 3
    assert made["numeric"] == [False, False, False, True, False, True]


def test_a_table_of_a_run_that_is_over_is_static_html_with_hostile_text_escaped(paper):
    run = stream((HOSTILE,)).run().wait()
    LiveTable(stream((HOSTILE,)), 3, run).show()
    [(data, _, _, _)] = paper.shown
    assert set(data) == {"text/html", "text/plain"}
    assert "<script>" not in data["text/html"]
    assert "$x$" not in data["text/html"] and "\\(" not in data["text/html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <span>$</span>x" in data["text/html"]


def test_columns_with_markup_are_escaped():
    made = {**cells_of(pd.DataFrame({HOSTILE: [None], "b": [True]})), "note": HOSTILE}
    assert "<script>" not in html_of(made)
    assert made["rows"] == [{"key": "0", "cells": ["", "True"], "values": [None, None]}]
    assert made["numeric"] == [False, False]


def test_a_table_sends_nothing_when_nothing_changed(paper):
    run, step = paused()
    table = LiveTable(going(), 3, run)
    assert table.changes() is not None
    assert table.changes() is None
    step()
    assert table.changes() is not None
    run.stop()


def test_a_run_that_is_over_is_shown_as_html(paper):
    run = stream().run(name=HOSTILE).wait()
    RunView(run).show()
    [(data, _, _, _)] = paper.shown
    assert "<script>" not in data["text/html"]
    assert "finished" in data["text/html"]
    assert data["text/plain"] == repr(run)


def test_a_run_takes_only_the_commands_it_shows(paper):
    run, _ = paused()
    view = RunView(run)
    assert view.snapshot()["commands"] == ["resume", "step", "firing", "drain", "stop"]
    for name in ("pause", "results", "wait", "__init__"):
        view.command(name, None)
    assert run.state == "paused"
    view.command("stop", None)
    run.wait()
    assert run.state == "stopped"
    assert view.snapshot()["commands"] == []


def clicked(name):
    """The thread in which a click does its work."""
    return next((each for each in threading.enumerate() if each.name == f"flower-{name}"), None)


def click(view, name, value=None):
    view.command(name, value)
    if thread := clicked(name):
        thread.join(10)


def test_buttons_step_a_run_and_drain_it(paper):
    clock = ManualClock()
    run = going().run(clock=clock, epoch_rows=3).pause()
    view = RunView(run)
    clock.advance("3s")
    click(view, "step")
    assert run.metrics.epochs == 1
    click(view, "firing")
    assert run.metrics.epochs == 2 and len(run.panes()) == 2
    click(view, "drain")
    assert run.state == "finished" and view.still() is not None


def test_a_step_to_the_next_firing_is_shown_and_paused(paper):
    run, _ = paused()
    view = RunView(run)
    view.command("firing", None)
    assert view.snapshot()["state"] == "stepping" and view.snapshot()["commands"] == ["pause", "stop"]
    click(view, "pause")
    assert view.snapshot()["state"] == "paused"
    run.stop()


@pytest.mark.parametrize("value", ["fast", 0, -1, None, True, float("nan"), [2]])
def test_a_speed_from_a_page_is_not_to_be_trusted(paper, value):
    run, _ = paused()
    RunView(run).command("speed", value)
    assert run.speed == 1
    RunView(run).command("speed", 5)
    assert run.speed == 5
    run.stop()


def test_what_has_no_speed_shows_none(paper):
    run = stream().run().wait()
    assert RunView(run).snapshot()["speed"] is None


def test_rows_a_second_are_noted_while_it_runs(paper):
    seconds = iter([0.0, 0.4, 2.0, 2.1, 4.0, 8.0])
    clock = ManualClock()
    run = fl.read.rate(10).run(clock=clock)
    view = RunView(run, clock=lambda: next(seconds))
    clock.advance("1s")
    while run.metrics.rows_in < 10:
        pass
    for _ in range(4):
        view.changes()
    assert view.snapshot()["rates"] == [5.0, 0.0]
    run.pause()
    view.changes()
    assert view.snapshot()["rates"] == [5.0, 0.0]
    run.stop()


def test_the_drawing_of_a_run_has_a_place_for_what_each_step_counts(paper):
    run, step = paused()
    step()
    told = RunView(run).snapshot()
    places = ElementTree.fromstring(told["graph"]).findall(".//*[@class='flower-step']")
    counts = {places[at].get("data-step"): text for at, text in told["steps"]}
    assert counts == {"read-1": "8 rows", "agg-1": "8 pairs, 2 open"}
    assert all(places[at].find("*[@class='flower-count']") is not None for at, _ in told["steps"])
    run.stop()


def looked(view):
    """Let it see what is open, in the thread where it does."""
    view.changes()
    if view._looker is not None:
        view._looker.join(10)


def test_open_windows_are_listed_while_somebody_looks_and_say_what_they_wait_for(paper, sent):
    run, step = paused()
    step()
    view = RunView(run)
    view.show()
    looked(view)
    assert view.snapshot()["windowed"] and view.snapshot()["windows"] is None
    view.command("windows", True)
    looked(view)
    [(name, text)] = view.snapshot()["windows"]
    assert text.startswith("2000-01-01 00:00:01 to 00:00:02 \u00b7 2 keys \u00b7 4 rows")
    click(view, "why", name)
    said = sent(view.view)[-1]["said"]
    assert any("ends at 2000-01-01T00:00:02Z, key 0, fires on time" in line for line in said)
    assert any("2 rows since the last pane" in line for line in said)
    assert said == list(run.why(0, pd.Timestamp("2000-01-01T00:00:02Z")).reasons)
    view.command("windows", False)
    assert view.snapshot()["windows"] is None
    run.stop()


@pytest.mark.parametrize("value", [None, 3, "", "0:0:0", ["1:2:3"], {"a": 1}])
def test_a_window_that_is_not_listed_is_not_asked_about(paper, sent, value):
    run, step = paused()
    step()
    view = RunView(run)
    view.show()
    view.command("why", value)
    view.command("windows", value)
    assert view.snapshot()["windows"] is None and view.snapshot()["said"] == []
    run.stop()


def test_a_click_is_acknowledged_once_the_kernel_hears_it(paper, sent):
    run, _ = paused()
    view = RunView(run)
    view.show()
    view.view._handle_custom_msg({"type": "command", "name": "nothing", "id": 7}, [])
    assert sent(view.view)[-1] == {"type": "taken", "id": 7}
    run.stop()


@pytest.mark.parametrize("ago, shown", [("10min", True), ("3650D", False)])
def test_a_live_stream_has_a_lag_and_a_replay_has_none(paper, ago, shown):
    times = pd.Timestamp.now("UTC") - pd.Timedelta(ago) + pd.to_timedelta(range(100), unit="s")
    run = fl.read.frame(pd.DataFrame({"t": times}), event_time="t").run(epoch_rows=4).pause()
    if run.metrics.epochs == 0:
        run.step()
    assert ("lag" in dict(facts_of(run))) is shown
    run.stop()


def test_a_failure_is_said_below_what_it_left(paper):
    def divided(frame):
        return frame.assign(v=[1 // value for value in frame["v"]])

    rows = fl.read.frame(pd.DataFrame({"v": [1, 0]})).map_frames(divided, {"v": "int64"})
    run = rows.run(on_error="fail")
    with pytest.raises(Exception, match="could not be processed"):
        run.wait()
    table = LiveTable(rows, 3, run)
    assert table.about()["problem"]
    assert "failed" in table.about()["note"]


def test_without_a_notebook_nothing_is_shown_anywhere(comms):
    showing.use(None)
    run = stream().run().wait()
    RunView(run).show()
    assert comms == []


def test_a_cell_that_waits_shows_a_bar_and_leaves_nothing(paper):
    assert cell_progress() is None  # no cell runs
    paper.cell_runs = True
    shown = cell_progress()
    for share in (0.25, 0.5):
        shown.show("<b>job</b>", Metrics(rows_in=1000, share=share))
    shown.close()
    first, second, last = paper.shown
    assert [update for *_, update in paper.shown] == [False, True, True]
    assert len({name for _, _, name, _ in paper.shown}) == 1
    assert 'value="0.250"' in first[0]["text/html"] and "&lt;b&gt;job" in first[0]["text/html"]
    assert second[0]["text/plain"].startswith("<b>job</b>: 50%, 1,000 in")
    assert last[0] == {"text/html": "", "text/plain": ""}
