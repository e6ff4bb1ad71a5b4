"""What the figures hold, and what the page may ask for; how they look is tested in tests/browser."""

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from bokeh.models import DatetimeAxis, HoverTool
from bokeh.models.glyphs import Line as LineGlyph
from bokeh.models.glyphs import Quad, Scatter
from bokeh.plotting import figure

from flower.charts import Bar, Chart, Custom, Line, save
from flower.charts.chart_type import Seen
from flower.errors import ColumnError, DtypeError, FlowerError

HOUR = pd.Timedelta("1h")


def panes(rows: list[tuple]) -> pd.DataFrame:
    """Hourly panes of (key, hour, n, timing)."""
    frame = pd.DataFrame(rows, columns=["k", "hour", "n", "pane_timing"])
    frame = frame.astype({"k": "str", "hour": "int64", "n": "int64", "pane_timing": "str"})
    start = pd.Timestamp("2000-01-01", tz="UTC") + frame["hour"] * HOUR
    return pd.DataFrame(
        {
            "k": frame["k"],
            "window_start": start,
            "window_end": start + HOUR,
            "n": frame["n"],
            "pane_timing": pd.Categorical(frame["pane_timing"], categories=["early", "on_time", "late"]),
            "pane_index": (frame["pane_timing"] == "late").astype("int64"),
            "pane_final": False,
        }
    )


def line(frame, **options):
    return Line(**options).figure(frame)


def bar(frame, **options):
    return Bar(**options).figure(frame)


def drawn(plot, glyph) -> list[dict]:
    data = [renderer.data_source.data for renderer in plot.renderers if isinstance(renderer.glyph, glyph)]
    return [each for each in data if len(each["x"])]


def notes(plot) -> str:
    return " ".join(item.text.text for item in plot.above if hasattr(item, "text"))


def entries(plot) -> list[str]:
    return [item.label["value"] for item in plot.legend[0].items if item.visible]


def test_each_key_has_a_line_and_the_largest_comes_first():
    plot = line(
        panes([("a", 0, 1, "on_time"), ("b", 0, 5, "on_time"), ("a", 1, 2, "on_time")]), x="window_end", y="n", by="k"
    )
    assert entries(plot) == ["b", "a"]
    by_key = {data["key"][0]: data for data in drawn(plot, Scatter)}
    assert by_key["a"]["y"].tolist() == [1, 2]
    hour = 3_600_000
    assert np.diff(by_key["a"]["x"]).tolist() == [hour]
    assert by_key["a"]["x"][0] == pd.Timestamp("2000-01-01T01:00").value / 1e6
    assert (by_key["a"]["end"] - by_key["a"]["start"]).tolist() == [hour, hour]
    assert isinstance(plot.xaxis[0], DatetimeAxis)
    assert plot.xaxis[0].axis_label.text == "window_end (UTC)"


def test_early_panes_are_hollow_on_a_dashed_line_and_late_ones_are_diamonds():
    rows = [("a", 0, 1, "on_time"), ("a", 1, 2, "late"), ("a", 2, 3, "on_time"), ("a", 3, 4, "early")]
    plot = line(panes(rows), x="window_end", y="n", by="k")
    (points,) = drawn(plot, Scatter)
    assert points["marker"].tolist() == ["circle", "diamond", "circle", "circle"]
    assert points["fill"].tolist() == [1, 1, 1, 0]
    stroke = drawn(plot, LineGlyph)[0]
    np.testing.assert_array_equal(stroke["settled"], [1, 2, 3, np.nan])
    np.testing.assert_array_equal(stroke["provisional"], [np.nan, np.nan, 3, 4])
    assert points["pane"].tolist()[1] == "corrected by late rows"
    assert points["index"].tolist() == [0, 1, 0, 0]
    assert "early" in notes(plot)
    assert "late" in notes(plot)


def test_a_missing_window_breaks_the_line():
    rows = [("a", 0, 1, "on_time"), ("a", 1, 2, "on_time"), ("a", 3, 3, "on_time"), ("b", 2, 9, "on_time")]
    plot = line(panes(rows), x="window_start", y="n", by="k")
    strokes = {len(data["settled"]): data["settled"] for data in drawn(plot, LineGlyph)}
    np.testing.assert_array_equal(strokes[4], [1, 2, np.nan, 3])


def test_sessions_have_no_missing_windows():
    frame = panes([("a", 0, 1, "on_time"), ("a", 1, 2, "on_time"), ("a", 3, 3, "on_time")]).assign(pane_absorbs=None)
    stroke = drawn(line(frame, x="window_start", y="n", by="k"), LineGlyph)[0]
    assert stroke["settled"].tolist() == [1, 2, 3]


def test_keys_beyond_the_limit_are_left_out_where_values_do_not_combine_and_the_legend_says_so():
    rows = [(f"k{i}", hour, 10 * i + hour, "on_time") for i in range(5) for hour in range(2)]
    plot = line(panes(rows), x="window_end", y="n", by="k", keys=2)
    assert entries(plot) == ["k4", "k3", "3 more left out"]
    assert {data["key"][0] for data in drawn(plot, Scatter)} == {"k4", "k3"}


