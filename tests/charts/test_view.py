"""The view that a live chart keeps, brought up to date by what is new, is that of all panes at once."""

import pandas as pd
import pytest

import flower as fl
from flower.charts import (
    Area,
    Bar,
    Barh,
    Candlestick,
    Gauge,
    Heatmap,
    Hist,
    Line,
    Map,
    Number,
    Scatter,
    Stacked,
    Step,
)
from flower.charts.cells import cells_of
from flower.charts.chart_type import Seen
from flower.charts.view import View, combinations, keys_of, standing
from flower.testing import ManualClock, TestStream

FIXED, SESSIONS = fl.FixedWindows("2s"), fl.Sessions("600ms")
OVER = {"x": "window_end", "y": "n", "by": "key"}
KINDS = [
    *(kind(**OVER) for kind in (Line, Step, Scatter, Area, Stacked, Bar)),
    Bar(**OVER, stacked=True),
    Barh(x="key", y="n", by="window_end"),
    Hist(x="n", by="key"),
    Heatmap(x="window_end", y="key", value="n"),
    Map(lon="n", lat="low", size="n", by="key"),
]
ONE = [Candlestick(x="window_end", open="low", high="n", low="low", close="n"), Number(y="n"), Gauge(y="n", high=20)]


def going(windows, accumulation, by=("key",)):
    """Panes of a run that a clock moved by hand brings: early ones twice a window, and then those on time."""
    clock = ManualClock()
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z")
    trigger = fl.AfterWatermark(early=fl.AfterCount(1))
    windowed = rows.window(windows, trigger=trigger, accumulation=accumulation)
    panes = (windowed.groupby(*by) if by else windowed).agg(n="count", low=("value", "min"))
    run = panes.run(clock=clock).pause()

    def step():
        clock.advance("500ms")
        run.step()

    return panes, run, step


def data_of(plot):
    return [
        {name: [None if cell != cell else cell for cell in column] for name, column in each.data_source.data.items()}
        for each in plot.renderers
    ]


@pytest.mark.parametrize("accumulation", ["accumulating", "discarding", "retracting"])
@pytest.mark.parametrize("windows", [FIXED, SESSIONS], ids=["fixed", "sessions"])
def test_the_view_of_what_is_new_is_the_view_of_all(windows, accumulation):
    panes, run, step = going(windows, accumulation)
    view = View(run, panes.node.name or "", keys_of(panes.node))
    for _ in range(12):
        step()
        view.refresh()
        shown = view.frame.drop(columns="pane_absorbs", errors="ignore")
        pd.testing.assert_frame_equal(shown, run.results.drop(columns="pane_absorbs", errors="ignore"))
    assert len(run.panes()) > len(shown) >= 2
    if accumulation == "retracting":
        assert run.panes()["pane_retraction"].any()
    assert view.taken_back == 0  # each has another in its place
    run.stop()


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", ["accumulating", "discarding", "retracting"])
@pytest.mark.parametrize("kind", [*KINDS, *ONE], ids=lambda kind: type(kind).__name__)
def test_a_figure_that_follows_equals_one_that_is_new(kind, accumulation):
    panes, run, step = going(FIXED, accumulation, by=() if kind in ONE else ("key",))
    combine = combinations(panes.node)
    view = View(run, panes.node.name or "")
    view.refresh()
    follows = kind.drawn(Seen(view.frame, combine))
    figure = follows.figure
    timings = set()
    for _ in range(10):
        step()
        view.refresh()
        timings |= set(view.frame["pane_timing"])
        assert follows.follow(Seen(view.frame, combine))
        # Keys keep the places they got first, so their data is compared in any order.
        new = data_of(kind.figure(view.frame, combine))
        assert sorted(map(repr, data_of(figure))) == sorted(map(repr, new))
    assert timings == {"early", "on_time"}
    run.stop()


def test_a_view_keeps_the_newest_rows_and_counts_the_others():
    run = fl.read.frame(pd.DataFrame({"v": range(100)})).run().wait()
    view = View(run, "", most=30)
    view.refresh()
    assert view.frame["v"].tolist() == list(range(70, 100))
    assert view.let_go == 70
    assert not view.refresh()


def test_a_retraction_takes_its_pane_out():
    rows = {"k": ["a", "b", "a", "a"], "x": [0, 0, 0, 0], "n": [1, 5, 1, 2]}
    frame = pd.DataFrame(rows | {"pane_retraction": [False, False, True, False]})
    assert standing(frame)["n"].tolist() == [5, 2]
    (bars,) = data_of(Bar(x="k", y="n").figure(frame))
    assert bars["y"] == [5, 2]


def corrected(windows, by=("key",)):
    """Retracting panes: early, on time, corrected by a late row; of sessions two that a third row merges."""
    rows = (
        TestStream(schema={"key": "str", "value": "int64"}, event_time="t")
        .add(
            [
                {"key": "a", "value": 1, "t": "2000-01-01T00:00:00Z"},
                {"key": "b", "value": 5, "t": "2000-01-01T00:00:00Z"},
            ]
        )
        .add([{"key": "a", "value": 2, "t": "2000-01-01T00:00:01Z"}])
        .watermark("2000-01-01T00:00:02.5Z")
        .add([{"key": "a", "value": 4, "t": "2000-01-01T00:00:00.5Z"}])
        .end()
    )
    trigger = fl.AfterWatermark(early=fl.AfterCount(1), late=fl.AfterCount(1))
    windowed = rows.window(windows, trigger=trigger, accumulation="retracting", allowed_lateness="1h")
    return (windowed.groupby(*by) if by else windowed).agg(n="count", low=("value", "min"))


def told_of(plot):
    """What a hover would show of each mark, in whatever order and place."""
    names = ("key", "start", "end", "y", "pane", "index", "count")
    told = set()
    for each in plot.renderers:
        data = each.data_source.data
        if "pane" in data or "count" in data:
            told |= set(zip(*(list(map(str, data[name])) for name in names if name in data), strict=True))
        elif "text" in data:
            told |= set(data["text"])
    return {row for row in told if row and row[-1] != "0.0"}  # bins with no row


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, *ONE], ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("windows", [FIXED, SESSIONS], ids=["fixed", "sessions"])
def test_a_chart_of_retracting_panes_shows_what_stands_and_says_what_late_rows_corrected(kind, windows):
    stream = corrected(windows, by=() if kind in ONE else ("key",))
    emitted = stream.collect(as_stream=True)
    assert emitted["pane_retraction"].sum() >= 2
    assert set(emitted["pane_timing"]) == {"early", "on_time", "late"}
    follows = kind.drawn(Seen(emitted[:0]))
    for count in range(1, len(emitted) + 1):
        stands = standing(emitted[:count])
        assert not stands["pane_retraction"].any()
        if not follows.follow(Seen(stands)):
            follows = kind.drawn(Seen(stands))
        assert told_of(follows.figure) == told_of(kind.figure(emitted[:count]))
    view = stream.run().wait().results
    assert set(view["pane_timing"]) == ({"late"} if kind in ONE else {"late", "on_time"})
    assert told_of(follows.figure) == told_of(kind.figure(view))
    said = str(told_of(follows.figure)) + " ".join(item.text.text for item in follows.figure.above)
    assert "corrected by late rows" in said


def test_what_goes_without_another_in_its_place_is_counted():
    at = pd.Timestamp("2000-01-01T00:00:00Z")
    stream = fl.testing.TestStream({"k": "str", "at": "datetime64[us, UTC]", "n": "int64"}, event_time="at")
    first = stream.epoch(lambda s: s.add([{"k": "a", "at": at, "n": 1}, {"k": "b", "at": at, "n": 2}]))
    every = fl.Repeatedly(fl.AfterCount(1))
    second = first.epoch(lambda s: s.add([{"k": "a", "at": at, "n": 5}]))
    by_key = second.window(fl.FixedWindows("1h"), trigger=every, accumulation="retracting").groupby("k")
    # The total of 1 becomes 6: nothing of the group of 1 is left.
    again = by_key.agg(total=("n", "sum")).window(FIXED, trigger=every, accumulation="retracting")
    counted = again.groupby("total").agg(n="count")
    run = counted.run().wait()
    view = View(run, counted.node.name or "", keys_of(counted.node))
    view.refresh()
    assert sorted(view.frame["total"]) == [2, 6]
    assert view.taken_back == 1


def test_what_is_taken_back_without_another_pane_leaves_the_chart_and_the_table():
    every = fl.Repeatedly(fl.AfterCount(1))
    whole = corrected(FIXED).window(fl.GlobalWindows(), trigger=every, accumulation="retracting")
    again = whole.groupby("n").agg(keys="count")
    emitted = again.collect(as_stream=True)
    shown = [standing(emitted[:count]) for count in range(1, len(emitted) + 1)]
    assert any(2 in each["n"].tolist() for each in shown)
    view = again.run().wait().results
    assert view["n"].tolist() == [1, 3]
    assert [row["cells"][0] for row in cells_of(view)["rows"]] == ["1", "3"]
    assert sorted(shown[-1]["n"]) == [1, 3]