@pytest.mark.parametrize("how, values", [("sum", [30, 33]), ("max", [20, 21]), ("min", [0, 1])])
def test_keys_beyond_the_limit_are_folded_where_the_aggregate_combines(how, values):
    rows = [(f"k{i}", hour, 10 * i + hour, "late" if i == 1 else "on_time") for i in range(5) for hour in range(2)]
    plot = Line(x="window_end", y="n", by="k", keys=2).figure(panes(rows), combine={"n": how})
    assert entries(plot) == ["k4", "k3", "others (3)"]
    others = next(data for data in drawn(plot, Scatter) if data["key"][0] == "others (3)")
    assert others["y"].tolist() == values
    assert others["marker"].tolist() == ["diamond", "diamond"]


def test_named_keys_keep_their_order_and_colour_whatever_their_size():
    rows = [("a", 0, 1, "on_time"), ("b", 0, 5, "on_time"), ("c", 0, 9, "on_time")]
    several = line(panes(rows), x="window_end", y="n", by="k", keys=["a", "gone", "b"])
    assert entries(several) == ["a", "gone", "b", "1 more left out"]
    other = bar(panes(rows[:2]), x="window_end", y="n", by="k", keys=["a", "gone", "b"])

    def colours(plot):
        return [
            item.renderers[0].glyph.fill_color for item in plot.legend[0].items if item.label["value"] in ("a", "b")
        ]

    def strokes(plot):
        return [
            item.renderers[0].glyph.line_color for item in plot.legend[0].items if item.label["value"] in ("a", "b")
        ]

    assert strokes(several) == colours(other)


def test_null_keys_and_several_key_columns_have_texts():
    frame = pd.DataFrame({"k": ["a", None], "j": [1, 2], "x": [0, 0], "n": [1, 2]})
    assert entries(line(frame, x="x", y="n", by=["k", "j"])) == ["(missing), 2", "a, 1"]


def test_nullable_integers_and_missing_values_are_drawn_as_gaps():
    frame = pd.DataFrame({"x": [0, 1, 2], "n": pd.array([1, None, 3], "Int64")})
    (points,) = drawn(line(frame, x="x", y="n"), Scatter)
    np.testing.assert_array_equal(points["y"], [1, np.nan, 3])


def test_rows_without_an_x_are_left_out_and_counted():
    frame = panes([("a", 0, 1, "on_time"), ("a", 1, 2, "on_time")])
    frame.loc[0, ["window_start", "window_end"]] = pd.NaT
    plot = line(frame, x="window_end", y="n", by="k")
    assert "1 rows without window_end" in notes(plot)
    (points,) = drawn(plot, Scatter)
    assert points["y"].tolist() == [2]


@pytest.mark.parametrize("draw", [line, bar])
@pytest.mark.parametrize("by", [None, "k"])
def test_no_rows_give_an_empty_chart_that_says_so(draw, by):
    assert "no rows yet" in notes(draw(panes([]), x="window_end", y="n", by=by))


def test_a_bar_covers_its_window():
    (quads,) = drawn(bar(panes([("a", 1, 3, "on_time")]), x="window_start", y="n"), Quad)
    start = pd.Timestamp("2000-01-01T01:00").value / 1e6
    hour = 3_600_000
    assert start < quads["left"][0] < start + 0.1 * hour
    assert start + 0.9 * hour < quads["right"][0] < start + hour
    assert (quads["bottom"][0], quads["top"][0]) == (0, 3)
    (ends,) = drawn(bar(panes([("a", 1, 3, "on_time")]), x="window_end", y="n"), Quad)
    assert ends["left"].tolist() == quads["left"].tolist()


def test_bars_of_overlapping_windows_do_not_overlap():
    frame = panes([("a", hour, 1, "on_time") for hour in range(4)])
    sliding = frame.assign(window_start=frame["window_end"] - 3 * HOUR)
    (quads,) = drawn(bar(sliding, x="window_end", y="n"), Quad)
    assert (quads["right"][:-1] < quads["left"][1:]).all()
    assert quads["right"][0] > quads["left"][0]


def test_bars_of_keys_stand_side_by_side_without_overlap():
    rows = [(key, hour, 1, "on_time") for key in "abc" for hour in range(3)]
    plot = bar(panes(rows), x="window_start", y="n", by="k")
    spans = sorted(
        (left, right) for data in drawn(plot, Quad) for left, right in zip(data["left"], data["right"], strict=True)
    )
    assert len(spans) == 9
    assert all(right <= left + 1e-3 for (_, right), (left, _) in pairwise(spans))


def test_stacked_bars_stand_on_one_another_and_the_rest_is_their_sum():
    rows = [("a", 0, 5, "on_time"), ("b", 0, 3, "on_time"), ("c", 0, 1, "on_time"), ("d", 0, 1, "late")]
    plot = bar(panes(rows), x="window_start", y="n", by="k", stacked=True, keys=2)
    spans = [(data["bottom"][0], data["top"][0]) for data in drawn(plot, Quad)]
    assert spans == [(0, 5), (5, 8), (8, 10)]
    assert entries(plot) == ["a", "b", "others (2)"]
    assert "corrected by late rows" in notes(plot)


def test_negative_stacked_bars_hang_down():
    frame = pd.DataFrame({"x": [0, 0, 0], "k": ["a", "b", "c"], "n": [4, -2, -3]})
    plot = bar(frame, x="x", y="n", by="k", stacked=True)
    assert [(d["bottom"][0], d["top"][0]) for d in drawn(plot, Quad)] == [(0, 4), (0, -2), (-2, -5)]


def test_categories_come_largest_first_and_at_most_forty():
    frame = pd.DataFrame({"k": [f"k{i:02}" for i in range(50)], "n": range(50)})
    plot = bar(frame, x="k", y="n")
    (quads,) = drawn(plot, Quad)
    assert quads["top"].tolist() == list(range(49, 9, -1))
    assert plot.xaxis[0].major_label_overrides[0].text == "k49"
    assert "10 more values of k are left out" in notes(plot)


def test_two_bars_in_one_place_are_refused_with_the_remedy():
    with pytest.raises(
        FlowerError, match=r"one row for each `x`; got two rows for window_start 2000-01-01 00:00:00; .*name it as `by`"
    ):
        bar(panes([("a", 0, 1, "on_time"), ("b", 0, 1, "on_time")]), x="window_start", y="n")


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(ColumnError, match="no column 'count' to draw; there are k, window_start, window_end, n, "):
        line(panes([]), x="window_end", y="count")


def test_text_cannot_be_a_height():
    with pytest.raises(DtypeError, match="`y` must be a column of numbers; got 'k' of str"):
        bar(panes([]), x="window_end", y="k")


def test_a_click_on_the_legend_hides_and_the_hover_shows_plain_columns():
    plot = line(panes([("a", 0, 1, "on_time")]), x="window_end", y="n", by="k")
    assert plot.legend[0].click_policy == "hide"
    (tool,) = plot.select(HoverTool)
    window = "@start{%F %H:%M} to @end{%H:%M}"
    pane = "@pane (pane @index)"
    assert tool.tooltips == [("k", "@key"), ("window", window), ("n", "@y{0,0.[00]}"), ("pane", pane)]


def test_a_saved_page_holds_everything_and_may_fetch_nothing(tmp_path):
    frame = panes([("</script><script>alert(1)</script>", 0, 1, "on_time")])
    plot = line(frame, x="window_end", y="n", by="k")
    path = save([plot, Chart(bar(frame, x="window_end", y="n"))], tmp_path / "page.html", "<b>title</b>")
    page = path.read_text()
    assert path == tmp_path / "page.html"
    outside = re.sub(r"<script[^>]*>.*?</script>", "", page, flags=re.DOTALL)
    assert "http" not in outside.replace("http-equiv", "")
    assert not re.search(r"<(script|link|img|iframe)[^>]*\b(src|href)=", page)
    assert "default-src 'none'" in outside
    assert "&lt;b&gt;title&lt;/b&gt;" in outside
    assert "<b>title" not in page
    assert "alert(1)</script>" not in page
    # Bokeh's core alone, about 1.3 MB.
    assert 1_000_000 < len(page) < 1_600_000


def test_a_chart_says_what_it_can_do_and_saves_itself(tmp_path):
    chart = Chart(line(panes([]), x="window_end", y="n", title="counts"))
    assert "'counts'" in repr(chart)
    assert ".save(" in repr(chart)
    assert "<h1>counts</h1>" in chart.save(tmp_path / "a.html").read_text()
    assert "<h1>other</h1>" in chart.save(tmp_path / "a.html", "other").read_text()
    both = save([chart, line(panes([]), x="window_end", y="n")], tmp_path / "b.html", "both").read_text()
    assert len(re.findall(r'<div id="[^"]+" data-root-id="', both)) == 2


def test_a_custom_chart_is_what_a_function_makes_and_gets_new_data():
    def own(frame):
        plot = figure()
        plot.line(frame["window_end"], frame["n"])
        return plot

    follows = Custom(fn=own).drawn(Seen(panes([("a", 0, 1, "on_time")])))
    first = follows.figure
    assert follows.follow(Seen(panes([("a", 0, 1, "on_time"), ("a", 1, 4, "early")])))
    assert follows.figure is first
    assert list(first.renderers[0].data_source.data["y"]) == [1, 4]
    with pytest.raises(FlowerError, match="must give a Bokeh figure; got NoneType"):
        Custom(fn=lambda frame: None).figure(panes([]))
